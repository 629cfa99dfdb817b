/* Prints help from the tables of options and fields. */
#include "runner/cli/help.h"
#include "runner/experiment/experiment.h"

#include <string.h>

enum { WIDTH = 80, OPTION_COLUMN = 26, VALUE_COLUMN = 32, DETAILS_SIZE = 1024 };

/* Texts that do not fit are cut off; the longest list of choices fits. */
void dv_field_domain(const dv_field *field, char text[DV_DOMAIN_SIZE])
{
    text[0] = '\0';
    switch (field->kind) {
    case DV_FIELD_INT:
    case DV_FIELD_FLOAT:
    case DV_FIELD_PAIR: {
        char range[DV_RANGE_SIZE];
        dv_field_range(field, range);
        snprintf(text, DV_DOMAIN_SIZE, "%s%s", range,
                 field->kind == DV_FIELD_PAIR ? ", one number or [a, b]" : "");
        break;
    }
    case DV_FIELD_BOOL:
        snprintf(text, DV_DOMAIN_SIZE, "true | false");
        break;
    case DV_FIELD_ENUM:
        for (int i = 0; field->choices[i] != NULL; i++) {
            size_t length = strlen(text);
            snprintf(text + length, DV_DOMAIN_SIZE - length, "%s%s", i > 0 ? " | " : "",
                     field->choices[i]);
        }
        break;
    default:
        break;
    }
}

static const char *value_name(const dv_field *field)
{
    switch (field->kind) {
    case DV_FIELD_BOOL:
        return "";
    case DV_FIELD_INT:
    case DV_FIELD_PAIR:
        return "N";
    case DV_FIELD_FLOAT:
        return "X";
    case DV_FIELD_ENUM:
        return "NAME";
    case DV_FIELD_PATH:
        return "PATH";
    case DV_FIELD_TREE:
        return "VALUE";
    default:
        return "TEXT";
    }
}

/* ---- One option in words ---- */

/* Gives the text in brackets behind the help, "0 to 10; default 3", or "". `key` is the key of the
   configuration, NULL for an own option. */
static void put_details(const dv_field *field, const char *key, char text[DETAILS_SIZE])
{
    char domain[DV_DOMAIN_SIZE] = "", fallback[DV_STRING_SIZE] = "";
    if (field != NULL && field->kind != DV_FIELD_BOOL)
        dv_field_domain(field, domain);
    bool is_own_list = field != NULL && field->kind == DV_FIELD_TREE && key == NULL;
    if (is_own_list)
        snprintf(fallback, sizeof fallback, "may be repeated");
    else if (field != NULL && field->fallback == NULL)
        snprintf(fallback, sizeof fallback, "required");
    else if (field != NULL && *field->fallback != '\0' && strcmp(field->fallback, "false") != 0)
        snprintf(fallback, sizeof fallback, "default %.200s", field->fallback);
    const char *const parts[] = {key != NULL ? key : "", domain, fallback};
    size_t length = 0;
    text[0] = '\0';
    for (int i = 0; i < 3 && length < DETAILS_SIZE; i++)
        if (*parts[i] != '\0')
            length += (size_t)snprintf(text + length, DETAILS_SIZE - length, "%s%s",
                                       length > 0 ? "; " : "", parts[i]);
}

static void describe(const char *name, const char *value, const char *help, const char *details,
                     dv_option_text *out)
{
    out->name = name;
    out->letter = dv_option_letter(name);
    out->value = value;
    bool has_details = *details != '\0';
    snprintf(out->help, sizeof out->help, "%s%s%s%s", help, has_details ? " (" : "", details,
             has_details ? ")" : "");
}

static bool is_refused(const dv_options *options, const char *name)
{
    for (const char *const *refused = options->refused; refused != NULL && *refused != NULL;
         refused++)
        if (strcmp(*refused, name) == 0)
            return true;
    return false;
}

/* Visits `fields` except those whose names are in `taken` (NULL for none). */
static void visit_fields(const dv_field *fields, const dv_field *taken, dv_option_visit *visit,
                         void *user)
{
    char details[DETAILS_SIZE];
    for (const dv_field *f = fields; f != NULL && f->kind != DV_FIELD_END; f++) {
        dv_option_text text = {.field = f};
        if (taken != NULL && dv_fields_find(taken, f->key) != NULL)
            continue;
        put_details(f, NULL, details);
        describe(f->key, value_name(f), f->help, details, &text);
        visit(user, &text);
    }
}

static void visit_settings(const dv_options *options, dv_option_visit *visit, void *user)
{
    char details[DETAILS_SIZE];
    for (const dv_setting *s = options->settings; s != NULL && s->option != NULL; s++) {
        const dv_field *field = options->field_of != NULL ? options->field_of(s->path) : NULL;
        dv_option_text text = {.field = field, .key = s->path};
        if (is_refused(options, s->option))
            continue;
        const char *value = field != NULL ? value_name(field) : "VALUE";
        put_details(field, s->path, details);
        describe(s->option, s->flag != NULL ? "" : value, s->help, details, &text);
        visit(user, &text);
    }
}

void dv_options_visit(const dv_options *options, dv_option_visit *visit, void *user)
{
    visit_fields(options->fields, NULL, visit, user);
    visit_fields(dv_common_options, options->fields, visit, user);
    visit_settings(options, visit, user);
    if (options->settings != NULL) {
        dv_option_text text = {.key = ""};
        describe("set", "KEY=VALUE",
                 "set any key of the configuration, for example train.epochs=10; may be repeated",
                 "", &text);
        visit(user, &text);
    }
}

/* ---- The help of a command ---- */

/* Prints `text` in lines of WIDTH that begin in `column`. The first one begins in the present
   column `at`, if that is further right. A newline in the text stays. */
static void wrap(FILE *out, const char *text, int at, int column)
{
    int begins = at < column ? column : at;
    fprintf(out, "%*s", begins - at, "");
    at = begins;
    while (*text != '\0') {
        int length = (int)strcspn(text, " \n");
        if (at > begins && at + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", column, "");
            at = begins = column;
        }
        at += fprintf(out, "%s%.*s", at > begins ? " " : "", length, text);
        text += length;
        for (; *text == '\n'; text++) {
            fprintf(out, "\n%*s", text[1] != '\n' ? column : 0, "");
            at = begins = column;
        }
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const dv_option_text *option)
{
    int width =
        option->letter != '\0' ? fprintf(out, "  -%c, ", option->letter) : fprintf(out, "      ");
    width +=
        fprintf(out, "--%s%s%s", option->name, *option->value != '\0' ? " " : "", option->value);
    if (width + 2 > OPTION_COLUMN) {
        fputc('\n', out);
        width = 0;
    }
    wrap(out, option->help, width, OPTION_COLUMN);
}

typedef struct printed_options {
    FILE *out;
    bool of_keys; /* those that stand for a key, or the others */
} printed_options;

static void print_visited(void *user, const dv_option_text *option)
{
    const printed_options *printed = user;
    if ((option->key != NULL) == printed->of_keys)
        print_option(printed->out, option);
}

/* Prints the keys of each section, for --set. */
static void print_keys(FILE *out)
{
    fprintf(out, "\nKeys for --set ('decavox info --config' explains each):\n");
    for (const dv_section *section = dv_sections; section->name != NULL; section++) {
        char keys[DV_OPTION_TEXT_SIZE];
        size_t length = 0;
        for (const dv_field *f = section->fields; f->kind != DV_FIELD_END && length < sizeof keys;
             f++)
            length += (size_t)snprintf(keys + length, sizeof keys - length, "%s%s",
                                       length > 0 ? " " : "", f->key);
        int at = fprintf(out, "  %s.", section->name);
        wrap(out, keys, at, 12);
    }
}

const char dv_exit_codes_text[] =
    "Exit codes:\n"
    "  0        the command is done\n"
    "  1        data, files or the machine do not allow it, or the answer is no\n"
    "  2        the command line or the configuration is wrong\n"
    "  128 + N  signal N has ended the command\n";

/* Prints usage, summary, terms, examples, options, and the keys of the configuration. */
void dv_options_help(FILE *out, const dv_options *options)
{
    enum { TERM_COLUMN = 14 };
    const char *program = options->program != NULL ? options->program : "decavox";
    printed_options own = {out, false}, keys = {out, true};
    fprintf(out, "Usage: %s %s [options]%s%s\n\n", program, options->command,
            *options->operands != '\0' ? " " : "", options->operands);
    wrap(out, options->summary, 0, 0);
    for (int i = 0; options->terms != NULL && options->terms[i] != NULL; i++) {
        int at = fprintf(out, "%s  %s", i == 0 ? "\n" : "", options->terms[i]);
        wrap(out, options->meanings[i], i == 0 ? at - 1 : at, TERM_COLUMN);
    }
    if (options->examples != NULL)
        fprintf(out, "\nExamples:\n");
    for (int i = 0; options->examples != NULL && options->examples[i] != NULL; i++)
        fprintf(out, "  %s\n", options->examples[i]);
    fprintf(out, "\nOptions:\n");
    dv_options_visit(options, print_visited, &own);
    if (options->settings != NULL) {
        fprintf(out, "\nOptions that stand for a key of the configuration:\n");
        dv_options_visit(options, print_visited, &keys);
        print_keys(out);
    }
    fprintf(out, "\n%s", dv_exit_codes_text);
}

/* ---- The reference of a section ---- */

/* Gives the default as YAML. */
static void format_default(const dv_field *field, char text[DV_STRING_SIZE])
{
    const char *fallback = field->fallback != NULL ? field->fallback : "";
    bool is_pair = field->kind == DV_FIELD_PAIR && strchr(fallback, ',') != NULL;
    if ((field->kind == DV_FIELD_STRING || field->kind == DV_FIELD_PATH) && field->fallback != NULL)
        snprintf(text, DV_STRING_SIZE, "\"%.200s\"", fallback);
    else
        snprintf(text, DV_STRING_SIZE, is_pair ? "[%.200s]" : "%.200s", fallback);
}

void dv_fields_help(FILE *out, const char *section, const dv_field *fields)
{
    const char *indent = section != NULL ? "  " : "";
    if (section != NULL)
        fprintf(out, "%s:\n", section);
    for (const dv_field *field = fields; field->kind != DV_FIELD_END; field++) {
        char domain[DV_DOMAIN_SIZE], value[DV_STRING_SIZE];
        dv_field_domain(field, domain);
        format_default(field, value);
        bool is_set = field->fallback != NULL && field->kind != DV_FIELD_TREE;
        int width = fprintf(out, "%s%s%s:%s%s", indent, is_set ? "" : "# ", field->key,
                            *value != '\0' ? " " : "", value);
        fprintf(out, "%*s # %s", width < VALUE_COLUMN ? VALUE_COLUMN - width : 0, "", field->help);
        if (*domain != '\0' || field->fallback == NULL)
            fprintf(out, " (%s%s%s)", domain,
                    *domain != '\0' && field->fallback == NULL ? "; " : "",
                    field->fallback == NULL ? "required" : "");
        fputc('\n', out);
    }
}
