/*
 * A look at data before they are trained on. It finds probable mistakes. Each finding is a sentence
 * with the name of one or two examples. Data without a fault have none.
 */
#ifndef DV_DATASET_LOOK_H
#define DV_DATASET_LOOK_H

#include "frontends/dataset/dataset.h"

/* The kinds in the order of their output, with their names for programs. The comments say what
   dv_finding.count counts. A repeated sound has the same bytes under several names and is not
   silent; it counts for the first of its three kinds that fits. */
#define DV_FINDING_LIST(X)                                                                         \
    X(NOTE, "note")                          /* always 1, one of dv_dataset.notes */               \
    X(UNREADABLE, "unreadable")              /* files */                                           \
    X(LEFT_OUT, "kind_not_read")             /* files with the ending of a sound */                \
    X(NOT_TRAINED, "no_training_clips")      /* classes */                                         \
    X(NOT_TESTED, "no_test_clips")           /* classes, if there is a test part */                \
    X(ALIKE, "labels_alike")                 /* labels, see dv__label_key */                       \
    X(SPEAKER_IS_CLASS, "speaker_is_class")  /* all speakers, if each says only one class */       \
    X(SAME_IN_LABELS, "same_in_two_classes") /* repeated sounds */                                 \
    X(SAME_IN_PARTS, "same_in_two_parts")    /* repeated sounds */                                 \
    X(SAME_IN_PART, "same_in_one_part")      /* repeated sounds */                                 \
    X(SILENT, "silent")                      /* clips in which no sample reaches -60 dB */         \
    X(CLIPPED, "clipped")                    /* clips with over 1 in 1000 samples clipped */       \
    X(CANCELLED, "cancelling_channels")      /* clips */                                           \
    X(NOT_IN_ORDER, "not_in_order")          /* clips with another dv_audio_remark */              \
    X(LONG, "longer_than_window")            /* clips */                                           \
    X(HIGHER_RATE, "higher_rate")            /* clips */                                           \
    X(LOWER_RATE, "lower_rate")              /* clips */                                           \
    X(BATCH_CUT, "batch_cut")                /* training clips, if fewer than a batch */           \
    X(DROPPED, "dropped")                    /* training clips, if over a fifth of an epoch */

typedef enum dv_finding_kind {
#define X(name, text) DV_FINDING_##name,
    DV_FINDING_LIST(X)
#undef X
        DV_FINDING_KINDS
} dv_finding_kind;

/* The name for programs, such as "silent". */
const char *dv_finding_name(dv_finding_kind kind);

enum { DV_FINDING_EXAMPLES = 2 };

typedef struct dv_finding {
    dv_finding_kind kind;
    size_t count;
    char *text;                           /* a sentence without its full stop; owned */
    size_t examples[DV_FINDING_EXAMPLES]; /* (example_count), clips if the finding is about them */
    int example_count;
} dv_finding;

typedef struct dv_look {
    dv_finding *findings; /* (count), ordered by kind */
    size_t count, capacity;
} dv_look;

/* The settings of the training that the data are for. */
typedef struct dv_look_config {
    int64_t sample_rate;            /* Hz, of the model */
    double duration;                /* s, of the model's window */
    double max_seconds;             /* see dv_dataset_load */
    int64_t batch_size, accumulate; /* see dv_train_config */
} dv_look_config;

/* Loads a data set that has parts, like dv_dataset_load, and looks at it. With a NULL `frontend`
   the sounds are read and not kept. Findings are not logged. On failure *out is empty, and the
   files that cannot be read are logged. The caller frees *out with dv_look_free. */
dv_status dv_dataset_look(dv_dataset *dataset, const dv_frontend *frontend,
                          const dv_look_config *config, const dv_log *log, dv_look *out);

/* Looks at data that are loaded already. */
dv_status dv_look_find(const dv_dataset *dataset, const dv_look_config *config, dv_look *out);

/* Logs a warning for each finding, and for unreadable files one for each file. */
void dv_look_log(const dv_look *look, const dv_dataset *dataset, const dv_log *log);

/* DV_EFORMAT if there are findings, for callers that take them for errors. */
dv_status dv_look_fail(const dv_look *look);

void dv_look_free(dv_look *look);

#endif
