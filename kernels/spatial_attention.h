/* Spatial attention, each direction in one launch. See
   engine/ops/spatial_attention/spatial_attention.h for formulas, and elementwise.h for the
   conventions. */
#ifndef DV_KERNELS_SPATIAL_ATTENTION_H
#define DV_KERNELS_SPATIAL_ATTENTION_H

#include "kernels/formulas/dtype.h"
#include "kernels/formulas/gate_limits.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dv_spatial_attention_sizes {
    int64_t samples, height, width, channels, kernel;
} dv_spatial_attention_sizes;

/* Results of forward that backward reads. */
typedef struct dv_spatial_attention_saved {
    float *map;       /* (samples, 2, height, width), mean and maximum over the channels */
    float *gate;      /* (samples, height, width) */
    int32_t *place;   /* (samples, height, width), the first channel that has the maximum */
    unsigned *ticket; /* for dv_last_block (last_block.cuh); forward writes it */
} dv_spatial_attention_saved;

/* Bytes of shared memory of a block, for the maps with zeros around them and the weight. Beyond
   DV_GATE_SHARED the launchers return cudaErrorInvalidValue. */
size_t dv_spatial_attention_shared(const dv_spatial_attention_sizes *sizes);

/* x, y (samples, height, width, channels), weight (2, kernel, kernel) */
int dv_launch_spatial_attention(dv_dtype dtype, const dv_spatial_attention_sizes *sizes,
                                const void *x, const float *weight,
                                const dv_spatial_attention_saved *record, void *y, void *stream);

/* dx has the shape of x and may be NULL, dweight has the shape of weight. scratch (samples, 2,
   kernel, kernel). */
int dv_launch_spatial_attention_backward(dv_dtype dtype, const dv_spatial_attention_sizes *sizes,
                                         const void *x, const void *dy, const float *weight,
                                         const dv_spatial_attention_saved *record, float *scratch,
                                         void *dx, float *dweight, void *stream);

#ifdef __cplusplus
}
#endif

#endif
