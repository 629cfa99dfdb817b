/* Squeeze and excitation, each direction in one launch. See
   engine/ops/squeeze_excite/squeeze_excite.h for formulas and parameters, and elementwise.h for the
   conventions. */
#ifndef DV_KERNELS_SQUEEZE_EXCITE_H
#define DV_KERNELS_SQUEEZE_EXCITE_H

#include "kernels/formulas/dtype.h"
#include "kernels/formulas/gate_limits.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dv_squeeze_excite_sizes {
    int64_t samples, positions, channels, middle;
    int activation; /* dv_activation_kind */
} dv_squeeze_excite_sizes;

/* reduce (middle, channels), expand (channels, middle) */
typedef struct dv_squeeze_excite_weights {
    const float *reduce, *reduce_bias, *expand, *expand_bias;
} dv_squeeze_excite_weights;

typedef struct dv_squeeze_excite_gradients {
    float *reduce, *reduce_bias, *expand, *expand_bias;
} dv_squeeze_excite_gradients;

/* Results of forward that backward reads. */
typedef struct dv_squeeze_excite_saved {
    float *mean;      /* (samples, channels) */
    float *before;    /* (samples, middle), the middle units before the activation */
    float *hidden;    /* (samples, middle), the middle units after it */
    float *gate;      /* (samples, channels) */
    unsigned *ticket; /* for dv_last_block (last_block.cuh); forward writes it */
} dv_squeeze_excite_saved;

/* Gradients before the activations, for one launch. */
typedef struct dv_squeeze_excite_scratch {
    float *reduce; /* (samples, middle) */
    float *expand; /* (samples, channels) */
} dv_squeeze_excite_scratch;

/* Bytes of shared memory of a block. Beyond DV_GATE_SHARED the launchers return
   cudaErrorInvalidValue. */
size_t dv_squeeze_excite_shared(const dv_squeeze_excite_sizes *sizes);

/* x, y (samples, positions, channels) */
int dv_launch_squeeze_excite(dv_dtype dtype, const dv_squeeze_excite_sizes *sizes, const void *x,
                             const dv_squeeze_excite_weights *weights,
                             const dv_squeeze_excite_saved *record, void *y, void *stream);

/* dx has the shape of x and may be NULL. */
int dv_launch_squeeze_excite_backward(dv_dtype dtype, const dv_squeeze_excite_sizes *sizes,
                                      const void *x, const void *dy,
                                      const dv_squeeze_excite_weights *weights,
                                      const dv_squeeze_excite_saved *record,
                                      const dv_squeeze_excite_scratch *scratch, void *dx,
                                      const dv_squeeze_excite_gradients *gradients, void *stream);

#ifdef __cplusplus
}
#endif

#endif
