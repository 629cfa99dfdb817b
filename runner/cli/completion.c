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

static bool is_key(const dv_option_text *option)
{
    return option->key != NULL && option->key[0] == '\0';
}

/* The words that the value of an option can be, if they are names that come with decavox; or else
   NULL. */
static const char *names_of(const dv_option_text *option, const dv_completion_words *words)
{
    if (option->key == NULL)
        return NULL;
    if (is_key(option))
        return words->keys;
    if (strcmp(option->key, "model") == 0)
        return words->models;
    return strcmp(option->key, "features.preset") == 0 ? words->features : NULL;
}

static bool has_choices(const dv_option_text *option, const dv_completion_words *words)
{
    bool listed = option->field != NULL && option->field->kind == DV_FIELD_ENUM;
    return listed || names_of(option, words) != NULL;
}

static void put_choices(FILE *out, const dv_option_text *option, const dv_completion_words *words)
{
    const char *names = names_of(option, words);
    if (names != NULL)
        fputs(names, out);
    for (int i = 0; names == NULL && option->field->choices[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", option->field->choices[i]);
}

/* The operands of the others are words alone. */
static bool takes_files(const dv_options *options)
{
    return options != dv_command_completion.options && options != dv_command_help.options;
}

/* Prints the words that the operands of a command may be, beside files. */
static void put_operands(FILE *out, const dv_options *options, const dv_completion_words *words)
{
    if (options->checkpoint)
        fputs(words->checkpoints, out);
    if (options->settings != NULL)
        fputs(words->configs, out);
    if (options == dv_command_completion.options)
        fputs("bash zsh fish", out);
    if (options == dv_command_help.options)
        for (int i = 0; dv_commands[i] != NULL; i++)
            fprintf(out, "%s%s", i > 0 ? " " : "", dv_commands[i]->options->command);
}

/* Passed to the visitors of options. */
typedef struct printing {
    FILE *out;
    const dv_completion_words *words;
    const char *command;
} printing;

/* ---- bash ---- */

static void bash_option(void *user, const dv_option_text *option)
{
    const printing *p = user;
    fprintf(p->out, " --%s", option->name);
    if (option->letter != '\0')
        fprintf(p->out, " -%c", option->letter);
}

/* Completes the value behind an option: one of its choices, or a file. No blank follows a key. */
static void bash_value(void *user, const dv_option_text *option)
{
    const printing *p = user;
    FILE *out = p->out;
    if (*option->value == '\0')
        return;
    fprintf(out, "        --%s", option->name);
    if (option->letter != '\0')
        fprintf(out, "|-%c", option->letter);
    fputs(") ", out);
    if (has_choices(option, p->words)) {
        fputs("COMPREPLY=($(compgen -W '", out);
        put_choices(out, option, p->words);
        fputs("' -- \"$cur\")); ", out);
    }
    fprintf(out, "%sreturn ;;\n", is_key(option) ? "compopt -o nospace 2>/dev/null; " : "");
}

/* A function with a case per command, whose options and values come first. */
void dv_completion_bash(FILE *out, const dv_completion_words *words)
{
    printing p = {out, words, NULL};
    fputs("# Completion of decavox for bash, made by 'decavox completion bash'.\n"
          "_decavox()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local options operands files=yes\n"
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
        put_operands(out, options, words);
        fprintf(out, "'\n%s        options='", takes_files(options) ? "" : "        files=\n");
        dv_options_visit(options, bash_option, &p);
        fputs("'\n        case $prev in\n", out);
        dv_options_visit(options, bash_value, &p);
        fputs("        esac ;;\n", out);
    }
    fputs("    esac\n"
          "    if [[ $cur == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
          "    elif [[ -n $operands ]]; then\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$operands\" -- \"$cur\"\n"
          "            [[ -z $files ]] || compgen -f -- \"$cur\")\n"
          "    fi\n}\n"
          "complete -o default -F _decavox decavox\n",
          out);
}

/* ---- zsh ---- */

/* Prints '(-o --out)'{-o,--out}'[file to write]:PATH:_files'. */
static void zsh_option(void *user, const dv_option_text *option)
{
    const printing *p = user;
    FILE *out = p->out;
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
    if (is_key(option)) {
        fprintf(out, ":%s:{ compadd -S \"\" - ", option->value);
        put_choices(out, option, p->words);
        fputs(" }", out);
    } else if (has_choices(option, p->words)) {
        fprintf(out, ":%s:(", option->value);
        put_choices(out, option, p->words);
        fputc(')', out);
    } else if (*option->value != '\0') {
        fprintf(out, ":%s:_files", option->value);
    }
    fputc('\'', out);
}

/* A function with a case per command, in the language of _arguments. */
void dv_completion_zsh(FILE *out, const dv_completion_words *words)
{
    printing p = {out, words, NULL};
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
        dv_options_visit(options, zsh_option, &p);
        fputs(" \\\n        '*:file:{ compadd ", out);
        put_operands(out, options, words);
        fputs("; _files }' ;;\n", out);
    }
    fputs("    esac\n}\n_decavox \"$@\"\n", out);
}

/* ---- fish ---- */

static void fish_option(void *user, const dv_option_text *option)
{
    const printing *p = user;
    fprintf(p->out, "complete -c decavox -n '__fish_seen_subcommand_from %s' -l %s", p->command,
            option->name);
    if (option->letter != '\0')
        fprintf(p->out, " -s %c", option->letter);
    if (has_choices(option, p->words)) {
        fputs(" -x -a '", p->out);
        put_choices(p->out, option, p->words);
        fputc('\'', p->out);
    } else if (*option->value != '\0') {
        fputs(" -r", p->out);
    }
    fputs(" -d '", p->out);
    put_brief(p->out, option->help, "\\", "\\'");
    fputs("'\n", p->out);
}

void dv_completion_fish(FILE *out, const dv_completion_words *words)
{
    fputs("# Completion of decavox for fish, made by 'decavox completion fish'.\n"
          "complete -c decavox -n __fish_use_subcommand -l version -d 'print version and commit'\n",
          out);
    for (int i = 0; dv_commands[i] != NULL; i++) {
        const dv_options *options = dv_commands[i]->options;
        printing p = {out, words, options->command};
        fprintf(out, "complete -c decavox -n __fish_use_subcommand -f -a %s -d '", p.command);
        put_brief(out, options->brief, "\\", "\\'");
        fprintf(out, "'\ncomplete -c decavox -n '__fish_seen_subcommand_from %s' -a '", p.command);
        put_operands(out, options, words);
        fputs("'\n", out);
        dv_options_visit(options, fish_option, &p);
    }
}
