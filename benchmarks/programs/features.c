/*
 * Times the front-end on clips of one second, on request:
 *
 *     decavox_bench features [--device cpu] [--batch 256] [--threads 1] [--report 1]
 *
 * The program reads commands from stdin until `quit`. `run K` is answered with a line of JSON:
 * {"microseconds": [wall time of each batch], "cpu_microseconds": mean time of all threads}. On a
 * device whose backend makes features, the clips lie in its memory, and a time is the mean of
 * --report batches with the wait for the device at their end; K is rounded up to a multiple of
 * --report. On the CPU --threads OpenMP threads compute.
 *
 * The clips are noise, or raw floats (batch, 8000) from --samples FILE. With --plain the clips are
 * not prepared and the features not normalised, as in librosa. On the CPU, `whole K` also times the
 * preparation of the clips, which is otherwise done once, and `features FILE` writes the features
 * of the last batch as raw floats (batch, rows, frames).
 */
#include "benchmarks/batches.h"
#include "benchmarks/program.h"
#include "runner/evaluate/timing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TIMES = 65536 };

static const dv_options options = {
    .program = "decavox_bench",
    .command = "features",
    .operands = "",
    .summary = "Times the front-end on request; see benchmarks/README.md.",
    .least = 0,
    .most = 0,
    .fields = batches_fields,
};

static dv_status measure(batches *b, int64_t times, double *seconds)
{
    double report = (double)batches_report(b), processor = dv_clock_processor(), start = dv_clock();
    for (int64_t i = 0; i < times; i++) {
        DV_TRY(batches_make(b));
        double now = dv_clock();
        seconds[i] = (now - start) / report;
        start = now;
    }
    processor = (dv_clock_processor() - processor) / ((double)times * report);
    printf("{");
    program_print_list("microseconds", seconds, times, 1e6);
    printf(", \"cpu_microseconds\": %.3f}\n", processor * 1e6);
    fflush(stdout);
    return DV_OK;
}

static dv_status run(batches *b, const char *argument)
{
    int64_t wanted, report = batches_report(b);
    if (!dv_parse_int(argument, &wanted) || wanted < 1 || wanted > MAX_TIMES)
        return DV_FAIL(DV_EARG, "run: '%s' is not a number from 1 to %d", argument, MAX_TIMES);
    int64_t times = (wanted + report - 1) / report;
    double *seconds;
    DV_TRY(dv_calloc((size_t)times, sizeof *seconds, &seconds));
    dv_status status = measure(b, times, seconds);
    free(seconds);
    return status;
}

static dv_status write_features(const batches *b, int64_t batch, const char *path)
{
    const float *features = batches_features(b);
    if (features == NULL)
        return DV_FAIL(DV_EUNSUPPORTED, "features: they are in a device's memory");
    size_t count = (size_t)(batch * batches_rows(b) * batches_frames(b));
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return DV_FAIL(DV_EIO, "%s: %s", path, strerror(errno));
    bool written = fwrite(features, sizeof *features, count, file) == count;
    if (fclose(file) != 0 || !written)
        return DV_FAIL(DV_EIO, "%s: cannot be written", path);
    printf("{\"features\": %zu}\n", count);
    fflush(stdout);
    return DV_OK;
}

static dv_status answer(batches *b, int64_t batch, const char *line)
{
    bool whole = strncmp(line, "whole ", 6) == 0;
    if (strncmp(line, "features ", 9) == 0)
        return write_features(b, batch, line + 9);
    if ((!whole && strncmp(line, "run ", 4) != 0) || !batches_set_whole(b, whole))
        return DV_FAIL(DV_EARG, "no command '%s'", line);
    return run(b, strchr(line, ' ') + 1);
}

static dv_status serve(batches *b, int64_t batch)
{
    char line[PROGRAM_LINE_SIZE];
    const dv_context *context = batches_context(b);
    printf("{\"rows\": %" PRId64 ", \"frames\": %" PRId64 ", \"batch\": %" PRId64
           ", \"threads\": %d, \"on_device\": %s, \"version\": \"%s\"}\n",
           batches_rows(b), batches_frames(b), batch, context->threads,
           batches_on_device(b) ? "true" : "false", context->backend->version());
    fflush(stdout);
    while (program_read(line))
        DV_TRY(answer(b, batch, line));
    return DV_OK;
}

static dv_status open_and_serve(const dv_arguments *arguments, const void *options_chosen)
{
    (void)arguments;
    const batches_options *chosen = options_chosen;
    batches *b;
    DV_TRY(batches_open(chosen, &b));
    dv_status status = serve(b, chosen->batch);
    batches_close(b);
    return status;
}

int program_features(int argc, char **argv)
{
    batches_options chosen = {.batch = 0};
    return program_run(&options, argc, argv, &chosen, open_and_serve);
}
