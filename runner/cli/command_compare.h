/* Parts that `compare` and `recommend` share. */
#ifndef DV_CLI_COMMAND_COMPARE_H
#define DV_CLI_COMMAND_COMPARE_H

#include "runner/cli/command.h"
#include "runner/cli/measuring.h"
#include "runner/compare/comparison.h"
#include "runner/experiment/output.h"

#define DV_RECOMMEND_FIELDS                                                                        \
    DV_FLOAT(dv_comparison_options, max_latency_ms, "0", 0, 1e9,                                   \
             "highest p99 latency of one clip that a use case allows, ms; 0 allows any"),          \
        DV_FLOAT(dv_comparison_options, max_size_mb, "0", 0, 1e9,                                  \
                 "largest file that a use case allows, 10^6 bytes; 0 allows any"),                 \
        DV_FLOAT(dv_comparison_options, min_accuracy, "0", 0, 100,                                 \
                 "lowest accuracy that a use case allows, 0.98 or 98; 0 allows any")

/* Checks the files options->out, which is of this kind, and options->svg. They may not replace a
   model, its card, or a file of its configuration: see output.h. */
dv_status dv_command_check_outputs(const dv_comparison *comparison, dv_output_kind kind);

/* Measures the models and recommends one for options->use_case, on stdout or in options->out, as
   text or as JSON. Gives the exit code. */
int dv_recommend_command(const char *command, const dv_comparison_options *options,
                         const dv_arguments *arguments, bool json);

/* Writes the text of `print` to the file `path`, whole or not at all, or to stdout if `path` is
   "". */
dv_status dv_command_write(const char *path, void (*print)(const void *user, FILE *out),
                           const void *user);

#endif
