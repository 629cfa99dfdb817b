/* From what a caller asks for, as the public API has it, to the file: its form, the weights alone,
   and the model's card. */
#ifndef DV_EXPORT_REQUEST_H
#define DV_EXPORT_REQUEST_H

#include "runner/experiment/output.h"
#include "runner/export/export.h"

/* The format and the ending of a file that has the weights alone. */
#define DV_EXPORT_WEIGHTS "safetensors"
#define DV_EXPORT_WEIGHTS_ENDING ".safetensors"

/* What the options mean for a file of this name. Texts are borrowed, and there is no card. DV_EARG:
   an option has no such value or no effect, or the name tells no format. */
dv_status dv_export_choose(const char *path, const dv_export_options *options,
                           dv_export_wanted *out);

/* What kind of output the file is. */
dv_output_kind dv_export_kind(const dv_export_wanted *wanted);

/* Writes the file, whole or not at all, and with the card of the model's checkpoint. Of the weights
   alone *out is 0. Statuses as of dv_export_program and dv_export_file. */
dv_status dv_export_write(dv_model *model, const dv_export_wanted *wanted, const char *path,
                          dv_export_result *out);

#endif
