/* Functions that the suites share: precisions, clearing the caches, lists of files, and results as
   a table and as JSON lines. */
#include "benchmarks/bench.h"

#include "engine/base/temporary.h"
#include "engine/train/trainer.h"
#include "frontends/model/model_file.h"
#include "runner/cli/commit.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

dv_dtype bench_dtype(int precision)
{
    return dv_arithmetic_dtype((dv_arithmetic)precision);
}

bool bench_tf32(int precision)
{
    return precision == DV_ARITHMETIC_TF32;
}

void bench_set_training(int precision, dv_train_config *config)
{
    static const int mixed[] = {
        [DV_F32] = DV_MIXED_NONE, [DV_F16] = DV_MIXED_FP16, [DV_BF16] = DV_MIXED_BF16};
    config->mixed_precision = mixed[bench_dtype(precision)];
    config->tf32 = bench_tf32(precision);
}

bool bench_wants(const bench *b, const char *name)
{
    return strstr(name, b->chosen.filter) != NULL;
}

dv_time_options bench_effort(const bench *b, double fallback)
{
    double seconds = b->chosen.seconds > 0 ? b->chosen.seconds : fallback;
    return (dv_time_options){.warm = seconds / 5, .seconds = seconds};
}

dv_status bench_format(char *out, size_t size, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int length = vsnprintf(out, size, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= size)
        return DV_FAIL(DV_EARG, "the text '%.60s...' is too long", out);
    return DV_OK;
}

/* ---- Clearing the caches ---- */

dv_status bench_make_flush(bench *b)
{
    enum { OWN = 8 << 20 }; /* least bytes per thread: twice its own cache */
    if (b->flushed != NULL)
        return DV_OK;
    size_t bytes = 2 * b->cache, least = (size_t)b->threads * OWN;
    b->flushed_count = (bytes > least ? bytes : least) / sizeof(float);
    DV_TRY(dv_calloc(b->flushed_count, sizeof(float), &b->flushed));
    for (size_t i = 0; i < b->flushed_count; i++) /* a write gives each page memory of its own */
        b->flushed[i] = 1;
    return DV_OK;
}

void bench_flush(bench *b)
{
    enum { LINE = 64 / sizeof(float) };
    float sum = 0;
#pragma omp parallel for num_threads(b->threads) schedule(static) reduction(+ : sum)
    for (size_t i = 0; i < b->flushed_count; i += LINE)
        sum += b->flushed[i];
    b->sink = sum;
}

/* ---- Files ---- */

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static dv_status add_name(bench_names *names, const char *text, size_t length)
{
    char **more = realloc(names->items, (names->count + 1) * sizeof *more);
    if (more == NULL)
        return DV_FAIL(DV_ENOMEM, "%zu names", names->count + 1);
    names->items = more;
    DV_TRY(dv_calloc(length + 1, 1, &names->items[names->count]));
    memcpy(names->items[names->count++], text, length);
    return DV_OK;
}

dv_status bench_list(const char *folder, const char *ending, bench_names *out)
{
    dv_status status = DV_OK;
    *out = (bench_names){0};
    DIR *open_folder = opendir(folder);
    if (open_folder == NULL)
        return DV_FAIL(DV_EIO, "%s: %s", folder, strerror(errno));
    struct dirent *entry;
    while (status == DV_OK && (entry = readdir(open_folder)) != NULL) {
        size_t length = strlen(entry->d_name), end = strlen(ending);
        if (length > end && strcmp(entry->d_name + length - end, ending) == 0)
            status = add_name(out, entry->d_name, length - end);
    }
    closedir(open_folder);
    if (status == DV_OK && out->count == 0)
        status = DV_FAIL(DV_EARG, "%s: there is no file *%s", folder, ending);
    if (status != DV_OK)
        bench_names_free(out);
    else
        qsort(out->items, out->count, sizeof *out->items, by_name);
    return status;
}

void bench_names_free(bench_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (bench_names){0};
}

dv_status bench_model_read(const char *path, dv_tree **out)
{
    dv_tree *file;
    DV_TRY(dv_model_file_read(path, &file));
    const dv_tree *model = dv_tree_get(file, "model");
    dv_status status = dv_tree_copy(model != NULL ? model : file, out);
    dv_tree_free(file);
    return status;
}

dv_status bench_model(const bench *b, const char *name, dv_tree **out)
{
    char path[BENCH_PATH_SIZE];
    DV_TRY(bench_format(path, sizeof path, "%s/%s.yaml", b->chosen.models, name));
    return bench_model_read(path, out);
}

dv_status bench_temporary(bench *b)
{
    if (b->folder[0] != '\0')
        return DV_OK;
    return dv_temporary_folder(b->folder, sizeof b->folder);
}

/* ---- Results ---- */

static json_t *figures_json(const bench_result *result)
{
    json_t *figures = json_object();
    for (int i = 0; i < BENCH_FIGURES && result->figures[i].key != NULL; i++)
        json_object_set_new(figures, result->figures[i].key, json_real(result->figures[i].value));
    return figures;
}

static void set_value(json_t *line, const dv_times *value)
{
    json_object_set_new(line, "median", json_real(value->median));
    json_object_set_new(line, "low", json_real(value->low));
    json_object_set_new(line, "high", json_real(value->high));
    json_object_set_new(line, "p99", json_real(value->p99));
    json_object_set_new(line, "minimum", json_real(value->minimum));
    json_object_set_new(line, "count", json_integer(value->count));
}

static json_t *result_json(const bench *b, const bench_result *result)
{
    char date[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:i, s:s}", "suite", b->suite, "name", result->name, "device",
                  b->chosen.device, "threads", result->threads > 0 ? result->threads : b->threads,
                  "unit", result->unit);
    set_value(line, &result->value);
    if (result->batch > 0)
        json_object_set_new(line, "batch", json_integer(result->batch));
    if (result->precision != NULL)
        json_object_set_new(line, "precision", json_string(result->precision));
    json_object_set_new(line, "cache", json_string(result->cache));
    json_object_set_new(line, "figures", figures_json(result));
    json_object_set_new(
        line, "machine",
        json_pack("{s:s, s:i}", "processor", b->processor, "processors", b->processors));
    json_object_set_new(line, "versions", json_string(b->versions));
    json_object_set_new(line, "commit", json_string(dv_commit()));
    json_object_set_new(line, "build", json_string(bench_build()));
    json_object_set_new(line, "date", json_string(date));
    return line;
}

/* Formats three digits and a unit: "12.3 us", "45.1 MB". */
static void format_value(const char *unit, double value, char text[24])
{
    static const char *const times[] = {"ns", "us", "ms", "s"};
    static const char *const sizes[] = {"B", "kB", "MB", "GB"};
    bool time = strcmp(unit, "s") == 0;
    if (!time && strcmp(unit, "B") != 0) {
        snprintf(text, 24, "%.3f", value);
        return;
    }
    double scaled = time ? 1e9 * value : value;
    int step = 0;
    for (; step < 3 && scaled >= 999.5; step++)
        scaled /= 1000;
    snprintf(text, 24, "%.*f %s",
             scaled < 9.995   ? 2
             : scaled < 99.95 ? 1
                              : 0,
             scaled, (time ? times : sizes)[step]);
}

static void print_row(bench *b, const bench_result *result)
{
    char median[24], low[24], high[24];
    format_value(result->unit, result->value.median, median);
    format_value(result->unit, result->value.low, low);
    format_value(result->unit, result->value.high, high);
    if (b->written == 0)
        fprintf(stderr, "%-52s %7s %10s %10s %10s %7s\n", b->suite, "threads", "median", "low",
                "high", "count");
    fprintf(stderr, "%-52s %7d %10s %10s %10s %7lld ", result->name,
            result->threads > 0 ? result->threads : b->threads, median, low, high,
            (long long)result->value.count);
    for (int i = 0; i < BENCH_FIGURES && result->figures[i].key != NULL; i++)
        fprintf(stderr, " %s %.4g", result->figures[i].key, result->figures[i].value);
    fprintf(stderr, "\n");
}

dv_status bench_write(bench *b, const bench_result *result)
{
    for (int i = 0; i < BENCH_FIGURES && result->figures[i].key != NULL; i++) {
        if (!isfinite(result->figures[i].value))
            return DV_FAIL(DV_ENUMERIC, "%s: %s is not finite", result->name,
                           result->figures[i].key);
    }
    if (b->chosen.table)
        print_row(b, result);
    b->written++;
    if (b->out == NULL)
        return DV_OK;
    json_t *line = result_json(b, result);
    int failed = json_dumpf(line, b->out, JSON_REAL_PRECISION(9));
    json_decref(line);
    if (failed != 0 || fputc('\n', b->out) == EOF || fflush(b->out) != 0)
        return DV_FAIL(DV_EIO, "%s: %s", b->chosen.out, strerror(errno));
    return DV_OK;
}
