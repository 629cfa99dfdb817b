/*
 * The command line of one subcommand, driven by tables: its own options are a field table
 * (engine/base/field.h) that fills a record, and "settings" are options that stand for a key of the
 * configuration.
 *
 *     static const dv_field fields[] = {DV_INT(train_options, runs, "1", 1, 100, "..."), DV_END};
 *     static const dv_setting settings[] = {
 *         {"epochs", "train.epochs", NULL, "passes over the data"},
 *         {"mixed_precision", "train.mixed_precision", "true", "FP16 where it is safe"},
 *         {NULL, NULL, NULL, NULL},
 *     };
 *     static const dv_options options = {.command = "train", .operands = "[CONFIG]", .most = 1,
 *                                        .fields = fields, .settings = settings};
 *     DV_TRY(dv_options_parse(&options, argc - 2, argv + 2, &record, &arguments));
 *     ...
 *     DV_TRY_GOTO(dv_tree_merge(configuration, arguments.overrides));
 *
 * An option is written `--name value`, `--name=value`, `--flag` or `--flag=false`. '-' and '_' in a
 * name are the same, the last value given counts, and `--` ends the options. A DV_FIELD_TREE option
 * may be repeated and gets a list of all its values. With settings there is also `--set key=value`
 * for any key of the configuration.
 *
 * Usual short forms stand for the long names that a command has: -d data, -f force, -h help, -j
 * jobs or workers, -o out or output, -q quiet, -s set, -t threads, -v verbose. A value follows its
 * letter,
 * `-o FILE` or `-oFILE`, and letters without a value may be written together, `-fq`.
 *
 * A list or a map is written as YAML in one line, behind --set and behind the option of the key:
 * `--class_weights [1,2]`. Where the key takes one value alone (options->field_of), a text that
 * begins with [ or { is that value. Behind --set a text in quotes is YAML, too.
 */
#ifndef DV_CLI_OPTIONS_H
#define DV_CLI_OPTIONS_H

#include "runner/experiment/setting.h"

/* The value goes to `path` in the configuration; a range error later names the option. */
typedef struct dv_setting {
    const char *option; /* name with underscores; NULL ends the table */
    const char *path;   /* "train.epochs" */
    const char *flag;   /* the value of the option given alone; NULL if a value must follow */
    const char *help;
} dv_setting;

typedef struct dv_options {
    const char *command;         /* "train" */
    const char *brief;           /* half a sentence for lists of commands: "trains a model" */
    const char *operands;        /* "CONFIG [CLIP...]"; "" for none */
    const char *summary;         /* paragraphs; the help breaks their lines */
    const char *const *examples; /* command lines, NULL-terminated; NULL for none */
    /* Names (NULL-terminated) with their meanings, which follow the summary; NULL for none. */
    const char *const *terms, *const *meanings;
    size_t least, most;         /* number of operands */
    const dv_field *fields;     /* own options, DV_END-terminated; NULL for none */
    const dv_setting *settings; /* NULL if there are none, and no --set */
    /* Gives the field at a path of the configuration. NULL if no field is known. */
    dv_field_of field_of;
    /* Names of settings that the command refuses and its help leaves out, NULL-terminated; NULL for
       none. */
    const char *const *refused;
    const char *program; /* for the help; NULL for decavox */
    bool checkpoint;     /* the first operand is one, by its path or its name */
} dv_options;

/* How much a command tells beside its results: warnings; progress and notes; details. */
typedef enum dv_verbosity { DV_QUIET = -1, DV_NORMAL, DV_VERBOSE } dv_verbosity;

typedef struct dv_arguments {
    bool help; /* asked for; then nothing else was checked and the record is not filled */
    dv_verbosity verbosity;
    dv_tree *overrides; /* DV_TREE_MAP to be merged over the configuration; owned */
    dv_tree *given; /* DV_TREE_MAP of the own options, which holds DV_FIELD_TREE values; owned */
    const char **operands; /* positional arguments; the array is owned, the texts are argv's */
    size_t count;
    char *file; /* the path that the first operand became, see dv_command_begin; owned */
} dv_arguments;

/* The options that every command of decavox has: help, quiet, verbose. DV_END ends them. */
extern const dv_field dv_common_options[];

/* The letter of the short form of an option, or '\0'. */
char dv_option_letter(const char *name);

/*
 * Reads argv (argc), the arguments behind the command's name. `record` belongs to
 * options->fields and may be NULL where there are none. DV_EARG names the option that is unknown
 * (with the nearest name), without value, of wrong type, out of range or missing, or the operand
 * that is missing or too much. *out is to be freed after success; on failure it is empty.
 */
dv_status dv_options_parse(const dv_options *options, int argc, char *const argv[], void *record,
                           dv_arguments *out);
void dv_arguments_free(dv_arguments *arguments);

#endif
