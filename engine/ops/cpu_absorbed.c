/* Decides whether a step absorbs a node, and makes an epilogue from the absorbed nodes. */
#include "engine/ops/cpu_absorbed.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/cpu.h"
#include "engine/ops/ops.h"

#include <math.h>
#include <string.h>

enum { LANES = 16 };

/* The stages of an epilogue in the order in which nodes can be absorbed. */
typedef enum stage { SUMS, NORMED, ADDED, ACTIVATED } stage;

static stage behind(const dv_node *node)
{
    const dv_batchnorm_attr *norm = node->attr;
    const dv_activation_attr *activation = node->attr;
    switch (node->op->id) {
    case DV_OP_batchnorm:
        if (norm->activation != DV_ACT_NONE)
            return ACTIVATED;
        return node->input_count > 1 ? ADDED : NORMED;
    case DV_OP_activation:
        return activation->kind != DV_ACT_NONE ? ACTIVATED : SUMS;
    default:
        return ADDED;
    }
}

bool dv__cpu_epilogue_takes(const dv_node_step *step, int activation, bool scales,
                            const dv_node *next, int input)
{
    stage now = activation != DV_ACT_NONE ? ACTIVATED : scales ? SUMS : NORMED;
    for (int k = 0; k < step->absorbed_count; k++) {
        stage then = behind(step->absorbed[k].node);
        now = then > now ? then : now;
    }
    switch (next->op->id) {
    case DV_OP_batchnorm:
        return now < NORMED && input == 0;
    case DV_OP_add:
        return now < ADDED;
    case DV_OP_activation:
        return now < ACTIVATED;
    default:
        return false;
    }
}

size_t dv__cpu_epilogue_bytes(int64_t channels)
{
    return 2 * (size_t)((channels + LANES - 1) / LANES * LANES) * sizeof(float);
}

DV_CPU_CLONES
static void fold_norm(const dv_absorbed *absorbed, float epsilon, const float *restrict bias,
                      int64_t channels, float *restrict scale, float *restrict shift)
{
    const float *restrict weight = absorbed->w[0], *restrict beta = absorbed->w[1];
    const float *restrict mean = absorbed->state[0], *restrict var = absorbed->state[1];
    if (bias == NULL) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            scale[c] = weight[c] * (1.0F / sqrtf(var[c] + epsilon));
            shift[c] = beta[c] - mean[c] * scale[c];
        }
        return;
    }
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        scale[c] = weight[c] * (1.0F / sqrtf(var[c] + epsilon));
        shift[c] = beta[c] + (bias[c] - mean[c]) * scale[c];
    }
}

/* The input of an absorbed node that is not the step's result. */
static const float *other_input(const dv_absorbed *absorbed)
{
    return absorbed->x[0] != NULL ? absorbed->x[0] : absorbed->x[1];
}

dv_cpu_epilogue dv__cpu_epilogue_follow(const dv_node_step *step, int activation)
{
    dv_cpu_epilogue out = {.activation = activation};
    for (int k = 0; k < step->absorbed_count; k++) {
        const dv_absorbed *absorbed = &step->absorbed[k];
        const dv_batchnorm_attr *norm = absorbed->node->attr;
        if (absorbed->node->input_count > 1)
            out.residual = other_input(absorbed);
        if (absorbed->node->op->id == DV_OP_batchnorm)
            out.activation = norm->activation;
        if (absorbed->node->op->id == DV_OP_activation)
            out.activation = ((const dv_activation_attr *)absorbed->node->attr)->kind;
    }
    return out;
}

dv_cpu_epilogue dv__cpu_epilogue_make(const dv_node_step *step, int activation, const float *bias,
                                      int64_t channels, void *scratch)
{
    int64_t filled = (channels + LANES - 1) / LANES * LANES;
    float *scale = scratch, *shift = scale + filled;
    dv_cpu_epilogue out = dv__cpu_epilogue_follow(step, activation);
    if (step->absorbed_count > 0 && step->absorbed[0].node->op->id == DV_OP_batchnorm) {
        const dv_batchnorm_attr *norm = step->absorbed[0].node->attr;
        fold_norm(&step->absorbed[0], (float)norm->epsilon, bias, channels, scale, shift);
        out.scale = scale;
        out.shift = shift;
    } else if (bias != NULL) {
        memcpy(shift, bias, (size_t)channels * sizeof *shift);
        out.shift = shift;
    }
    for (int64_t c = channels; c < filled; c++)
        scale[c] = shift[c] = 0; /* padding; the results are not used */
    return out;
}
