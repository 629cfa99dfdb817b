/*
 * A look at data before they are trained on: what is probably not as the user thinks. Each finding
 * is a sentence with the name of one or two examples. Data without a fault have none.
 */
#ifndef DV_DATASET_LOOK_H
#define DV_DATASET_LOOK_H

#include "frontends/dataset/dataset.h"

/* The kinds, in the order in which they are told, with their names for programs, and what the
   count is of. */
#define DV_FINDING_LIST(X)                                                                         \
    X(NOTE, "note")                          /* 1: of dv_dataset.notes */                          \
    X(UNREADABLE, "unreadable")              /* files */                                           \
    X(LEFT_OUT, "kind_not_read")             /* files with the ending of a sound */                \
    X(NOT_TRAINED, "no_training_clips")      /* classes */                                         \
    X(NOT_TESTED, "no_test_clips")           /* classes; only where there is a test part */        \
    X(ALIKE, "labels_alike")                 /* labels, see dv__label_key */                       \
    X(SPEAKER_IS_CLASS, "speaker_is_class")  /* speakers: all, and each says one class alone */    \
    X(SAME_IN_LABELS, "same_in_two_classes") /* sounds: the same bytes under several names; */     \
    X(SAME_IN_PARTS, "same_in_two_parts")    /* of one that is two of these, the first; */         \
    X(SAME_IN_PART, "same_in_one_part")      /* silent ones are none of them */                    \
    X(SILENT, "silent")                      /* clips: no sample reaches -60 dB */                 \
    X(CLIPPED, "clipped")                    /* clips: 1 in 1000 samples, see dv_audio_facts */    \
    X(CANCELLED, "cancelling_channels")      /* clips */                                           \
    X(NOT_IN_ORDER, "not_in_order")          /* clips with another dv_audio_remark */              \
    X(LONG, "longer_than_window")            /* clips */                                           \
    X(HIGHER_RATE, "higher_rate")            /* clips */                                           \
    X(LOWER_RATE, "lower_rate")              /* clips */                                           \
    X(BATCH_CUT, "batch_cut")                /* training clips: fewer than a batch has */          \
    X(DROPPED, "dropped")                    /* training clips: over a fifth, of each epoch */

typedef enum dv_finding_kind {
#define X(name, text) DV_FINDING_##name,
    DV_FINDING_LIST(X)
#undef X
        DV_FINDING_KINDS
} dv_finding_kind;

/* "silent" */
const char *dv_finding_name(dv_finding_kind kind);

enum { DV_FINDING_EXAMPLES = 2 };

typedef struct dv_finding {
    dv_finding_kind kind;
    size_t count;
    char *text;                           /* a sentence without its full stop; owned */
    size_t examples[DV_FINDING_EXAMPLES]; /* (example_count) clips, where the finding is of such */
    int example_count;
} dv_finding;

typedef struct dv_look {
    dv_finding *findings; /* (count), by their kinds */
    size_t count, capacity;
} dv_look;

/* What of a training the data are looked at for. */
typedef struct dv_look_config {
    int64_t sample_rate;            /* of the model, Hz */
    double duration;                /* of its window, s */
    double max_seconds;             /* as of dv_dataset_load */
    int64_t batch_size, accumulate; /* see dv_train_config */
} dv_look_config;

/* dv_dataset_load of data with parts, and what is found; of what is found nothing is logged.
   `frontend` NULL: the sounds are read and not kept. Free with dv_look_free; empty on failure,
   where files that cannot be read are named. */
dv_status dv_dataset_look(dv_dataset *dataset, const dv_frontend *frontend,
                          const dv_look_config *config, const dv_log *log, dv_look *out);

/* The findings of data that are loaded already. */
dv_status dv_look_find(const dv_dataset *dataset, const dv_look_config *config, dv_look *out);

/* A warning for each finding; in place of that of unreadable files one for each of them. */
void dv_look_log(const dv_look *look, const dv_dataset *dataset, const dv_log *log);

/* DV_EFORMAT where anything was found, for who takes findings for errors; else DV_OK. */
dv_status dv_look_fail(const dv_look *look);

void dv_look_free(dv_look *look);

#endif
