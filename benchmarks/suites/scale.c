/*
 * Measures how time and memory grow with threads, with the batch, and with the number of clips.
 * Each point is measured by a process of its own, this program with another suite, so that no
 * point's memory counts for the next. An exponent is fitted to the growth: 1 is linear, 0 is none.
 */
#include "benchmarks/bench.h"
#include "benchmarks/child.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 16, THREADS_BATCH = 32 };

/* The model of all points, a small one, so that the work around it shows. */
static const char model[] = "lightweight";
static const double clip_seconds = 0.1; /* 100,000 clips are 320 MB */
static const double linear = 1.1;       /* largest exponent that passes for linear, with noise */

typedef struct point {
    const char *suite, *name; /* name of the wanted line */
    int threads;
    int64_t batch, clips; /* 0 leaves the option out */
} point;

/* A line of the program's output, owned. */
typedef struct answer {
    json_t *line;
    double peak;
} answer;

/* ---- One point ---- */

static json_t *find_line(char *output, const char *name)
{
    char *rest = NULL;
    for (char *line = strtok_r(output, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, 0, NULL);
        const char *found = json_string_value(json_object_get(object, "name"));
        if (found != NULL && strcmp(found, name) == 0)
            return object;
        json_decref(object);
    }
    return NULL;
}

typedef struct words {
    char text[24][BENCH_PATH_SIZE];
    char *argv[25];
    int count;
} words;

static void add_word(words *w, const char *text)
{
    DV_ASSERT(w->count < 24);
    snprintf(w->text[w->count], sizeof w->text[0], "%s", text);
    w->argv[w->count] = w->text[w->count];
    w->argv[++w->count] = NULL;
}

static void add_number(words *w, const char *option, double number)
{
    char text[32];
    snprintf(text, sizeof text, "%.15g", number);
    add_word(w, option);
    add_word(w, text);
}

static dv_status make_command(const bench *b, const point *p, words *w)
{
    char self[BENCH_PATH_SIZE];
    DV_TRY(bench_self(self, sizeof self));
    add_word(w, self);
    add_word(w, p->suite);
    add_word(w, "--out=-");
    add_word(w, "--table=false");
    add_word(w, "--filter");
    add_word(w, p->name);
    add_word(w, "--device");
    add_word(w, b->chosen.device);
    add_word(w, "--models");
    add_word(w, b->chosen.models);
    add_word(w, "--precision");
    add_word(w, dv_precision_names[b->chosen.precision]);
    add_number(w, "--threads", p->threads);
    add_number(w, "--seconds", bench_effort(b, 0.5).seconds);
    if (p->batch > 0)
        add_number(w, "--batch", (double)p->batch);
    if (p->clips > 0) {
        add_number(w, "--clips", (double)p->clips);
        add_number(w, "--clip_seconds", clip_seconds);
    }
    return DV_OK;
}

/* Runs the program of one point. Unless `output` is NULL, *output receives all lines; the caller
   frees it. */
static dv_status run_point(const bench *b, const point *p, char **output, answer *out)
{
    words *command;
    child_result result;
    char *text = NULL;
    DV_TRY(dv_calloc(1, sizeof *command, &command));
    dv_status status = make_command(b, p, command);
    if (status == DV_OK)
        status = child_run(command->argv, &result, &text);
    free(command);
    DV_TRY(status);
    if (output != NULL)
        status = dv_strdup(text, output);
    out->peak = result.peak;
    out->line = find_line(text, p->name);
    free(text);
    if (status == DV_OK && out->line == NULL)
        status = DV_FAIL(DV_EFORMAT, "the suite %s says nothing of %s", p->suite, p->name);
    if (status != DV_OK) {
        json_decref(out->line);
        if (output != NULL) {
            free(*output);
            *output = NULL;
        }
    }
    return status;
}

static double number_of(const json_t *line, const char *key)
{
    return json_number_value(json_object_get(line, key));
}

static dv_times times_of(const json_t *line)
{
    return (dv_times){.median = number_of(line, "median"),
                      .low = number_of(line, "low"),
                      .high = number_of(line, "high"),
                      .p99 = number_of(line, "p99"),
                      .minimum = number_of(line, "minimum"),
                      .count = (int64_t)number_of(line, "count")};
}

static dv_times once(double value)
{
    return (dv_times){
        .median = value, .low = value, .high = value, .p99 = value, .minimum = value, .count = 1};
}

/* ---- Growth ---- */

typedef struct curve {
    double size[MOST_POINTS], value[MOST_POINTS];
    int count;
} curve;

static void add_point(curve *c, double size, double value)
{
    DV_ASSERT(c->count < MOST_POINTS && value > 0);
    c->size[c->count] = size;
    c->value[c->count++] = value;
}

/* The slope of a straight line through the logarithms of the points from `first` on, by least
   squares. */
static double exponent_from(const curve *c, int first)
{
    double x = 0, y = 0, xx = 0, xy = 0, n = c->count - first;
    for (int i = first; i < c->count; i++) {
        double a = log(c->size[i]), b = log(c->value[i]);
        x += a;
        y += b;
        xx += a * a;
        xy += a * b;
    }
    return (n * xy - x * y) / (n * xx - x * x);
}

/* Writes the exponent of all points, and that of the last three, where constant parts hide less of
   the growth. */
static dv_status write_exponent(bench *b, const char *name, int threads, const curve *c)
{
    if (c->count < 2)
        return DV_OK;
    double all = exponent_from(c, 0), tail = exponent_from(c, c->count > 3 ? c->count - 3 : 0);
    bench_result result = {.name = name,
                           .unit = "exponent",
                           .cache = "as it comes",
                           .threads = threads,
                           .value = once(all),
                           .figures = {{"last_three", tail},
                                       {"at_most_linear", all <= linear && tail <= linear ? 1 : 0},
                                       {"smallest", c->size[0]},
                                       {"largest", c->size[c->count - 1]}}};
    return bench_write(b, &result);
}

/* Writes one line with one figure. */
static dv_status write_line(bench *b, const char *name, const char *unit, int threads,
                            dv_times value, bench_figure figure)
{
    bench_result result = {.name = name,
                           .unit = unit,
                           .cache = "a program of its own",
                           .threads = threads,
                           .value = value,
                           .figures = {figure}};
    return bench_write(b, &result);
}

/* ---- Threads ---- */

static dv_status measure_threads(bench *b, const char *suite, const char *work)
{
    char wanted[BENCH_NAME_SIZE], name[BENCH_NAME_SIZE];
    double one = 0;
    DV_TRY(bench_format(wanted, sizeof wanted, "%s/%s/batch_%d", work, model, THREADS_BATCH));
    for (int threads = 1;; threads = 2 * threads < b->threads ? 2 * threads : b->threads) {
        answer found;
        const point p = {
            .suite = suite, .name = wanted, .threads = threads, .batch = THREADS_BATCH};
        DV_TRY(run_point(b, &p, NULL, &found));
        dv_times value = times_of(found.line);
        json_decref(found.line);
        one = threads == 1 ? value.median : one;
        DV_TRY(bench_format(name, sizeof name, "threads/%s/%s", work, model));
        DV_TRY(write_line(b, name, "s", threads, value,
                          (bench_figure){"times_one_thread", one / value.median}));
        if (threads == b->threads)
            return DV_OK;
    }
}

/* ---- Batches ---- */

static dv_status measure_batches(bench *b, const char *suite, const char *work)
{
    static const int64_t batches[] = {1, 4, 16, 64, 256, 1024};
    curve time = {.count = 0}, memory = {.count = 0};
    char wanted[BENCH_NAME_SIZE], name[BENCH_NAME_SIZE];
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        double batch = (double)batches[i];
        answer found;
        DV_TRY(bench_format(wanted, sizeof wanted, "%s/%s/batch_%.0f", work, model, batch));
        const point p = {.suite = suite, .name = wanted, .threads = 1, .batch = batches[i]};
        DV_TRY(run_point(b, &p, NULL, &found));
        dv_times value = times_of(found.line);
        json_decref(found.line);
        add_point(&time, batch, value.median);
        add_point(&memory, batch, found.peak);
        DV_TRY(bench_format(name, sizeof name, "batch_%.0f/%s/time", batch, work));
        DV_TRY(write_line(b, name, "s", 1, value,
                          (bench_figure){"samples_per_s", batch / value.median}));
        DV_TRY(bench_format(name, sizeof name, "batch_%.0f/%s/memory", batch, work));
        DV_TRY(write_line(b, name, "B", 1, once(found.peak),
                          (bench_figure){"bytes_per_sample", found.peak / batch}));
    }
    DV_TRY(bench_format(name, sizeof name, "batch/%s/time/exponent", work));
    DV_TRY(write_exponent(b, name, 1, &time));
    DV_TRY(bench_format(name, sizeof name, "batch/%s/memory/exponent", work));
    return write_exponent(b, name, 1, &memory);
}

/* ---- Clips ---- */

typedef struct clip_curves {
    curve load, epoch, memory;
} clip_curves;

static dv_status write_clips(bench *b, double clips, const answer *epoch, const json_t *load,
                             clip_curves *curves)
{
    char name[BENCH_NAME_SIZE];
    dv_times load_times = times_of(load), epoch_times = times_of(epoch->line);
    add_point(&curves->load, clips, load_times.median);
    add_point(&curves->epoch, clips, epoch_times.median);
    add_point(&curves->memory, clips, epoch->peak);
    DV_TRY(bench_format(name, sizeof name, "clips_%.0f/load", clips));
    DV_TRY(write_line(b, name, "s", 1, load_times,
                      (bench_figure){"clips_per_s", clips / load_times.median}));
    DV_TRY(bench_format(name, sizeof name, "clips_%.0f/epoch", clips));
    DV_TRY(write_line(b, name, "s", 1, epoch_times,
                      (bench_figure){"clips_per_s", clips / epoch_times.median}));
    DV_TRY(bench_format(name, sizeof name, "clips_%.0f/memory", clips));
    return write_line(b, name, "B", 1, once(epoch->peak),
                      (bench_figure){"bytes_per_clip", epoch->peak / clips});
}

static dv_status measure_size(bench *b, int64_t clips, clip_curves *curves)
{
    char wanted[BENCH_NAME_SIZE], load_name[BENCH_NAME_SIZE], *output = NULL;
    answer epoch;
    DV_TRY(bench_format(wanted, sizeof wanted, "epoch/%s", model));
    DV_TRY(bench_format(load_name, sizeof load_name, "epoch/%s/load", model));
    const point p = {.suite = "train", .name = wanted, .threads = 1, .clips = clips};
    DV_TRY(run_point(b, &p, &output, &epoch));
    json_t *load = find_line(output, load_name);
    dv_status status = load != NULL
                           ? write_clips(b, (double)clips, &epoch, load, curves)
                           : DV_FAIL(DV_EFORMAT, "the suite train says nothing of %s", load_name);
    json_decref(load);
    json_decref(epoch.line);
    free(output);
    return status;
}

static dv_status measure_clips(bench *b)
{
    clip_curves curves = {.load = {.count = 0}};
    int64_t most = b->chosen.clips > 0 ? b->chosen.clips : 100000;
    for (int64_t clips = 100; clips <= most; clips *= 10)
        DV_TRY(measure_size(b, clips, &curves));
    DV_TRY(write_exponent(b, "clips/load/exponent", 1, &curves.load));
    DV_TRY(write_exponent(b, "clips/epoch/exponent", 1, &curves.epoch));
    return write_exponent(b, "clips/memory/exponent", 1, &curves.memory);
}

/* ---- The suite ---- */

typedef struct part {
    const char *name, *suite, *work;
    dv_status (*measure)(bench *b, const char *suite, const char *work);
} part;

static dv_status measure_clips_part(bench *b, const char *suite, const char *work)
{
    (void)suite, (void)work;
    return measure_clips(b);
}

dv_status bench_suite_scale(bench *b)
{
    static const part parts[] = {
        {"threads/step", "train", "step", measure_threads},
        {"threads/forward", "infer", "forward", measure_threads},
        {"batch/step", "train", "step", measure_batches},
        {"batch/forward", "infer", "forward", measure_batches},
        {"clips", NULL, NULL, measure_clips_part},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (bench_wants(b, parts[i].name))
            DV_TRY(parts[i].measure(b, parts[i].suite, parts[i].work));
    }
    return DV_OK;
}
