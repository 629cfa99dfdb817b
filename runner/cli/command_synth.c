/* decavox synth: makes a data set of synthetic voices. */
#include "engine/base/bar.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/cli/printing.h"
#include "runner/synth/synth.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const char *const examples[] = {
    "decavox synth --out voices",
    "decavox synth --out voices --words yes,no,stop --voices 100 --sample_rate 16000",
    NULL,
};

static const dv_options options = {
    .command = "synth",
    .brief = "makes a data set of synthetic voices",
    .operands = "",
    .summary = "Makes a data set of any words with the program espeak-ng. Each voice is a speaker.",
    .examples = examples,
    .fields = dv_synth_fields,
};

typedef struct progress {
    bool terminal;
    double begun; /* seconds */
} progress;

static void show(void *user, int64_t files, int64_t total)
{
    const progress *shown = user;
    char bar[DV_BAR_WIDTH + 1], left[DV_TIME_LEFT_SIZE];
    if (!shown->terminal)
        return;
    dv_bar((uint64_t)files, (uint64_t)total, bar);
    dv_time_left((double)files, (double)total, dv_clock() - shown->begun, left);
    fprintf(stderr, "\r[%s] %" PRId64 " of %" PRId64 " clips%s\033[K", bar, files, total, left);
}

/* Makes the clips, with a line of progress on a terminal. */
static int run(int argc, char **argv)
{
    dv_synth_config config;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &config, &arguments, &exit_code))
        return exit_code;
    dv_arguments_free(&arguments);
    int64_t written;
    progress shown = {.terminal = isatty(STDERR_FILENO) == 1 && dv_command_verbosity() != DV_QUIET,
                      .begun = dv_clock()};
    const dv_synth_observer observer = {.written = show, .user = &shown};
    dv_status status = dv_synth(&config, &observer, &written);
    if (shown.terminal)
        fprintf(stderr, "\r\033[K");
    if (status != DV_OK)
        return dv_command_fail("synth", status);
    printf("%" PRId64 " clip%s by %" PRId64 " voice%s in %s\n", written, dv_plural((size_t)written),
           config.voices, dv_plural((size_t)config.voices), dv_show(config.out).text);
    return DV_EXIT_GOOD;
}

const dv_command dv_command_synth = {&options, run};
