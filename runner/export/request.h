/* Carries out an export as the public API describes it: chooses the format, writes the model or
   only its weights, and adds the model card. */
#ifndef DV_EXPORT_REQUEST_H
#define DV_EXPORT_REQUEST_H

#include "runner/experiment/output.h"
#include "runner/export/export.h"

/* The format and the ending of a file that has only weights. */
#define DV_EXPORT_WEIGHTS "safetensors"
#define DV_EXPORT_WEIGHTS_ENDING ".safetensors"

/* Resolves the options for the file `path`. Texts are borrowed, and the card stays empty. Returns
   DV_EARG if an option has an invalid value or no effect, or if the ending names no format. */
dv_status dv_export_choose(const char *path, const dv_export_options *options,
                           dv_export_wanted *out);

/* The kind of the output file. */
dv_output_kind dv_export_kind(const dv_export_wanted *wanted);

/* Writes the file, completely or not at all, with the model card of the checkpoint. *out is zero
   for an export of weights. Fails as dv_export_program and dv_export_file do. */
dv_status dv_export_write(dv_model *model, const dv_export_wanted *wanted, const char *path,
                          dv_export_result *out);

#endif
