/* The machine's largest rates, measured in the same run as the results that are compared with
   them. */
#ifndef DV_BENCHMARKS_CEILINGS_H
#define DV_BENCHMARKS_CEILINGS_H

#include "benchmarks/bench.h"

typedef struct bench_ceilings {
    double copy;   /* bytes per second, read and written, of a copy of memory outside the caches */
    double matmul; /* operations per second of a product of square matrices in the caches */
} bench_ceilings;

/* Measures both and writes them as results. Needs bench_make_flush. */
dv_status bench_measure_ceilings(bench *b, bench_ceilings *out);

#endif
