#include "runner/command.h"
#include "runner/help.h"

#include <stdio.h>
#include <sys/stat.h>

const char *const dv_format_names[] = {"text", "json", NULL};

bool dv_command_begin(const dv_options *options, int argc, char **argv, void *record,
                      dv_arguments *arguments, int *exit_code)
{
    if (dv_options_parse(options, argc - 2, argv + 2, record, arguments) != DV_OK) {
        fprintf(stderr, "decavox %s: %s\n", options->command, dv_error_message());
        fprintf(stderr, "try: decavox %s --help\n", options->command);
        *exit_code = DV_EXIT_USAGE;
        return false;
    }
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
    fprintf(stderr, "decavox %s: %s\n", command, dv_error_message());
    bool asked = status == DV_EARG || status == DV_ECONFIG || status == DV_ESHAPE;
    return asked ? DV_EXIT_USAGE : DV_EXIT_FAILED;
}

static void write_warning(void *user, dv_log_level level, const char *message)
{
    (void)user;
    if (level == DV_LOG_WARNING)
        fprintf(stderr, "decavox: warning: %s\n", message);
}

dv_log dv_command_log(void)
{
    return (dv_log){.write = write_warning};
}

bool dv_same_file(const char *path, const char *other)
{
    struct stat one, two;
    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}
