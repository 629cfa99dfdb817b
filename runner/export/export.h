/* Exports a model to a file that other runtimes read. */
#ifndef DV_EXPORT_H
#define DV_EXPORT_H

#include "frontends/model/model.h"
#include "runner/export/form.h"

/* What a program's input is: the samples of a clip, with the front-end in the program; what the
   front-end makes of them; or the mel bands of a clip in decibels, with the rest of the front-end
   in the program. */
typedef enum dv_export_input {
    DV_EXPORT_AUDIO,
    DV_EXPORT_FEATURES,
    DV_EXPORT_LOG_MEL
} dv_export_input;
extern const char *const dv_export_input_names[]; /* NULL at the end */

typedef struct dv_export_wanted {
    const dv_export_form *form; /* NULL: the weights alone */
    int input;                  /* dv_export_input */
    bool half;           /* the network's parameters and values are FP16; the front-end's never */
    int64_t batch;       /* clips at a time; 0: any number */
    const char *license; /* of the model, for its notes; "": nothing is said */
    const char *card;    /* what there is to know of the model, likewise */
} dv_export_wanted;

typedef struct dv_export_result {
    size_t statements;
    size_t file;      /* bytes of the file */
    size_t constants; /* of these, those of parameters and tables */
} dv_export_result;

/* The form whose ending the path has, or whose name `name` is; NULL: none. */
const dv_export_form *dv_export_form_of_path(const char *path);
const dv_export_form *dv_export_form_named(const char *name);

/*
 * The model's program: input "audio" (batch, samples) at the model's rate, "features" (batch,
 * rows, frames), or "log_mel" (batch, n_mels, frames) of any number of frames, as
 * frontends/features/program.h has it; outputs "probabilities" and "logits", both (batch, classes),
 * all FP32. To be freed with dv_exported_free, also on failure. DV_ECONFIG: the model has an
 * operation that no program can have, or a front-end that does not take log_mel. DV_ENUMERIC: a
 * parameter is too large for FP16.
 */
dv_status dv_export_program(dv_model *model, const dv_export_wanted *wanted, dv_exported *out);
void dv_exported_free(dv_exported *exported);

/* Writes the file, whole or not at all, and reads it again before it gets its name. DV_EIO. */
dv_status dv_export_file(dv_model *model, const dv_export_wanted *wanted, const char *path,
                         dv_export_result *out);

#endif
