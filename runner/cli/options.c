/* Parses the arguments of a command by its tables. */
#include "runner/cli/options.h"

#include "engine/base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_SIZE = 64, SOURCE_SIZE = 128, MAX_NAMES = 256 };

/* What an option turned out to be: one of the two, or neither for --set. */
typedef struct target {
    const dv_field *field;
    const dv_setting *setting;
} target;

/* One argument `--name[=value]` taken apart; `name` with underscores. */
typedef struct option {
    char name[OPTION_SIZE];
    const char *value; /* NULL: none behind '=' */
} option;

static dv_status split(const char *argument, option *out)
{
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    if (argument[1] != '-' || length == 0 || length >= OPTION_SIZE)
        return DV_FAIL(DV_EARG, "unknown option '%.80s'", argument);
    for (size_t i = 0; i < length; i++)
        out->name[i] = name[i] == '-' ? '_' : name[i];
    out->name[length] = '\0';
    out->value = equals != NULL ? equals + 1 : NULL;
    return DV_OK;
}

static dv_status fail_unknown(const dv_options *options, const char *name)
{
    const char *names[MAX_NAMES] = {"help"};
    size_t count = 1;
    for (const dv_field *f = options->fields; f != NULL && f->kind != DV_FIELD_END; f++)
        if (count < MAX_NAMES)
            names[count++] = f->key;
    for (const dv_setting *s = options->settings; s != NULL && s->option != NULL; s++)
        if (count < MAX_NAMES)
            names[count++] = s->option;
    const char *near = dv_nearest(name, names, count);
    if (near != NULL)
        return DV_FAIL(DV_EARG, "unknown option '--%s', did you mean '--%s'?", name, near);
    return DV_FAIL(DV_EARG, "unknown option '--%s', see 'decavox %s --help'", name,
                   options->command);
}

static dv_status find_target(const dv_options *options, const char *name, target *out)
{
    *out = (target){NULL, NULL};
    if (options->fields != NULL)
        out->field = dv_fields_find(options->fields, name);
    if (out->field != NULL)
        return DV_OK;
    for (const dv_setting *s = options->settings; s != NULL && s->option != NULL; s++) {
        if (strcmp(s->option, name) == 0) {
            out->setting = s;
            return DV_OK;
        }
    }
    return options->settings != NULL && strcmp(name, "set") == 0 ? DV_OK
                                                                 : fail_unknown(options, name);
}

/* The value of an option that was given alone, or NULL where one must follow. */
static const char *value_alone(const target *to)
{
    if (to->field != NULL)
        return to->field->kind == DV_FIELD_BOOL ? "true" : NULL;
    return to->setting != NULL ? to->setting->flag : NULL;
}

/* The list of a repeatable option, made with its first value. */
static dv_status list_of(dv_tree *given, const char *key, dv_tree **out)
{
    size_t i = 0;
    while (i < given->count && strcmp(given->children[i]->key, key) != 0)
        i++;
    if (i == given->count) {
        dv_tree *list;
        DV_TRY(dv_tree_new(DV_TREE_LIST, NULL, 0, &list));
        DV_TRY(dv_tree_append(given, key, list));
    }
    *out = given->children[i];
    return DV_OK;
}

static dv_status take_field(dv_arguments *out, const dv_field *field, const char *value)
{
    dv_tree *list = NULL, *node;
    if (field->kind == DV_FIELD_TREE)
        DV_TRY(list_of(out->given, field->key, &list));
    DV_TRY(dv_tree_new_scalar(value, NULL, 0, &node));
    return list != NULL ? dv_tree_append(list, NULL, node)
                        : dv_tree_set(out->given, field->key, node);
}

static dv_status take_setting(const dv_options *options, dv_arguments *out,
                              const dv_setting *setting, const char *value)
{
    char source[SOURCE_SIZE];
    snprintf(source, sizeof source, "--%s", setting->option);
    return dv_setting_lay(setting->path, value, options->field_of, source, out->overrides);
}

static bool asks_for_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

/* Takes the option at argv[*i] and moves *i to its last argument. */
static dv_status take_option(const dv_options *options, int argc, char *const argv[], int *i,
                             dv_arguments *out)
{
    option given;
    target to;
    DV_TRY(split(argv[*i], &given));
    DV_TRY(find_target(options, given.name, &to));
    const char *value = given.value != NULL ? given.value : value_alone(&to);
    if (value == NULL) {
        bool follows = *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0;
        if (!follows)
            return DV_FAIL(DV_EARG, "--%s: a value must follow", given.name);
        value = argv[++*i];
    }
    if (to.field != NULL)
        return take_field(out, to.field, value);
    dv_status status = to.setting != NULL
                           ? take_setting(options, out, to.setting, value)
                           : dv_setting_take(value, options->field_of, "--set", out->overrides);
    return status == DV_ECONFIG ? DV_EARG : status;
}

static dv_status take_arguments(const dv_options *options, int argc, char *const argv[],
                                dv_arguments *out)
{
    bool options_ended = false;
    for (int i = 0; i < argc; i++) {
        bool is_option = !options_ended && argv[i][0] == '-' && argv[i][1] != '\0';
        if (is_option && strcmp(argv[i], "--") == 0) {
            options_ended = true;
        } else if (is_option && asks_for_help(argv[i])) {
            out->help = true;
            return DV_OK;
        } else if (is_option) {
            DV_TRY(take_option(options, argc, argv, &i, out));
        } else {
            out->operands[out->count++] = argv[i];
        }
    }
    return DV_OK;
}

static dv_status check(const dv_options *options, const dv_arguments *arguments, void *record)
{
    if (arguments->count < options->least)
        return DV_FAIL(DV_EARG, "%s: %zu arguments, at least %zu needed: %s", options->command,
                       arguments->count, options->least, options->operands);
    if (arguments->count > options->most)
        return DV_FAIL(DV_EARG, "%s: unexpected argument '%.80s'", options->command,
                       arguments->operands[options->most]);
    if (options->fields == NULL)
        return DV_OK;
    dv_status status = dv_fields_read(options->fields, arguments->given, NULL, record);
    if (status == DV_ECONFIG) /* the message begins with the key */
        return DV_FAIL(DV_EARG, "--%s", dv_error_message());
    return status;
}

dv_status dv_options_parse(const dv_options *options, int argc, char *const argv[], void *record,
                           dv_arguments *out)
{
    dv_status status;
    *out = (dv_arguments){.help = false};
    DV_TRY_GOTO(dv_tree_new(DV_TREE_MAP, NULL, 0, &out->overrides));
    DV_TRY_GOTO(dv_tree_new(DV_TREE_MAP, NULL, 0, &out->given));
    DV_TRY_GOTO(dv_calloc((size_t)argc, sizeof *out->operands, &out->operands));
    DV_TRY_GOTO(take_arguments(options, argc, argv, out));
    if (!out->help)
        DV_TRY_GOTO(check(options, out, record));
    return DV_OK;
fail:
    dv_arguments_free(out);
    return status;
}

void dv_arguments_free(dv_arguments *arguments)
{
    dv_tree_free(arguments->overrides);
    dv_tree_free(arguments->given);
    free(arguments->file);
    free(arguments->operands);
    *arguments = (dv_arguments){.help = false};
}
