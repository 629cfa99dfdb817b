/* Shared by all commands: parsing and help, the exit codes of failures, and the log of warnings. */
#include "runner/cli/command.h"
#include "engine/base/yaml.h"
#include "engine/core/context.h"
#include "runner/cli/printing.h"
#include "runner/cli/stop.h"
#include "runner/experiment/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const dv_format_names[] = {"text", "json", NULL};

static dv_verbosity told;

dv_verbosity dv_command_verbosity(void)
{
    return told;
}

/* The first operand may be one of decavox's own files: a checkpoint or, of a command that has
   settings, a configuration. */
static dv_status find_file(const dv_options *options, dv_arguments *arguments)
{
    char path[DV_HOME_PATH_SIZE];
    bool configuration = options->settings != NULL;
    if (!(options->checkpoint || configuration) || arguments->help || arguments->count == 0 ||
        strlen(arguments->operands[0]) >= sizeof path)
        return DV_OK;
    (configuration ? dv_home_file : dv_home_checkpoint)(arguments->operands[0], path, sizeof path);
    DV_TRY(dv_strdup(path, &arguments->file));
    arguments->operands[0] = arguments->file;
    return DV_OK;
}

/* A mistake is told on stderr with a hint at --help. The first operand becomes a path. */
bool dv_command_begin(const dv_options *options, int argc, char **argv, void *record,
                      dv_arguments *arguments, int *exit_code)
{
    dv_status status = dv_options_parse(options, argc - 2, argv + 2, record, arguments);
    if (status == DV_OK)
        status = find_file(options, arguments);
    if (status != DV_OK) {
        (void)dv_command_fail(options->command, status);
        fprintf(stderr, "try: decavox %s --help\n", options->command);
        dv_arguments_free(arguments);
        *exit_code = DV_EXIT_USAGE;
        return false;
    }
    told = arguments->verbosity;
    if (arguments->help) {
        dv_options_help(stdout, options);
        dv_arguments_free(arguments);
        *exit_code = DV_EXIT_GOOD;
        return false;
    }
    return true;
}

int dv_command_fail(const char *command, dv_status status)
{
    fprintf(stderr, "%sdecavox %s:%s %s\n", dv_colour(stderr, DV_COLOUR_ERROR), command,
            dv_colour(stderr, DV_COLOUR_NONE), dv_error_message());
    if (status == DV_EINTERRUPTED)
        return DV_EXIT_SIGNAL + dv_stop_request;
    bool asked = status == DV_EARG || status == DV_ECONFIG || status == DV_ESHAPE;
    return asked ? DV_EXIT_USAGE : DV_EXIT_FAILED;
}

static void write_log(void *user, dv_log_level level, const char *message)
{
    (void)user;
    if (level == DV_LOG_WARNING)
        fprintf(stderr, "decavox: %swarning:%s %s\n", dv_colour(stderr, DV_COLOUR_WARNING),
                dv_colour(stderr, DV_COLOUR_NONE), message);
    else if (told == DV_VERBOSE)
        fprintf(stderr, "decavox: %s\n", message);
}

dv_log dv_command_log(void)
{
    return (dv_log){.write = write_log};
}

dv_status dv_command_open_model(const char *path, const char *device, int precision, int algorithms,
                                dv_model **out)
{
    const dv_log log = dv_command_log();
    const dv_model_options options = {.size = sizeof options,
                                      .device = device,
                                      .precision = dv_precision_names[precision],
                                      .algorithms = dv_algorithms_to_answer_names[algorithms],
                                      .log = log.write,
                                      .log_user = log.user};
    return dv_home_offer(path, dv_model_open(path, &options, out));
}

dv_status dv_command_print_config(const dv_experiment *experiment)
{
    char *text;
    DV_TRY(dv_yaml_write(experiment->tree, &text));
    fputs(text, stdout);
    free(text);
    return DV_OK;
}
