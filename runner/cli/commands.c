/* The list of all commands. */
#include "engine/base/field.h"
#include "engine/base/text.h"
#include "runner/cli/command.h"

#include <string.h>

const dv_command *const dv_commands[] = {
    &dv_command_data,     &dv_command_train,    &dv_command_eval,       &dv_command_predict,
    &dv_command_info,     &dv_command_synth,    &dv_command_augment,    &dv_command_export,
    &dv_command_ensemble, &dv_command_crossval, &dv_command_compare,    &dv_command_recommend,
    &dv_command_runs,     &dv_command_help,     &dv_command_completion, NULL,
};

const dv_command *dv_command_find(const char *name)
{
    for (int i = 0; dv_commands[i] != NULL; i++)
        if (strcmp(dv_commands[i]->options->command, name) == 0)
            return dv_commands[i];
    return NULL;
}

dv_status dv_command_unknown(const char *name)
{
    enum { MOST = 32 };
    const char *names[MOST];
    size_t count = 0;
    for (; count < MOST && dv_commands[count] != NULL; count++)
        names[count] = dv_commands[count]->options->command;
    const char *nearest = dv_nearest(name, names, count);
    if (nearest != NULL)
        return DV_FAIL(DV_EARG, "there is no command '%s', did you mean '%s'?", dv_show(name).text,
                       nearest);
    return DV_FAIL(DV_EARG, "there is no command '%s': 'decavox --help' lists all",
                   dv_show(name).text);
}

void dv_commands_print(FILE *out)
{
    fprintf(out, "Usage: decavox COMMAND [options] [arguments]\n\nCommands:\n");
    for (int i = 0; dv_commands[i] != NULL; i++)
        fprintf(out, "  %-11s %s\n", dv_commands[i]->options->command,
                dv_commands[i]->options->brief);
    fprintf(out,
            "\nOptions:\n"
            "  -h, --help     print this text\n"
            "  -V, --version  print version and commit of this program\n\n"
            "'decavox help COMMAND' explains a command.\n\n%s",
            dv_exit_codes_text);
}
