/* decavox completion: prints the script by which a shell completes command lines. */
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/cli/completion.h"
#include "runner/experiment/home.h"

#include <stdlib.h>
#include <string.h>

static const char *const examples[] = {
    "source <(decavox completion bash)",
    "decavox completion zsh > ~/.zsh/completions/_decavox",
    "decavox completion fish > ~/.config/fish/completions/decavox.fish",
    NULL,
};

static const dv_options options = {
    .command = "completion",
    .brief = "prints the completion of command lines for a shell",
    .operands = "bash|zsh|fish",
    .summary = "Prints a script for bash, zsh or fish that completes commands, options, their "
               "choices, and the names of the models that come with decavox. Installed packages "
               "bring it along.",
    .examples = examples,
    .least = 1,
    .most = 1,
};

static const struct {
    const char *name;
    void (*print)(FILE *out, const char *models);
} shells[] = {
    {"bash", dv_completion_bash}, {"zsh", dv_completion_zsh}, {"fish", dv_completion_fish}};

/* Whether a shell takes the name as it stands, for names come from folders of users, too. */
static bool is_plain(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *name != '-' && *name != '.' && name[strspn(name, plain)] == '\0';
}

/* Writes the names of the models that come with decavox, with blanks between them. */
static void write_models(const void *user, FILE *out)
{
    const dv_file_names *names = user;
    const char *blank = "";
    for (size_t i = 0; i < names->count; i++) {
        if (!is_plain(names->list[i]))
            continue;
        fprintf(out, "%s%s", blank, names->list[i]);
        blank = " ";
    }
}

static dv_status find_models(char **models)
{
    dv_file_names names = {.count = 0};
    size_t size;
    dv_status status = dv_home_names("checkpoints", ".safetensors", &names);
    if (status == DV_OK)
        status = dv_text_of(write_models, &names, models, &size);
    dv_file_names_free(&names);
    return status;
}

static dv_status print(const char *shell)
{
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        char *models;
        if (strcmp(shells[i].name, shell) != 0)
            continue;
        DV_TRY(find_models(&models));
        shells[i].print(stdout, models);
        free(models);
        return DV_OK;
    }
    return DV_FAIL(DV_EARG, "there is no completion for '%.40s': bash, zsh and fish have one",
                   dv_show(shell).text);
}

static int run(int argc, char **argv)
{
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, NULL, &arguments, &exit_code))
        return exit_code;
    dv_status status = print(arguments.operands[0]);
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("completion", status);
}

const dv_command dv_command_completion = {&options, run};
