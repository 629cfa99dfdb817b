/*
 * Shared by the suites of decavox_bench: the command line, facts about the machine, clearing the
 * caches, and writing each result as a row of a table on stderr and as a JSON line.
 */
#ifndef DV_BENCHMARKS_BENCH_H
#define DV_BENCHMARKS_BENCH_H

#include "benchmarks/notes.h"
#include "engine/base/field.h"
#include "engine/core/context.h"
#include "engine/train/trainer.h"
#include "runner/evaluate/timing.h"

#include <stdio.h>

enum { BENCH_FIGURES = 10, BENCH_NAME_SIZE = 256, BENCH_PATH_SIZE = 4096 };

typedef struct bench_options {
    int64_t threads, batch, clips;
    double seconds, clip_seconds;
    bool table;
    int precision; /* dv_arithmetic */
    char device[DV_STRING_SIZE], filter[DV_STRING_SIZE], out[DV_STRING_SIZE];
    char data[DV_STRING_SIZE], models[DV_STRING_SIZE], checkpoints[DV_STRING_SIZE];
    char decavox[DV_STRING_SIZE];
} bench_options;

typedef struct bench {
    const char *suite;
    bench_options chosen;
    notes said;                  /* messages of the context */
    dv_context *context;         /* the device's; NULL in suites that only start programs */
    int threads;                 /* the number in use: --threads, or all physical cores */
    char versions[256];          /* versions of the backend's libraries */
    char processor[256];         /* dv_proc_processor */
    int processors;              /* number of the machine's processors */
    char folder[DV_STRING_SIZE]; /* temporary folder, empty before bench_temporary */
    float *flushed;              /* (flushed_count), NULL before bench_make_flush */
    size_t cache, flushed_count; /* bytes of the largest cache; number of floats */
    volatile float sink;
    FILE *out; /* receives the JSON lines; may be NULL */
    int64_t written;
} bench;

/* A figure that was computed from a result: {"gb_per_s", 12.3}. */
typedef struct bench_figure {
    const char *key;
    double value;
} bench_figure;

/* One measurement. `value` is in `unit`; less is better. */
typedef struct bench_result {
    const char *name;      /* "conv2d/large_stem/forward", unique in the suite */
    const char *unit;      /* "s", "B", or "exponent" for a growth */
    const char *cache;     /* state of the caches before each repetition: "flushed", "rotated" */
    const char *precision; /* NULL if the measurement has none */
    int threads;           /* 0 stands for bench.threads */
    int64_t batch;         /* 0 if the measurement has none */
    dv_times value;
    bench_figure figures[BENCH_FIGURES]; /* a NULL key ends a shorter list */
} bench_result;

/* The type of activations in a precision (an index of dv_precision_names), and whether products use
   TF32. */
dv_dtype bench_dtype(int precision);
bool bench_tf32(int precision);
/* Sets the training's arithmetic to that precision. */
void bench_set_training(int precision, dv_train_config *config);

/* Whether --filter selects the name. */
bool bench_wants(const bench *b, const char *name);
dv_status bench_write(bench *b, const bench_result *result);

/* The time to measure, --seconds or else `fallback`, and a fifth of it to warm up. */
dv_time_options bench_effort(const bench *b, double fallback);

/* Clearing the caches, for dv_time_options.prepare. bench_flush reads a buffer of at least twice
   the largest cache on all threads; bench_make_flush makes the buffer. */
dv_status bench_make_flush(bench *b);
void bench_flush(bench *b);

/* Makes the temporary folder; it is removed with its files when the suite ends. */
dv_status bench_temporary(bench *b);

/* The names of the files in a folder that end with `ending`, sorted and without that ending. The
   caller frees them with bench_names_free. */
typedef struct bench_names {
    char **items; /* (count) */
    size_t count;
} bench_names;
dv_status bench_list(const char *folder, const char *ending, bench_names *out);
void bench_names_free(bench_names *names);

/* The section `model` of NAME.yaml in --models. The caller owns *out. */
dv_status bench_model(const bench *b, const char *name, dv_tree **out);
/* The section `model` of any file, or the whole file if it has no such section. */
dv_status bench_model_read(const char *path, dv_tree **out);

/* Formats text into a buffer. DV_EARG if it does not fit. */
dv_status bench_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* machine.c */
size_t bench_largest_cache(void);
size_t bench_resident(void);   /* resident bytes of this process now */
const char *bench_build(void); /* CMake's build type, as "Release" */
/* Paths of this program, and of `decavox`: --decavox, or else the program of the same build. */
dv_status bench_self(char *out, size_t size);
dv_status bench_decavox(const bench *b, char *out, size_t size);

dv_status bench_suite_ops(bench *b);
dv_status bench_suite_frontends(bench *b);
dv_status bench_suite_train(bench *b);
dv_status bench_suite_infer(bench *b);
dv_status bench_suite_start(bench *b);
dv_status bench_suite_scale(bench *b);

#endif
