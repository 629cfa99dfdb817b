/* Prints completions for bash, zsh and fish. */
#include "runner/cli/completion.h"
#include "runner/cli/command.h"

#include <string.h>

/* Prints the help of an option up to its first mark of punctuation. Before each character of
   `escaped` there is a backslash; a "'" becomes `quote`. */
static void put_brief(FILE *out, const char *help, const char *escaped, const char *quote)
{
    static const char ends[] = ";:(";
    for (; *help != '\0'; help++) {
        bool ended = strchr(ends, *help) != NULL || (help[0] == ',' && help[1] == ' ') ||
                     (help[0] == ' ' && help[1] == '(');
        if (ended)
            return;
        if (*help == '\'')
            fputs(quote, out);
        else
            fprintf(out, "%s%c", strchr(escaped, *help) != NULL ? "\\" : "", *help);
    }
}

static bool has_choices(const dv_option_text *option)
{
    return option->field != NULL && option->field->kind == DV_FIELD_ENUM;
}

static void put_choices(FILE *out, const dv_field *field)
{
    for (int i = 0; field->choices[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", field->choices[i]);
}

/* Prints the words that the operands of a command may be, beside files. */
static void put_operands(FILE *out, const dv_options *options, const char *models)
{
    if (options->checkpoint)
        fputs(models, out);
    if (options == dv_command_completion.options)
        fputs("bash zsh fish", out);
    if (options == dv_command_help.options)
        for (int i = 0; dv_commands[i] != NULL; i++)
            fprintf(out, "%s%s", i > 0 ? " " : "", dv_commands[i]->options->command);
}

/* ---- bash ---- */

static void bash_option(void *user, const dv_option_text *option)
{
    fprintf(user, " --%s", option->name);
    if (option->letter != '\0')
        fprintf(user, " -%c", option->letter);
}

/* Completes the value behind an option: one of its choices, or a file. */
static void bash_value(void *user, const dv_option_text *option)
{
    FILE *out = user;
    if (*option->value == '\0')
        return;
    fprintf(out, "        --%s", option->name);
    if (option->letter != '\0')
        fprintf(out, "|-%c", option->letter);
    fputs(") ", out);
    if (has_choices(option)) {
        fputs("COMPREPLY=($(compgen -W '", out);
        put_choices(out, option->field);
        fputs("' -- \"$cur\")); ", out);
    }
    fputs("return ;;\n", out);
}

/* A function with a case per command, whose options and values come first. */
void dv_completion_bash(FILE *out, const char *models)
{
    fputs("# Completion of decavox for bash, made by 'decavox completion bash'.\n"
          "_decavox()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local options operands\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        COMPREPLY=($(compgen -W '",
          out);
    for (int i = 0; dv_commands[i] != NULL; i++)
        fprintf(out, "%s ", dv_commands[i]->options->command);
    fputs("--help --version' -- \"$cur\"))\n        return\n    fi\n"
          "    case ${COMP_WORDS[1]} in\n",
          out);
    for (int i = 0; dv_commands[i] != NULL; i++) {
        const dv_options *options = dv_commands[i]->options;
        fprintf(out, "    %s)\n        operands='", options->command);
        put_operands(out, options, models);
        fputs("'\n        options='", out);
        dv_options_visit(options, bash_option, out);
        fputs("'\n        case $prev in\n", out);
        dv_options_visit(options, bash_value, out);
        fputs("        esac ;;\n", out);
    }
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
          "    elif [[ -n $operands ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$operands\" -- \"$cur\"; compgen -f -- "
          "\"$cur\")\n"
          "    fi\n}\n"
          "complete -o default -F _decavox decavox\n",
          out);
}

/* ---- zsh ---- */

/* Prints '(-o --out)'{-o,--out}'[file to write]:PATH:_files'. */
static void zsh_option(void *user, const dv_option_text *option)
{
    FILE *out = user;
    bool repeats = option->field == NULL || option->field->kind == DV_FIELD_TREE;
    if (repeats && option->letter != '\0')
        fprintf(out, " \\\n        '*'{-%c,--%s}'[", option->letter, option->name);
    else if (option->letter != '\0')
        fprintf(out, " \\\n        '(-%c --%s)'{-%c,--%s}'[", option->letter, option->name,
                option->letter, option->name);
    else
        fprintf(out, " \\\n        '--%s[", option->name);
    put_brief(out, option->help, "[]\\", "'\\''");
    fputc(']', out);
    if (has_choices(option)) {
        fprintf(out, ":%s:(", option->value);
        put_choices(out, option->field);
        fputc(')', out);
    } else if (*option->value != '\0') {
        fprintf(out, ":%s:_files", option->value);
    }
    fputc('\'', out);
}

/* A function with a case per command, in the language of _arguments. */
void dv_completion_zsh(FILE *out, const char *models)
{
    fputs("#compdef decavox\n# Completion of decavox for zsh, made by 'decavox completion zsh'.\n"
          "_decavox()\n{\n    local -a commands\n    commands=(\n",
          out);
    for (int i = 0; dv_commands[i] != NULL; i++) {
        fprintf(out, "        '%s:", dv_commands[i]->options->command);
        put_brief(out, dv_commands[i]->options->brief, "\\", "'\\''");
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)); then\n"
          "        _describe command commands\n        return\n    fi\n"
          "    local command=$words[2]\n"
          "    shift words\n    ((CURRENT--))\n"
          "    case $command in\n",
          out);
    for (int i = 0; dv_commands[i] != NULL; i++) {
        const dv_options *options = dv_commands[i]->options;
        fprintf(out, "    %s)\n        _arguments -S", options->command);
        dv_options_visit(options, zsh_option, out);
        fputs(" \\\n        '*:file:{ compadd ", out);
        put_operands(out, options, models);
        fputs("; _files }' ;;\n", out);
    }
    fputs("    esac\n}\n_decavox \"$@\"\n", out);
}

/* ---- fish ---- */

typedef struct fish {
    FILE *out;
    const char *command;
} fish;

static void fish_option(void *user, const dv_option_text *option)
{
    const fish *f = user;
    fprintf(f->out, "complete -c decavox -n '__fish_seen_subcommand_from %s' -l %s", f->command,
            option->name);
    if (option->letter != '\0')
        fprintf(f->out, " -s %c", option->letter);
    if (has_choices(option)) {
        fputs(" -x -a '", f->out);
        put_choices(f->out, option->field);
        fputc('\'', f->out);
    } else if (*option->value != '\0') {
        fputs(" -r", f->out);
    }
    fputs(" -d '", f->out);
    put_brief(f->out, option->help, "\\", "\\'");
    fputs("'\n", f->out);
}

void dv_completion_fish(FILE *out, const char *models)
{
    fputs("# Completion of decavox for fish, made by 'decavox completion fish'.\n"
          "complete -c decavox -n __fish_use_subcommand -l version -d 'print version and commit'\n",
          out);
    for (int i = 0; dv_commands[i] != NULL; i++) {
        const dv_options *options = dv_commands[i]->options;
        fish f = {out, options->command};
        fprintf(out, "complete -c decavox -n __fish_use_subcommand -f -a %s -d '", f.command);
        put_brief(out, options->brief, "\\", "\\'");
        fprintf(out, "'\ncomplete -c decavox -n '__fish_seen_subcommand_from %s' -a '", f.command);
        put_operands(out, options, models);
        fputs("'\n", out);
        dv_options_visit(options, fish_option, &f);
    }
}
