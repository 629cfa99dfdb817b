/* Exports a model to a file for other runtimes. */
#ifndef DV_EXPORT_H
#define DV_EXPORT_H

#include "frontends/model/model.h"
#include "runner/export/form.h"

/* The input of a program: samples of a clip, with the front-end in the program; the front-end's
   features; or mel bands of a clip in decibels, with the rest of the front-end in the program. */
typedef enum dv_export_input {
    DV_EXPORT_AUDIO,
    DV_EXPORT_FEATURES,
    DV_EXPORT_LOG_MEL
} dv_export_input;
extern const char *const dv_export_input_names[]; /* ends with NULL */

typedef struct dv_export_wanted {
    const dv_export_form *form; /* NULL exports only the weights */
    int input;                  /* dv_export_input */
    bool half;                  /* the network is FP16; the front-end is always FP32 */
    int64_t batch;              /* fixed batch size; 0 is any size */
    const char *license;        /* licence for the notes; empty writes none */
    const char *card;           /* model card for the notes; empty writes none */
} dv_export_wanted;

typedef struct dv_export_result {
    size_t statements;
    size_t file;      /* bytes of the file */
    size_t constants; /* bytes of parameters and tables in it */
} dv_export_result;

/* Find a format by the ending of a path, or by its name. NULL if there is none. */
const dv_export_form *dv_export_form_of_path(const char *path);
const dv_export_form *dv_export_form_named(const char *name);

/*
 * Makes the model's program. Its input is "audio" (batch, samples) at the model's rate, "features"
 * (batch, rows, frames), or "log_mel" (batch, n_mels, frames) with any number of frames, see
 * frontends/features/program.h. Its outputs are "probabilities" and "logits", both (batch,
 * classes). All are FP32. Returns DV_ECONFIG if the model has an operation that programs lack, or a
 * front-end that does not take log_mel, and DV_ENUMERIC if a parameter is too large for FP16. Free
 * *out with dv_exported_free, also after a failure.
 */
dv_status dv_export_program(dv_model *model, const dv_export_wanted *wanted, dv_exported *out);
void dv_exported_free(dv_exported *exported);

/* Writes the file, completely or not at all. It is read again before it gets its name. Returns
   DV_EIO, or as dv_export_program does. */
dv_status dv_export_file(dv_model *model, const dv_export_wanted *wanted, const char *path,
                         dv_export_result *out);

#endif
