/* decavox help: prints the help or the manual page of a command. */
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/cli/man.h"

typedef struct help_options {
    int format;
} help_options;

static const char *const format_names[] = {"text", "man", NULL};
enum { TEXT, MAN };

static const dv_field fields[] = {
    DV_ENUM(help_options, format, "text", format_names,
            "form of the output: plain text, or a manual page for man(1)"),
    DV_END,
};

static const char *const examples[] = {
    "decavox help train",
    "decavox help --format man train > decavox-train.1",
    NULL,
};

static const dv_options options = {
    .command = "help",
    .brief = "explains a command",
    .operands = "[COMMAND]",
    .summary = "Prints the help of a command, or without COMMAND the list of all commands.",
    .examples = examples,
    .least = 0,
    .most = 1,
    .fields = fields,
};

static dv_status print(const help_options *chosen, const char *name)
{
    const dv_command *command = name != NULL ? dv_command_find(name) : NULL;
    if (name != NULL && command == NULL)
        return dv_command_unknown(name);
    if (chosen->format == MAN)
        dv_man_print(stdout, command);
    else if (command == NULL)
        dv_commands_print(stdout);
    else
        dv_options_help(stdout, command->options);
    return DV_OK;
}

static int run(int argc, char **argv)
{
    help_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    dv_status status = print(&chosen, arguments.count > 0 ? arguments.operands[0] : NULL);
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("help", status);
}

const dv_command dv_command_help = {&options, run};
