/* Keeps copies of packed weights in PyTorch's order, and packs the gradients of these copies. */
#include "engine/ops/cpu_unpacked.h"
#include "engine/core/graph.h"
#include "engine/device/cpu_device.h"

#include <stdlib.h>
#include <string.h>

static dv_status create(const dv_planner *planner, const dv_node_step *step, dv_cpu_unpacked *out)
{
    for (int k = 0; k < step->node->param_count; k++) {
        const dv_layout *layout = out->layouts[k] = dv_planner_layout(planner, k);
        if (layout == NULL)
            continue;
        size_t count = (size_t)layout->elements;
        DV_TRY(dv_calloc(count, sizeof *out->weights[k], &out->weights[k]));
        DV_TRY(dv_calloc(count, sizeof *out->gradients[k], &out->gradients[k]));
        if (step->context->operands == DV_BF16)
            DV_TRY(dv_calloc(count, sizeof *out->halves[k], &out->halves[k]));
    }
    return DV_OK;
}

dv_status dv__cpu_unpacked_create(const dv_planner *planner, const dv_node_step *step,
                                  dv_cpu_unpacked *out)
{
    memset(out, 0, sizeof *out);
    dv_status status = create(planner, step, out);
    if (status != DV_OK)
        dv__cpu_unpacked_drop(out);
    return status;
}

void dv__cpu_unpacked_drop(dv_cpu_unpacked *unpacked)
{
    for (int k = 0; k < DV_MAX_PARAMS; k++) {
        free(unpacked->weights[k]);
        free(unpacked->gradients[k]);
        free(unpacked->halves[k]);
    }
    memset(unpacked, 0, sizeof *unpacked);
}

dv_node_step dv__cpu_unpacked_step(const dv_cpu_unpacked *unpacked, const dv_node_step *step,
                                   void *self)
{
    dv_node_step inner = *step;
    inner.self = self;
    for (int k = 0; k < DV_MAX_PARAMS; k++) {
        if (unpacked->layouts[k] == NULL)
            continue;
        inner.w[k] = inner.w_half[k] = unpacked->weights[k];
        if (unpacked->halves[k] != NULL)
            inner.w_half[k] = unpacked->halves[k];
        inner.dw[k] = unpacked->gradients[k];
    }
    return inner;
}

void dv__cpu_unpack_weights(const dv_cpu_unpacked *unpacked, const dv_node_step *step)
{
    for (int k = 0; k < DV_MAX_PARAMS; k++) {
        const dv_layout *layout = unpacked->layouts[k];
        if (layout == NULL)
            continue;
        layout->unpack(layout, step->w[k], unpacked->weights[k]);
        if (unpacked->halves[k] != NULL)
            dv_cpu_round(unpacked->weights[k], unpacked->halves[k], layout->elements);
    }
}

void dv__cpu_pack_gradients(const dv_cpu_unpacked *unpacked, const dv_node_step *step)
{
    for (int k = 0; k < DV_MAX_PARAMS; k++) {
        const dv_layout *layout = unpacked->layouts[k];
        if (layout != NULL)
            layout->pack(layout, unpacked->gradients[k], step->dw[k]);
    }
}
