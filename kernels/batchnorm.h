/* Batch normalisation over (rows, channels) with residual and activation; see
   engine/ops/batchnorm/batchnorm.h for the operation and elementwise.h for the conventions. */
#ifndef DV_KERNELS_BATCHNORM_H
#define DV_KERNELS_BATCHNORM_H

#include "kernels/formulas/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tensors are (rows, channels), vectors (channels). */
typedef struct dv_batchnorm {
    dv_dtype dtype;
    int activation; /* dv_activation_kind */
    bool running;   /* use the running statistics as constants, not those of the batch */
    int64_t rows, channels;
    double epsilon, momentum;

    const void *x;
    const void *residual; /* may be NULL */
    void *y;
    const float *weight, *bias;
    float *running_mean, *running_var; /* updated by forward unless `running` */
    float *saved;   /* dv_batchnorm_saved bytes, from forward to backward; unused if `running` */
    float *scratch; /* dv_batchnorm_scratch bytes */

    /* for backward */
    const void *dy;
    void *dx, *dresidual; /* NULL if not wanted */
    float *dweight, *dbias;
} dv_batchnorm;

size_t dv_batchnorm_saved(int64_t channels);
size_t dv_batchnorm_scratch(int64_t rows, int64_t channels); /* 0 if one launch is enough */

int dv_launch_batchnorm(const dv_batchnorm *call, void *stream);
int dv_launch_batchnorm_backward(const dv_batchnorm *call, void *stream);

#ifdef __cplusplus
}
#endif

#endif
