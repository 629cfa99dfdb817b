/* Launchers of the loss with a teacher; see engine/ops/distillation/distillation.h, and
   elementwise.h for the conventions. */
#ifndef DV_KERNELS_DISTILLATION_H
#define DV_KERNELS_DISTILLATION_H

#include "kernels/formulas/dtype.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dv_distillation {
    double weight, temperature;
    const void *logits, *teacher; /* (rows, classes), of the dtype */
    const float *targets;         /* (rows, classes) */
    int64_t rows, classes;
} dv_distillation;

/* Computes losses (rows) from loss (rows). */
int dv_launch_distillation(dv_dtype dtype, const dv_distillation *call, const float *loss,
                           float *losses, void *stream);

/* Computes dloss (rows) and dlogits, of the shape of logits, from dy (rows). Either may be NULL. */
int dv_launch_distillation_backward(dv_dtype dtype, const dv_distillation *call, const float *dy,
                                    float *dloss, void *dlogits, void *stream);

#ifdef __cplusplus
}
#endif

#endif
