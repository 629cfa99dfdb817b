/* decavox: trains, measures and uses classifiers of short spoken words. */
#include "runner/cli/descriptors.h"
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/cli/commit.h"
#include "runner/cli/help.h"

#include <stdio.h>
#include <string.h>

static const dv_command commands[] = {
    {"data", "shows what a data set holds, and what is wrong with it", dv_command_data},
    {"train", "trains a model from a configuration", dv_command_train},
    {"eval", "measures a checkpoint on a data set", dv_command_eval},
    {"predict", "says what was spoken in sound files", dv_command_predict},
    {"info", "tells about this build, a checkpoint, the configuration", dv_command_info},
    {"synth", "makes a data set of synthetic voices", dv_command_synth},
    {"augment", "writes augmented training clips, to be listened to", dv_command_augment},
    {"export", "writes a model for other runtimes, or its weights alone", dv_command_export},
    {"ensemble", "makes one model of several that are trained", dv_command_ensemble},
    {"crossval", "trains and tests every fold of a data set, for several seeds",
     dv_command_crossval},
    {"compare", "measures models side by side on this machine", dv_command_compare},
    {"recommend", "names the model to take for a purpose, by measurements", dv_command_recommend},
    {"runs", "lists finished runs, the best one first", dv_command_runs},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *out)
{
    fprintf(out, "usage: decavox COMMAND [ARGUMENTS]     (decavox COMMAND --help for more)\n\n");
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "    %-10s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "    %-10s %s\n", "--version", "prints version and commit of this program");
    fprintf(out, "\n%s", dv_exit_codes_text);
}

/* What could not be written, to a full disk for example, is a failure. */
static int end(int exit_code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return exit_code;
    fprintf(stderr, "decavox: the output could not be written\n");
    return exit_code == DV_EXIT_GOOD ? DV_EXIT_FAILED : exit_code;
}

/* Fills closed standard descriptors before anything else is opened, then runs the command that
   argv[1] names. */
int main(int argc, char **argv)
{
    dv_descriptors_fill();
    if (argc < 2) {
        usage(stderr);
        return DV_EXIT_USAGE;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return end(commands[i].run(argc, argv));
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return end(DV_EXIT_GOOD);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("decavox %s, commit %s\n", DV_VERSION, dv_commit());
        return end(DV_EXIT_GOOD);
    }
    fprintf(stderr, "decavox: no command '%s'\n\n", dv_show(argv[1]).text);
    usage(stderr);
    return DV_EXIT_USAGE;
}
