/* The weighted sum on the CPU: vectorised loops over the inputs. Sums for the shares are joined in
   double. */
#include "engine/ops/cpu.h"
#include "kernels/formulas/scalar_math.h"

#include <math.h>

static void compute_shares(const dv_node_step *s, float share[DV_MAX_INPUTS])
{
    const float *weight = s->w[0];
    int parts = s->node->input_count;
    float largest = weight[0], sum = 0;
    for (int k = 1; k < parts; k++)
        largest = fmaxf(largest, weight[k]);
    for (int k = 0; k < parts; k++) {
        share[k] = dv_exp_negative(weight[k] - largest);
        sum += share[k];
    }
    for (int k = 0; k < parts; k++)
        share[k] /= sum;
}

static dv_status forward(dv_node_step *s)
{
    float share[DV_MAX_INPUTS];
    compute_shares(s, share);
    float *y = s->y;
    int64_t count = dv_shape_count(s->node->shape);
    const float *a = s->x[0], *b = s->x[1];
#pragma omp parallel for simd schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i++)
        y[i] = share[0] * a[i] + share[1] * b[i];
    for (int k = 2; k < s->node->input_count; k++) {
        const float *x = s->x[k];
#pragma omp parallel for simd schedule(static) if (count > DV_CPU_GRAIN)
        for (int64_t i = 0; i < count; i++)
            y[i] += share[k] * x[i];
    }
    return DV_OK;
}

/* dx = share dy, unless dx is NULL. Returns the sum of dy x. */
DV_CPU_CLONES
static double backward_input(const float *restrict x, const float *restrict dy, float share,
                             int64_t count, float *restrict dx)
{
    double total = 0;
    for (int64_t start = 0; start < count; start += DV_CPU_BLOCK) {
        int64_t end = dv_smaller(start + DV_CPU_BLOCK, count);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++)
            sum += dy[i] * x[i];
        total += (double)sum;
        if (dx == NULL)
            continue;
#pragma omp simd
        for (int64_t i = start; i < end; i++)
            dx[i] = share * dy[i];
    }
    return total;
}

static dv_status backward(dv_node_step *s)
{
    float share[DV_MAX_INPUTS], *dweight = s->dw[0];
    double dshare[DV_MAX_INPUTS], mean = 0;
    int parts = s->node->input_count;
    int64_t count = dv_shape_count(s->node->shape);
    compute_shares(s, share);
#pragma omp parallel for schedule(static) if (parts * count > DV_CPU_GRAIN)
    for (int k = 0; k < parts; k++)
        dshare[k] = backward_input(s->x[k], s->dy, share[k], count, s->dx[k]);
    for (int k = 0; k < parts; k++)
        mean += (double)share[k] * dshare[k];
    for (int k = 0; k < parts; k++)
        dweight[k] = (float)((double)share[k] * (dshare[k] - mean));
    return DV_OK;
}

const dv_impl dv_weighted_sum_cpu = {.forward = forward, .backward = backward};
