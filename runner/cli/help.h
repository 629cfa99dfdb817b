/* Help from the tables: of a command line, and of a section of the configuration. */
#ifndef DV_CLI_HELP_H
#define DV_CLI_HELP_H

#include "runner/cli/options.h"

#include <stdio.h>

/* What the exit codes of all commands mean. */
extern const char dv_exit_codes_text[];

/* The text of `decavox COMMAND --help`. */
void dv_options_help(FILE *out, const dv_options *options);

/*
 * The reference of a section, as the YAML that sets its defaults; what is required is commented
 * out:
 *
 *     train:
 *       epochs: 100            # 1 to 100000: passes over the data
 *       optimizer: adamw       # sgd | adam | adamw: ...
 */
void dv_fields_help(FILE *out, const char *section, const dv_field *fields);

#endif
