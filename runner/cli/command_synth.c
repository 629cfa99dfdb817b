/* decavox synth: makes a data set of synthetic voices. */
#include "engine/base/text.h"
#include "runner/cli/bar.h"
#include "runner/cli/command.h"
#include "runner/synth/synth.h"

#include <inttypes.h>
#include <stdio.h>

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

static void show(void *user, int64_t files, int64_t total)
{
    dv_bar_show(user, (double)files, (double)total, "%" PRId64 " of %" PRId64 " clips", files,
                total);
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
    dv_bar bar = dv_bar_begin();
    const dv_synth_observer observer = {.written = show, .user = &bar};
    dv_status status = dv_synth(&config, &observer, &written);
    dv_bar_clear(&bar);
    if (status != DV_OK)
        return dv_command_fail("synth", status);
    printf("%" PRId64 " clip%s by %" PRId64 " voice%s in %s\n", written, dv_plural((size_t)written),
           config.voices, dv_plural((size_t)config.voices), dv_show(config.out).text);
    return DV_EXIT_GOOD;
}

const dv_command dv_command_synth = {&options, run};
