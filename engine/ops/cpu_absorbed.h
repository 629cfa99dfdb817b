/*
 * Makes the epilogue of a product (engine/gemm/cpu_epilogue.h) from the layer's bias and the nodes
 * that its step has absorbed: batch norm, addition, activation. Scale and shift come from the bias
 * and from a batch norm's running statistics. Each forward pass computes them again, so that
 * changes of the parameters take effect at once.
 */
#ifndef DV_OPS_CPU_ABSORBED_H
#define DV_OPS_CPU_ABSORBED_H

#include "engine/core/plan.h"
#include "engine/gemm/cpu_epilogue.h"

/* Whether the step can absorb `next` after the nodes it has absorbed already. The order is batch
   norm, sum, activation; each may be missing. `activation` is the layer's own, which comes before
   them. `scales` is false if the step has no place for scale and shift. */
bool dv__cpu_epilogue_takes(const dv_node_step *step, int activation, bool scales,
                            const dv_node *next, int input);

/* Bytes of scratch for scale and shift of `channels`. */
size_t dv__cpu_epilogue_bytes(int64_t channels);

/* Makes the epilogue. bias (channels) may be NULL. */
dv_cpu_epilogue dv__cpu_epilogue_make(const dv_node_step *step, int activation, const float *bias,
                                      int64_t channels, void *scratch);

/* Makes the epilogue without scale and shift: the residual and the activation. */
dv_cpu_epilogue dv__cpu_epilogue_follow(const dv_node_step *step, int activation);

#endif
