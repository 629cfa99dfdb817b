/* decavox synth: makes a data set of synthetic voices. */
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/synth/synth.h"

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

static int run(int argc, char **argv)
{
    dv_synth_config config;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &config, &arguments, &exit_code))
        return exit_code;
    dv_arguments_free(&arguments);
    int64_t written;
    dv_status status = dv_synth(&config, &written);
    if (status != DV_OK)
        return dv_command_fail("synth", status);
    printf("%lld clips by %lld voices in %s\n", (long long)written, (long long)config.voices,
           dv_show(config.out).text);
    return DV_EXIT_GOOD;
}

const dv_command dv_command_synth = {&options, run};
