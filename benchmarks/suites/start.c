/* Times `decavox predict CHECKPOINT FILE` as a new process, again and again. The files lie in the
   file cache. */
#include "benchmarks/bench.h"
#include "benchmarks/child.h"
#include "benchmarks/tones.h"

#include <stdlib.h>

enum { WARM = 2, LEAST = 5, MOST = 1000 };

typedef struct starting {
    double *seconds, *peak; /* (MOST) */
    double processor;       /* seconds of all runs together */
    int64_t count;
} starting;

static dv_status launch(const bench *b, const char *program, char *checkpoint, starting *s)
{
    char path[BENCH_PATH_SIZE], threads[16], sound[BENCH_PATH_SIZE];
    snprintf(path, sizeof path, "%s", program);
    snprintf(threads, sizeof threads, "%d", b->threads);
    DV_TRY(bench_format(sound, sizeof sound, "%s/0_tone_0.wav", b->folder));
    char predict[] = "predict", device[] = "--device", workers[] = "--workers";
    char *argv[] = {path,    predict, checkpoint, sound, device, (char *)b->chosen.device,
                    workers, threads, NULL};
    double end = dv_clock() + bench_effort(b, 2).seconds;
    for (int64_t i = -WARM; i < LEAST || (i < MOST && dv_clock() < end); i++) {
        child_result result;
        DV_TRY(child_run(argv, &result, NULL));
        if (i < 0)
            continue;
        s->seconds[i] = result.seconds;
        s->peak[i] = result.peak;
        s->processor += result.processor;
        s->count = i + 1;
    }
    return DV_OK;
}

static dv_status write_both(bench *b, const char *model, const starting *s)
{
    char name[BENCH_NAME_SIZE];
    bench_result result = {.name = name, .unit = "s", .cache = "files in the file cache"};
    DV_TRY(bench_format(name, sizeof name, "predict/%s/time", model));
    result.value = dv_times_of(s->seconds, s->count);
    result.figures[0] = (bench_figure){"processor_s", s->processor / (double)s->count};
    DV_TRY(bench_write(b, &result));
    DV_TRY(bench_format(name, sizeof name, "predict/%s/memory", model));
    result.unit = "B";
    result.value = dv_times_of(s->peak, s->count);
    result.figures[0] = (bench_figure){"floor_bytes", (double)bench_resident()};
    return bench_write(b, &result);
}

static dv_status measure(bench *b, const char *program, const char *model)
{
    char checkpoint[BENCH_PATH_SIZE];
    starting s = {.count = 0};
    DV_TRY(bench_format(checkpoint, sizeof checkpoint, "%s/%s.safetensors", b->chosen.checkpoints,
                        model));
    dv_status status = dv_calloc(MOST, sizeof *s.seconds, &s.seconds);
    if (status == DV_OK)
        status = dv_calloc(MOST, sizeof *s.peak, &s.peak);
    if (status == DV_OK)
        status = launch(b, program, checkpoint, &s);
    if (status == DV_OK)
        status = write_both(b, model, &s);
    free(s.seconds);
    free(s.peak);
    return status;
}

dv_status bench_suite_start(bench *b)
{
    char program[BENCH_PATH_SIZE];
    bench_names models;
    DV_TRY(bench_decavox(b, program, sizeof program));
    DV_TRY(bench_temporary(b));
    DV_TRY(tones_write(b->folder, 8000, 1, 1));
    DV_TRY(bench_list(b->chosen.checkpoints, ".safetensors", &models));
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < models.count; i++) {
        char name[BENCH_NAME_SIZE];
        status = bench_format(name, sizeof name, "predict/%s", models.items[i]);
        if (status == DV_OK && bench_wants(b, name))
            status = measure(b, program, models.items[i]);
    }
    bench_names_free(&models);
    return status;
}
