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
    uint64_t seed, step;         /* of engine/base/rng.h */
    const dv_progress *progress; /* device memory: the step is progress->step; NULL: it is `step` */
    uint32_t use;
} dv_dropout;

/* out[i] = from[i] times 0 or 1 / (1 - rate), as engine/ops/dropout/dropout.h says; the same for
   values and for gradients: the random numbers are computed anew. (samples, positions, channels) */
int dv_launch_dropout(dv_dtype dtype, const dv_dropout *dropout, const void *from, void *out,
                      void *stream);

#ifdef __cplusplus
}
#endif

#endif
