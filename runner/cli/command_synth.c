/* decavox synth: makes a data set of synthetic voices. */
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/synth/synth.h"

#include <stdio.h>

static const dv_options options = {
    .command = "synth",
    .operands = "",
    .summary = "Makes a data set of spoken words with espeak-ng, in many voices; its speakers are "
               "the voices.",
    .fields = dv_synth_fields,
};

int dv_command_synth(int argc, char **argv)
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
    printf("%lld clip%s by %lld voice%s in %s\n", (long long)written, dv_plural((size_t)written),
           (long long)config.voices, dv_plural((size_t)config.voices), dv_show(config.out).text);
    return DV_EXIT_GOOD;
}
