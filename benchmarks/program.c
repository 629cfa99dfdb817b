/* Functions that the programs on request share: the command line, commands from standard input, and
   lists as JSON. */
#include "benchmarks/program.h"

#include "runner/cli/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int program_end(const char *name, dv_status status)
{
    if (status != DV_OK)
        fprintf(stderr, "decavox_bench %s: %s\n", name, dv_error_message());
    return status == DV_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int program_run(const dv_options *options, int argc, char **argv, void *chosen, program_serve serve)
{
    dv_arguments arguments;
    dv_status status = dv_options_parse(options, argc - 1, argv + 1, chosen, &arguments);
    if (status == DV_OK) {
        if (arguments.help)
            dv_options_help(stdout, options);
        else
            status = serve(&arguments, chosen);
        dv_arguments_free(&arguments);
    }
    return program_end(options->command, status);
}

bool program_read(char line[PROGRAM_LINE_SIZE])
{
    if (fgets(line, PROGRAM_LINE_SIZE, stdin) == NULL || strcmp(line, "quit\n") == 0)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

void program_print_list(const char *name, const double *values, int64_t count, double scale)
{
    printf("\"%s\": [", name);
    for (int64_t i = 0; i < count; i++)
        printf("%s%.9g", i > 0 ? ", " : "", values[i] * scale);
    printf("]");
}
