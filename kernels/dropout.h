/* Launcher of dropout. Conventions: elementwise.h. */
#ifndef DV_KERNELS_DROPOUT_H
#define DV_KERNELS_DROPOUT_H

#include "kernels/formulas/dtype.h"
#include "kernels/formulas/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dv_dropout {
    int64_t samples, positions, channels;
    bool whole_channels;
    double rate;
    uint64_t seed, step;         /* see engine/base/rng.h */
    const dv_progress *progress; /* in device memory, gives the step; NULL to use `step` */
    uint32_t use;
} dv_dropout;

/* out[i] = from[i] times 0 or 1 / (1 - rate); see engine/ops/dropout/dropout.h. Both are (samples,
   positions, channels). The same call serves values and gradients, since the random numbers are
   computed anew. */
int dv_launch_dropout(dv_dtype dtype, const dv_dropout *dropout, const void *from, void *out,
                      void *stream);

#ifdef __cplusplus
}
#endif

#endif
