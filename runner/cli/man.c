/* Prints manual pages. */
#include "runner/cli/man.h"

#include <string.h>

/* Prints text for troff. A '-' stays one, a '\' and quotes are shown, and a '.' or a quote at the
   beginning of a line is no order. A blank line begins a paragraph. */
static void put(FILE *out, const char *text)
{
    for (bool begins = true; *text != '\0'; text++) {
        if (begins && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        begins = *text == '\n';
        if (begins && text[1] == '\n')
            fputs("\n.PP", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '\'')
            fputs("\\(aq", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
    fputc('\n', out);
}

static void put_head(FILE *out, const char *name, const char *brief)
{
    fprintf(out, ".TH \"%s\" 1 \"\" \"decavox %s\" \"decavox\"\n.SH NAME\n", name, DV_VERSION);
    for (; *name != '\0'; name++)
        fprintf(out, "%s%c", *name == '-' ? "\\" : "", *name);
    fprintf(out, " \\- ");
    put(out, brief);
}

static void put_option(void *user, const dv_option_text *option)
{
    FILE *out = user;
    fprintf(out, ".TP\n");
    if (option->letter != '\0')
        fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
    fprintf(out, "\\fB\\-\\-%s\\fR", option->name);
    if (*option->value != '\0')
        fprintf(out, " \\fI%s\\fR", option->value);
    fputc('\n', out);
    put(out, option->help);
}

static void put_exit_codes(FILE *out)
{
    fprintf(out, ".SH EXIT STATUS\n.nf\n");
    put(out, strchr(dv_exit_codes_text, '\n') + 1);
    fprintf(out, ".fi\n");
}

/* Prints the page of one command. */
static void put_command(FILE *out, const dv_options *options)
{
    char name[64];
    snprintf(name, sizeof name, "decavox-%s", options->command);
    put_head(out, name, options->brief);
    fprintf(out, ".SH SYNOPSIS\n.B decavox %s\n[options] %s\n.SH DESCRIPTION\n", options->command,
            options->operands);
    put(out, options->summary);
    for (int i = 0; options->terms != NULL && options->terms[i] != NULL; i++) {
        fprintf(out, ".TP\n.B %s\n", options->terms[i]);
        put(out, options->meanings[i]);
    }
    fprintf(out, ".SH OPTIONS\n");
    dv_options_visit(options, put_option, out);
    if (options->examples != NULL)
        fprintf(out, ".SH EXAMPLES\n.nf\n");
    for (int i = 0; options->examples != NULL && options->examples[i] != NULL; i++)
        put(out, options->examples[i]);
    if (options->examples != NULL)
        fprintf(out, ".fi\n");
    put_exit_codes(out);
    fprintf(out, ".SH SEE ALSO\n.BR decavox (1)\n");
}

static const struct {
    const char *name, *meaning;
} variables[] = {
    {"DECAVOX_HOME", "folder with the folders configs and checkpoints; it is searched first"},
    {"NO_COLOR", "if it is set to any text, messages on a terminal have no colours"},
    {"XDG_CACHE_HOME", "folder of caches; measurements and chosen algorithms are kept in its "
                       "folder decavox (default ~/.cache)"},
};

/* Prints the page of the program: its commands and the variables that it reads. */
static void put_program(FILE *out)
{
    put_head(out, "decavox",
             "trains, measures, exports and serves classifiers of short spoken words");
    fprintf(out, ".SH SYNOPSIS\n.B decavox\nCOMMAND [options] [arguments]\n.SH DESCRIPTION\n");
    put(out, "Each command has a page of its own, decavox-COMMAND(1), and --help.");
    for (int i = 0; dv_commands[i] != NULL; i++) {
        fprintf(out, ".TP\n.B %s\n", dv_commands[i]->options->command);
        put(out, dv_commands[i]->options->brief);
    }
    fprintf(out, ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        fprintf(out, ".TP\n.B %s\n", variables[i].name);
        put(out, variables[i].meaning);
    }
    put_exit_codes(out);
    fprintf(out, ".SH SEE ALSO\n");
    for (int i = 0; dv_commands[i] != NULL; i++)
        fprintf(out, ".BR decavox\\-%s (1)%s\n", dv_commands[i]->options->command,
                dv_commands[i + 1] != NULL ? "," : "");
}

void dv_man_print(FILE *out, const dv_command *command)
{
    if (command != NULL)
        put_command(out, command->options);
    else
        put_program(out);
}
