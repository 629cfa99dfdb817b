/* Whole epochs of training, with all that belongs to them: augmentation, features, steps. */
#ifndef DV_BENCHMARKS_EPOCHS_H
#define DV_BENCHMARKS_EPOCHS_H

#include "benchmarks/bench.h"

typedef struct epochs_result {
    dv_times load;   /* listing and reading all files, which the file cache holds */
    dv_times epoch;  /* without the first one, where there are more than two */
    int64_t clips;   /* of training: all */
    int64_t samples; /* bytes of sound in memory */
    int64_t batch;
} epochs_result;

/* Over --data, or --clips synthetic ones, for about `seconds` each. */
dv_status epochs_measure(bench *b, const char *model, double seconds, epochs_result *out);

#endif
