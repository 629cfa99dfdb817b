/*
 * For an implementation that takes its weights in PyTorch's order, where a plan before, that only
 * infers, has fixed a packed layout for some of them: copies in PyTorch's order, unpacked in each
 * forward pass; gradients are packed in each backward pass. Correct, for the rare case.
 */
#ifndef DV_OPS_CPU_UNPACKED_H
#define DV_OPS_CPU_UNPACKED_H

#include "engine/core/params.h"
#include "engine/core/plan.h"

typedef struct dv_cpu_unpacked {
    const dv_layout *layouts[DV_MAX_PARAMS]; /* NULL: the parameter is in PyTorch's order */
    float *weights[DV_MAX_PARAMS], *gradients[DV_MAX_PARAMS];
    uint16_t *halves[DV_MAX_PARAMS]; /* the weights rounded, where the context asks for it */
} dv_cpu_unpacked;

/* Of the planned node's parameters. On failure there is nothing to drop. */
dv_status dv__cpu_unpacked_create(const dv_planner *planner, const dv_node_step *step,
                                  dv_cpu_unpacked *out);
void dv__cpu_unpacked_drop(dv_cpu_unpacked *unpacked);

/* The step with the copies for its weights, and `self`. */
dv_node_step dv__cpu_unpacked_step(const dv_cpu_unpacked *unpacked, const dv_node_step *step,
                                   void *self);

/* The copies from the parameters; the parameters' gradients from the copies'. */
void dv__cpu_unpack_weights(const dv_cpu_unpacked *unpacked, const dv_node_step *step);
void dv__cpu_pack_gradients(const dv_cpu_unpacked *unpacked, const dv_node_step *step);

#endif
