/* Layer normalisation over (rows, channels); see engine/ops/layer_norm/layer_norm.h for the
   operation and elementwise.h for the conventions. */
#ifndef DV_KERNELS_LAYER_NORM_H
#define DV_KERNELS_LAYER_NORM_H

#include "kernels/formulas/dtype.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tensors are (rows, channels), vectors (channels). */
typedef struct dv_layer_norm {
    dv_dtype dtype;
    int64_t rows, channels;
    double epsilon;

    const void *x;
    void *y;
    const float *weight, *bias;
    float *saved;   /* dv_layer_norm_saved bytes, from forward to backward; NULL for no backward */
    float *scratch; /* dv_layer_norm_scratch bytes, for backward */

    /* for backward */
    const void *dy;
    void *dx; /* NULL if not wanted */
    float *dweight, *dbias;
} dv_layer_norm;

size_t dv_layer_norm_saved(int64_t rows);
size_t dv_layer_norm_scratch(int64_t rows, int64_t channels);

int dv_launch_layer_norm(const dv_layer_norm *call, void *stream);
int dv_launch_layer_norm_backward(const dv_layer_norm *call, void *stream);

#ifdef __cplusplus
}
#endif

#endif
