/* What the machine can do at most: measured, in the same run as what is compared with it. */
#ifndef DV_BENCHMARKS_CEILINGS_H
#define DV_BENCHMARKS_CEILINGS_H

#include "benchmarks/bench.h"

typedef struct bench_ceilings {
    double copy;   /* bytes per second, read and written, of a copy of what is in no cache */
    double matmul; /* operations per second of a product of square matrices in the caches */
} bench_ceilings;

/* Measures and writes both; after bench_make_flush. */
dv_status bench_measure_ceilings(bench *b, bench_ceilings *out);

#endif
