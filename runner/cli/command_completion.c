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
    .summary =
        "Prints a script for bash, zsh or fish that completes commands, options, their "
        "choices, the keys behind --set, and the names of the models and configurations that "
        "come with decavox. Installed packages bring it along.",
    .examples = examples,
    .least = 1,
    .most = 1,
};

static const struct {
    const char *name;
    void (*print)(FILE *out, const dv_completion_words *words);
} shells[] = {
    {"bash", dv_completion_bash}, {"zsh", dv_completion_zsh}, {"fish", dv_completion_fish}};

/* Whether a shell takes the name as it stands, for names come from folders of users, too. */
static bool is_plain(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return *name != '-' && *name != '.' && name[strspn(name, plain)] == '\0';
}

/* The names of decavox's own files in a folder, as words of a command line. */
typedef struct own_files {
    const char *folder, *ending;
    const char *before, *behind; /* the text around the name in a word: "configs/" and ".yaml" */
    dv_file_names names;
} own_files;

static void write_names(const void *user, FILE *out)
{
    const own_files *files = user;
    const char *blank = "";
    for (size_t i = 0; i < files->names.count; i++) {
        if (!is_plain(files->names.list[i]))
            continue;
        fprintf(out, "%s%s%s%s", blank, files->before, files->names.list[i], files->behind);
        blank = " ";
    }
}

static dv_status find_names(own_files files, char **words)
{
    size_t size;
    dv_status status = dv_home_names(files.folder, files.ending, &files.names);
    if (status == DV_OK)
        status = dv_text_of(write_names, &files, words, &size);
    dv_file_names_free(&files.names);
    return status;
}

static void write_keys(const void *user, FILE *out)
{
    (void)user;
    for (const dv_section *section = dv_sections; section->name != NULL; section++)
        for (const dv_field *field = section->fields; field->kind != DV_FIELD_END; field++)
            fprintf(out, "%s%s.%s=", section == dv_sections && field == section->fields ? "" : " ",
                    section->name, field->key);
}

static dv_status find_words(dv_completion_words *words)
{
    size_t size;
    DV_TRY(
        find_names((own_files){"checkpoints", ".safetensors", "", "", {0}}, &words->checkpoints));
    DV_TRY(find_names((own_files){"configs", ".yaml", "configs/", ".yaml", {0}}, &words->configs));
    DV_TRY(find_names((own_files){"configs/models", ".yaml", "", "", {0}}, &words->models));
    DV_TRY(find_names((own_files){"configs/features", ".yaml", "", "", {0}}, &words->features));
    return dv_text_of(write_keys, NULL, &words->keys, &size);
}

static void free_words(dv_completion_words *words)
{
    free(words->checkpoints);
    free(words->configs);
    free(words->models);
    free(words->features);
    free(words->keys);
}

static dv_status print(const char *shell)
{
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        dv_completion_words words = {0};
        if (strcmp(shells[i].name, shell) != 0)
            continue;
        dv_status status = find_words(&words);
        if (status == DV_OK)
            shells[i].print(stdout, &words);
        free_words(&words);
        return status;
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
