/* decavox: trains, measures, exports and serves classifiers of short spoken words. */
#include "runner/cli/command.h"
#include "runner/cli/commit.h"
#include "runner/cli/descriptors.h"

#include <stdio.h>
#include <string.h>

/* Turns output that could not be written, for example to a full disk, into a failure. */
static int end(int exit_code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return exit_code;
    fprintf(stderr, "decavox: the output could not be written\n");
    return exit_code == DV_EXIT_GOOD ? DV_EXIT_FAILED : exit_code;
}

static bool is_one_of(const char *word, const char *name, const char *letter)
{
    return strcmp(word, name) == 0 || strcmp(word, letter) == 0;
}

/* Fills closed standard descriptors before anything else is opened, then runs the command that
   argv[1] names. */
int main(int argc, char **argv)
{
    dv_descriptors_fill();
    if (argc < 2) {
        dv_commands_print(stderr);
        return DV_EXIT_USAGE;
    }
    const dv_command *command = dv_command_find(argv[1]);
    if (command != NULL)
        return end(command->run(argc, argv));
    if (is_one_of(argv[1], "--help", "-h")) {
        dv_commands_print(stdout);
        return end(DV_EXIT_GOOD);
    }
    if (is_one_of(argv[1], "--version", "-V")) {
        printf("decavox %s, commit %s\n", DV_VERSION, dv_commit());
        return end(DV_EXIT_GOOD);
    }
    (void)dv_command_unknown(argv[1]);
    fprintf(stderr, "decavox: %s\n", dv_error_message());
    return DV_EXIT_USAGE;
}
