/*
 * What the suites of decavox_bench share: the command line, the machine, a cache to be cleared, and
 * the one way out for results, a table on stderr and JSON lines.
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
    notes said;                  /* what the context has said */
    dv_context *context;         /* the device's; NULL in suites that only start programs */
    int threads;                 /* the number in use: `threads`, or all physical cores */
    char versions[256];          /* the backend's libraries */
    char processor[256];         /* dv_proc_processor */
    int processors;              /* of the machine */
    char folder[DV_STRING_SIZE]; /* temporary, made by bench_temporary; "": none */
    float *flushed;              /* (flushed_count); NULL before it is needed */
    size_t cache, flushed_count; /* cache: bytes of the largest one; floats */
    volatile float sink;
    FILE *out; /* NULL: no JSON */
    int64_t written;
} bench;

/* Something that was computed from a result: {"gb_per_s", 12.3}. */
typedef struct bench_figure {
    const char *key;
    double value;
} bench_figure;

/* One line: `value` are seconds or bytes, by `unit`; less is better. */
typedef struct bench_result {
    const char *name;  /* "conv2d/large_stem/forward", one of its kind in the suite */
    const char *unit;  /* "s", "B", or "exponent" of a growth */
    const char *cache; /* what stands in the caches at the beginning: "flushed", "rotated", ... */
    const char *precision; /* NULL: it has none */
    int threads;           /* 0: bench.threads */
    int64_t batch;         /* 0: it has none */
    dv_times value;
    bench_figure figures[BENCH_FIGURES]; /* ended by key NULL where there are fewer */
} bench_result;

/* Of activations in a precision (dv_precision_names), and whether products round floats. */
dv_dtype bench_dtype(int precision);
bool bench_tf32(int precision);
/* Makes it that of a training. */
void bench_set_training(int precision, dv_train_config *config);

/* True where --filter wants it. */
bool bench_wants(const bench *b, const char *name);
dv_status bench_write(bench *b, const bench_result *result);

/* How long to measure: --seconds, or `fallback`; warm for a fifth of it. */
dv_time_options bench_effort(const bench *b, double fallback);

/* Walks a buffer of twice the largest cache, on all threads: for dv_time_options.prepare. The
   buffer is made by bench_make_flush. */
dv_status bench_make_flush(bench *b);
void bench_flush(bench *b);

/* A temporary folder, removed with what is in it by bench_end. */
dv_status bench_temporary(bench *b);

/* The models' files NAME.yaml in --models, sorted: their names without ".yaml". Owned by the caller
   with bench_names_free. */
typedef struct bench_names {
    char **items; /* (count) */
    size_t count;
} bench_names;
dv_status bench_list(const char *folder, const char *ending, bench_names *out);
void bench_names_free(bench_names *names);

/* The section `model` of NAME.yaml in --models; *out owned by the caller. */
dv_status bench_model(const bench *b, const char *name, dv_tree **out);
/* The same of any file; the whole file where it has no such section. */
dv_status bench_model_read(const char *path, dv_tree **out);

/* Text into a buffer; an error where it does not fit. */
dv_status bench_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* machine.c */
size_t bench_largest_cache(void);
size_t bench_resident(void);   /* bytes of this process now */
const char *bench_build(void); /* "Release" */
/* This program, and by default `decavox` beside it. */
dv_status bench_self(char *out, size_t size);
dv_status bench_decavox(const bench *b, char *out, size_t size);

/* The suites. */
dv_status bench_suite_ops(bench *b);
dv_status bench_suite_frontends(bench *b);
dv_status bench_suite_train(bench *b);
dv_status bench_suite_infer(bench *b);
dv_status bench_suite_start(bench *b);
dv_status bench_suite_scale(bench *b);

#endif
