/* Prints help from the tables of options and fields. */
#include "runner/cli/help.h"

#include <string.h>

enum { OPTION_COLUMN = 30, VALUE_COLUMN = 32, DOMAIN_SIZE = 512 };

/* What a field takes, in words: its range, its choices or its type; "" where that says nothing. */
static void describe_domain(const dv_field *field, char text[DOMAIN_SIZE])
{
    text[0] = '\0';
    switch (field->kind) {
    case DV_FIELD_INT:
    case DV_FIELD_FLOAT:
    case DV_FIELD_PAIR: {
        char range[DV_RANGE_SIZE];
        dv_field_range(field, range);
        snprintf(text, DOMAIN_SIZE, "%s%s", range,
                 field->kind == DV_FIELD_PAIR ? ", one number or [a, b]" : "");
        break;
    }
    case DV_FIELD_BOOL:
        snprintf(text, DOMAIN_SIZE, "true | false");
        break;
    case DV_FIELD_ENUM:
        for (int i = 0; field->choices[i] != NULL; i++) {
            size_t length = strlen(text);
            snprintf(text + length, DOMAIN_SIZE - length, "%s%s", i > 0 ? " | " : "",
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
        return " N";
    case DV_FIELD_FLOAT:
        return " X";
    case DV_FIELD_ENUM:
        return " NAME";
    case DV_FIELD_PAIR:
        return " N";
    default:
        return " TEXT";
    }
}

static void print_option(FILE *out, const char *name, const char *value, const char *help)
{
    int width = (int)(strlen(name) + strlen(value)) + 4;
    fprintf(out, "  --%s%s", name, value);
    if (width >= OPTION_COLUMN) {
        fputc('\n', out);
        width = 0;
    }
    fprintf(out, "%*s%s\n", OPTION_COLUMN - width, "", help);
}

static void print_field_option(FILE *out, const dv_field *field)
{
    char domain[DOMAIN_SIZE] = "", text[2 * DOMAIN_SIZE], fallback[DV_STRING_SIZE] = "";
    if (field->kind != DV_FIELD_BOOL)
        describe_domain(field, domain);
    if (field->kind == DV_FIELD_TREE)
        snprintf(fallback, sizeof fallback, "may be repeated");
    else if (field->fallback == NULL)
        snprintf(fallback, sizeof fallback, "required");
    else if (*field->fallback != '\0' && strcmp(field->fallback, "false") != 0)
        snprintf(fallback, sizeof fallback, "default %.200s", field->fallback);
    bool details = *domain != '\0' || *fallback != '\0';
    snprintf(text, sizeof text, "%s%s%s%s%s%s", field->help, details ? " (" : "", domain,
             *domain != '\0' && *fallback != '\0' ? "; " : "", fallback, details ? ")" : "");
    print_option(out, field->key, value_name(field), text);
}

static bool is_refused(const dv_options *options, const char *name)
{
    for (const char *const *refused = options->refused; refused != NULL && *refused != NULL;
         refused++)
        if (strcmp(*refused, name) == 0)
            return true;
    return false;
}

static void print_settings(FILE *out, const dv_options *options)
{
    fprintf(out, "\nOptions that stand for a key of the configuration:\n");
    for (const dv_setting *s = options->settings; s->option != NULL; s++) {
        char text[DOMAIN_SIZE];
        if (is_refused(options, s->option))
            continue;
        snprintf(text, sizeof text, "%s (%s)", s->help, s->path);
        print_option(out, s->option, s->flag != NULL ? "" : " VALUE", text);
    }
    print_option(out, "set", " KEY=VALUE", "any key, for example train.epochs=10; may be repeated");
}

const char dv_exit_codes_text[] =
    "Exit codes:\n"
    "  0        the command is done\n"
    "  1        data, files or the machine do not allow it, or the answer is no\n"
    "  2        the command line or the configuration is wrong\n"
    "  128 + N  signal N has ended the command\n";

/* A name, and beside it in a column of its own what it means. */
static void print_term(FILE *out, const char *name, const char *meaning)
{
    enum { NAMES = 14, TEXT = 76 };
    int column = fprintf(out, "  %-*s", NAMES - 2, name);
    while (*meaning != '\0') {
        int length = (int)strcspn(meaning, " ");
        if (column > NAMES && column + 1 + length > NAMES + TEXT)
            column = fprintf(out, "\n%*s", NAMES, "") - 1;
        column += fprintf(out, "%s%.*s", column > NAMES ? " " : "", length, meaning);
        meaning += length + (int)strspn(meaning + length, " ");
    }
    fputc('\n', out);
}

void dv_options_help(FILE *out, const dv_options *options)
{
    fprintf(out, "Usage: %s %s [options]%s%s\n\n%s\n\n",
            options->program != NULL ? options->program : "decavox", options->command,
            *options->operands != '\0' ? " " : "", options->operands, options->summary);
    for (int i = 0; options->terms != NULL && options->terms[i] != NULL; i++)
        print_term(out, options->terms[i], options->meanings[i]);
    fprintf(out, "%sOptions:\n", options->terms != NULL ? "\n" : "");
    for (const dv_field *f = options->fields; f != NULL && f->kind != DV_FIELD_END; f++)
        print_field_option(out, f);
    print_option(out, "help", "", "this text");
    if (options->settings != NULL)
        print_settings(out, options);
    fprintf(out, "\n%s", dv_exit_codes_text);
}

/* The default as YAML. */
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
    fprintf(out, "%s:\n", section);
    for (const dv_field *field = fields; field->kind != DV_FIELD_END; field++) {
        char domain[DOMAIN_SIZE], value[DV_STRING_SIZE];
        describe_domain(field, domain);
        format_default(field, value);
        bool is_set = field->fallback != NULL && field->kind != DV_FIELD_TREE;
        int width = fprintf(out, "  %s%s:%s%s", is_set ? "" : "# ", field->key,
                            *value != '\0' ? " " : "", value);
        fprintf(out, "%*s # %s%s%s%s\n", width < VALUE_COLUMN ? VALUE_COLUMN - width : 0, "",
                field->fallback == NULL ? "required, " : "", domain, *domain != '\0' ? ": " : "",
                field->help);
    }
}
