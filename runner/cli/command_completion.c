/* decavox completion: prints the script by which a shell completes command lines. */
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/cli/completion.h"
#include "runner/experiment/home.h"

#include <dirent.h>
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

static int is_checkpoint(const struct dirent *entry)
{
    return dv_ends_with(entry->d_name, ".safetensors");
}

/* Writes the names of the models that come with decavox, with blanks between them. */
static void write_models(const void *user, FILE *out)
{
    dv_home home;
    (void)user;
    dv_home_list("checkpoints", &home);
    for (int i = 0; i < home.count; i++) {
        struct dirent **entries;
        int count = scandir(home.folders[i], &entries, is_checkpoint, alphasort);
        for (int k = 0; k < count; k++) {
            const char *name = entries[k]->d_name;
            fprintf(out, "%s%.*s", k > 0 ? " " : "", (int)(strrchr(name, '.') - name), name);
            free(entries[k]);
        }
        if (count >= 0)
            free(entries);
        if (count > 0)
            return;
    }
}

static dv_status print(const char *shell)
{
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        char *models;
        size_t size;
        if (strcmp(shells[i].name, shell) != 0)
            continue;
        DV_TRY(dv_text_of(write_models, NULL, &models, &size));
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
