/* Help from the tables: of a command line, and of a section of the configuration. */
#ifndef DV_CLI_HELP_H
#define DV_CLI_HELP_H

#include "runner/cli/options.h"

#include <stdio.h>

/* States what the exit codes of all commands mean. */
extern const char dv_exit_codes_text[];

/* Gives the range, the choices or the type of a field in words, "" if that says nothing. */
enum { DV_DOMAIN_SIZE = 512 };
void dv_field_domain(const dv_field *field, char text[DV_DOMAIN_SIZE]);

/* An option as help, man pages and completions show it. */
enum { DV_OPTION_TEXT_SIZE = 2048 };
typedef struct dv_option_text {
    const char *name, *value;       /* "epochs", "N"; value is "" if the option takes none */
    char letter;                    /* its short form, or '\0' */
    char help[DV_OPTION_TEXT_SIZE]; /* "passes over the data (train.epochs; 1 to 9; default 1)" */
    const char *key;       /* key of the configuration; NULL for an own option; "" for --set */
    const dv_field *field; /* NULL if none is known */
} dv_option_text;

/* Visits all options of a command: its own, those of all commands, and those that stand for keys of
   the configuration. */
typedef void dv_option_visit(void *user, const dv_option_text *option);
void dv_options_visit(const dv_options *options, dv_option_visit *visit, void *user);

/* Prints the text of `decavox COMMAND --help`. */
void dv_options_help(FILE *out, const dv_options *options);

/*
 * Prints the reference of a section (NULL for the top of a configuration) as the YAML that sets its
 * defaults; required keys are commented out:
 *
 *     train:
 *       epochs: 100            # passes over the data (1 to 100000)
 *       optimizer: adamw       # update rule (sgd | adam | adamw)
 */
void dv_fields_help(FILE *out, const char *section, const dv_field *fields);

#endif
