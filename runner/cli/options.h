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
 *     static const dv_options options = {"train", "[CONFIG]", "Trains a model.", 0, 1, fields,
 *                                        settings};
 *     DV_TRY(dv_options_parse(&options, argc - 2, argv + 2, &record, &arguments));
 *     ...
 *     DV_TRY_GOTO(dv_tree_merge(configuration, arguments.overrides));
 *
 * Written `--name value`, `--name=value`, `--flag` and `--flag=false`; '-' and '_' in a name are
 * the same, the last one given counts, `--` ends the options. A DV_FIELD_TREE option may be
 * repeated and gets a list of all its values. With settings there is also `--set key=value` for
 * any key of the configuration.
 *
 * A list or a map is written as YAML has it in one line, behind --set and behind the option of the
 * key: `--class_weights [1,2]`. Where the key takes one value alone (options->field_of), a text
 * that begins with [ or { is that value. Behind --set a text in quotes is YAML, too. `--help` and
 * `-h` are always there.
 */
#ifndef DV_CLI_OPTIONS_H
#define DV_CLI_OPTIONS_H

#include "runner/experiment/setting.h"

/* The value goes to `path` in the configuration; a range error later names the option. */
typedef struct dv_setting {
    const char *option; /* name with underscores; NULL ends the table */
    const char *path;   /* "train.epochs" */
    const char *flag;   /* the value of the option given alone; NULL: a value must follow */
    const char *help;
} dv_setting;

typedef struct dv_options {
    const char *command;  /* for the help: "train" */
    const char *operands; /* for the help: "CONFIG [CLIP...]"; "" for none */
    const char *summary;  /* for the help: a sentence */
    /* For the help, below the summary: names (NULL-terminated) and what each means; NULL: none. */
    const char *const *terms, *const *meanings;
    size_t least, most;         /* positional arguments */
    const dv_field *fields;     /* own options, DV_END-terminated; NULL: none */
    const dv_setting *settings; /* NULL: none, and no --set */
    /* The field at a path of the configuration, or NULL: it takes a list or a map, too. */
    dv_field_of field_of;       /* NULL: none is known */
    const char *const *refused; /* names of settings that the command refuses, and its help leaves
                                   out, NULL-terminated; NULL: none */
    const char *program;        /* for the help; NULL: decavox */
    bool checkpoint;            /* the first operand is one, by its path or its name */
} dv_options;

typedef struct dv_arguments {
    bool help;          /* asked for: nothing else was checked and the record is not filled */
    dv_tree *overrides; /* DV_TREE_MAP to be merged over the configuration; owned */
    dv_tree *given;     /* DV_TREE_MAP of the own options: DV_FIELD_TREE values live here; owned */
    const char **operands; /* positional arguments; the array is owned, the texts are argv's */
    size_t count;
    char *file; /* the path that the first operand became, see dv_command_begin; owned */
} dv_arguments;

/*
 * Reads argv (argc), the arguments behind the command's name. `record` belongs to
 * options->fields and may be NULL where there are none. DV_EARG names the option: unknown (with
 * the nearest), without value, of wrong type, out of range, missing; too few or too many operands.
 * *out is to be freed after success; on failure it is empty.
 */
dv_status dv_options_parse(const dv_options *options, int argc, char *const argv[], void *record,
                           dv_arguments *out);
void dv_arguments_free(dv_arguments *arguments);

#endif
