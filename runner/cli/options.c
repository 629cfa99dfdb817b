/* Parses the arguments of a command by its tables. */
#include "runner/cli/options.h"

#include "engine/base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_SIZE = 64, SOURCE_SIZE = 128, MAX_NAMES = 256 };

/* The entry of a table that an option stands for; none for --set. */
typedef struct target {
    const dv_field *field, *common;
    const dv_setting *setting;
} target;

/* One argument `--name[=value]` taken apart; `name` with underscores. */
typedef struct option {
    char name[OPTION_SIZE];
    const char *value; /* NULL if there is none behind '=' */
} option;

typedef struct common_options {
    bool help, quiet, verbose;
} common_options;

const dv_field dv_common_options[] = {
    DV_BOOL(common_options, help, "false", "print this text"),
    DV_BOOL(common_options, quiet, "false",
            "print no progress and no notes; results, warnings and errors stay"),
    DV_BOOL(common_options, verbose, "false", "print details, such as why a device was chosen"),
    DV_END,
};

/* A command has at most one of two names with the same letter. */
static const struct {
    char letter;
    const char *name;
} letters[] = {
    {'d', "data"},    {'f', "force"},   {'h', "help"},    {'j', "jobs"},
    {'j', "workers"}, {'o', "out"},     {'o', "output"},  {'q', "quiet"},
    {'s', "set"},     {'t', "threads"}, {'v', "verbose"},
};

enum { LETTERS = sizeof letters / sizeof letters[0] };

char dv_option_letter(const char *name)
{
    for (int i = 0; i < LETTERS; i++)
        if (strcmp(letters[i].name, name) == 0)
            return letters[i].letter;
    return '\0';
}

static dv_status split(const char *argument, option *out)
{
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    if (length == 0 || length >= OPTION_SIZE)
        return DV_FAIL(DV_EARG, "unknown option '%.80s'", argument);
    for (size_t i = 0; i < length; i++)
        out->name[i] = name[i] == '-' ? '_' : name[i];
    out->name[length] = '\0';
    out->value = equals != NULL ? equals + 1 : NULL;
    return DV_OK;
}

static dv_status fail_unknown(const dv_options *options, const char *name)
{
    const char *names[MAX_NAMES] = {"help", "quiet", "verbose", "set"};
    size_t count = options->settings != NULL ? 4 : 3;
    for (const dv_field *f = options->fields; f != NULL && f->kind != DV_FIELD_END; f++)
        if (count < MAX_NAMES)
            names[count++] = f->key;
    for (const dv_setting *s = options->settings; s != NULL && s->option != NULL; s++)
        if (count < MAX_NAMES)
            names[count++] = s->option;
    const char *near = dv_nearest(name, names, count);
    if (near != NULL)
        return DV_FAIL(DV_EARG, "unknown option '--%s', did you mean '--%s'?", name, near);
    return DV_FAIL(DV_EARG, "unknown option '--%s'", name);
}

/* Finds the option of this name. Own options go before those of all commands. */
static bool find_target(const dv_options *options, const char *name, target *out)
{
    *out = (target){NULL, NULL, NULL};
    if (options->fields != NULL)
        out->field = dv_fields_find(options->fields, name);
    if (out->field != NULL)
        return true;
    out->common = dv_fields_find(dv_common_options, name);
    if (out->common != NULL)
        return true;
    for (const dv_setting *s = options->settings; s != NULL && s->option != NULL; s++) {
        if (strcmp(s->option, name) == 0) {
            out->setting = s;
            return true;
        }
    }
    return options->settings != NULL && strcmp(name, "set") == 0;
}

/* Gives the value of an option that stands alone, or NULL if a value must follow. */
static const char *value_alone(const target *to)
{
    const dv_field *field = to->field != NULL ? to->field : to->common;
    if (field != NULL)
        return field->kind == DV_FIELD_BOOL ? "true" : NULL;
    return to->setting != NULL ? to->setting->flag : NULL;
}

/* Gives the list of a repeatable option; the first value makes it. */
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

/* The last one of --quiet and --verbose counts, and false takes its own option back. */
static dv_status take_common(const dv_field *common, const char *value, dv_arguments *out)
{
    bool on = strcmp(value, "true") == 0;
    if (!on && strcmp(value, "false") != 0)
        return DV_FAIL(DV_EARG, "--%s: expected true or false, got '%.80s'", common->key, value);
    dv_verbosity named = strcmp(common->key, "quiet") == 0 ? DV_QUIET : DV_VERBOSE;
    if (strcmp(common->key, "help") == 0)
        out->help = on;
    else if (on)
        out->verbosity = named;
    else if (out->verbosity == named)
        out->verbosity = DV_NORMAL;
    return DV_OK;
}

static dv_status take_value(const dv_options *options, const target *to, const char *value,
                            dv_arguments *out)
{
    if (to->field != NULL)
        return take_field(out, to->field, value);
    if (to->common != NULL)
        return take_common(to->common, value, out);
    dv_status status = to->setting != NULL
                           ? take_setting(options, out, to->setting, value)
                           : dv_setting_take(value, options->field_of, "--set", out->overrides);
    return status == DV_ECONFIG ? DV_EARG : status;
}

/* Whether a value can follow argv[i]. A long option is none. */
static bool value_follows(int argc, char *const argv[], int i)
{
    return i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0;
}

/* Takes the option at argv[*i] and moves *i to its last argument. */
static dv_status take_option(const dv_options *options, int argc, char *const argv[], int *i,
                             dv_arguments *out)
{
    option given;
    target to;
    DV_TRY(split(argv[*i], &given));
    if (!find_target(options, given.name, &to))
        return fail_unknown(options, given.name);
    const char *value = given.value != NULL ? given.value : value_alone(&to);
    if (value == NULL && !value_follows(argc, argv, *i))
        return DV_FAIL(DV_EARG, "--%s: a value must follow", given.name);
    if (value == NULL)
        value = argv[++*i];
    return take_value(options, &to, value, out);
}

/* Finds the option of the command that the letter stands for. */
static bool find_letter(const dv_options *options, char letter, target *out)
{
    for (int i = 0; i < LETTERS; i++)
        if (letters[i].letter == letter && find_target(options, letters[i].name, out))
            return true;
    return false;
}

/* Takes the short options at argv[*i], "-q", "-fq", "-oFILE" or "-o FILE", and moves *i to their
   last argument. */
static dv_status take_letters(const dv_options *options, int argc, char *const argv[], int *i,
                              dv_arguments *out)
{
    for (const char *letter = argv[*i] + 1; *letter != '\0'; letter++) {
        target to;
        if (!find_letter(options, *letter, &to))
            return DV_FAIL(DV_EARG, "unknown option '-%c' in '%.80s'", *letter, argv[*i]);
        const char *value = value_alone(&to);
        if (value != NULL) {
            DV_TRY(take_value(options, &to, value, out));
            continue;
        }
        if (letter[1] == '\0' && !value_follows(argc, argv, *i))
            return DV_FAIL(DV_EARG, "-%c: a value must follow", *letter);
        return take_value(options, &to, letter[1] != '\0' ? letter + 1 : argv[++*i], out);
    }
    return DV_OK;
}

/* Takes all arguments, up to a --help. */
static dv_status take_arguments(const dv_options *options, int argc, char *const argv[],
                                dv_arguments *out)
{
    bool options_ended = false;
    for (int i = 0; i < argc && !out->help; i++) {
        bool is_option = !options_ended && argv[i][0] == '-' && argv[i][1] != '\0';
        if (is_option && strcmp(argv[i], "--") == 0)
            options_ended = true;
        else if (is_option)
            DV_TRY((argv[i][1] == '-' ? take_option : take_letters)(options, argc, argv, &i, out));
        else
            out->operands[out->count++] = argv[i];
    }
    return DV_OK;
}

/* Gives the operand at this index in "CONFIG [CLIP...]", or the last one. */
static void name_operand(const char *operands, size_t index, char name[OPTION_SIZE])
{
    for (; index > 0 && strchr(operands, ' ') != NULL; index--)
        operands = strchr(operands, ' ') + 1;
    snprintf(name, OPTION_SIZE, "%.*s", (int)strcspn(operands, " "), operands);
}

static dv_status check(const dv_options *options, const dv_arguments *arguments, void *record)
{
    char name[OPTION_SIZE];
    if (arguments->count < options->least) {
        name_operand(options->operands, arguments->count, name);
        return DV_FAIL(DV_EARG, "%s is missing: %s %s %s", name,
                       options->program != NULL ? options->program : "decavox", options->command,
                       options->operands);
    }
    if (arguments->count > options->most)
        return DV_FAIL(DV_EARG, "unexpected argument '%.80s'", arguments->operands[options->most]);
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
