/*
 * The epilogue of a product (engine/gemm/cpu_epilogue.h) out of the layer's bias and the nodes that
 * its step has absorbed: batch norm, addition, activation. Scale and shift are the bias and a batch
 * norm with its running statistics; they are made anew in each forward pass, so that what is
 * written to the parameters holds at once.
 */
#ifndef DV_OPS_CPU_ABSORBED_H
#define DV_OPS_CPU_ABSORBED_H

#include "engine/core/plan.h"
#include "engine/gemm/cpu_epilogue.h"

/* Whether `next` can come behind what the step has absorbed already: batch norm, sum, activation,
   in this order, each of them or not. activation: the step's own, before all of them; scales:
   false where the step has no place for scale and shift. */
bool dv__cpu_epilogue_takes(const dv_node_step *step, int activation, bool scales,
                            const dv_node *next, int input);

/* Bytes of scratch for scale and shift of `channels`. */
size_t dv__cpu_epilogue_bytes(int64_t channels);

/* bias (channels) or NULL. */
dv_cpu_epilogue dv__cpu_epilogue_make(const dv_node_step *step, int activation, const float *bias,
                                      int64_t channels, void *scratch);

/* Where there is no batch norm: the residual and the activation. */
dv_cpu_epilogue dv__cpu_epilogue_follow(const dv_node_step *step, int activation);

#endif
