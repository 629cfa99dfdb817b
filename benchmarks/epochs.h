/* Whole epochs of training: augmentation, features and steps. */
#ifndef DV_BENCHMARKS_EPOCHS_H
#define DV_BENCHMARKS_EPOCHS_H

#include "benchmarks/bench.h"

typedef struct epochs_result {
    dv_times load;   /* listing and reading all files, from the file cache */
    dv_times epoch;  /* the first epoch is left out if there are more than two */
    int64_t clips;   /* number of training clips: the whole data set */
    int64_t samples; /* bytes of sound in memory */
    int64_t batch;
} epochs_result;

/* Measures loading and epochs, each for about `seconds`, over the data set of --data or else over
   --clips synthetic clips. */
dv_status epochs_measure(bench *b, const char *model, double seconds, epochs_result *out);

#endif
