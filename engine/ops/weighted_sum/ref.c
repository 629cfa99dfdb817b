/* The reference of the weighted sum: shares and sums in double. */
#include "engine/ops/ref.h"

#include <math.h>

static void compute_shares(const dv_node_step *s, double share[DV_MAX_INPUTS])
{
    const real *weight = s->w[0];
    int parts = s->node->input_count;
    double largest = (double)weight[0], sum = 0;
    for (int k = 1; k < parts; k++)
        largest = fmax(largest, (double)weight[k]);
    for (int k = 0; k < parts; k++) {
        share[k] = exp((double)weight[k] - largest);
        sum += share[k];
    }
    for (int k = 0; k < parts; k++)
        share[k] /= sum;
}

static dv_status forward(dv_node_step *s)
{
    double share[DV_MAX_INPUTS];
    compute_shares(s, share);
    real *y = s->y;
    for (int64_t i = 0; i < dv_shape_count(s->node->shape); i++) {
        double sum = 0;
        for (int k = 0; k < s->node->input_count; k++)
            sum += share[k] * (double)((const real *)s->x[k])[i];
        y[i] = (real)sum;
    }
    return DV_OK;
}

/* Computes the gradient of each input and of its share. The softmax then gives the gradients of the
   weights. */
static dv_status backward(dv_node_step *s)
{
    double share[DV_MAX_INPUTS], dshare[DV_MAX_INPUTS], mean = 0;
    compute_shares(s, share);
    const real *dy = s->dy;
    real *dweight = s->dw[0];
    int parts = s->node->input_count;
    for (int k = 0; k < parts; k++) {
        const real *x = s->x[k];
        real *dx = s->dx[k];
        dshare[k] = 0;
        for (int64_t i = 0; i < dv_shape_count(s->node->shape); i++) {
            dshare[k] += (double)dy[i] * (double)x[i];
            if (dx != NULL)
                dx[i] = (real)(share[k] * (double)dy[i]);
        }
        mean += share[k] * dshare[k];
    }
    for (int k = 0; k < parts; k++)
        dweight[k] = (real)(share[k] * (dshare[k] - mean));
    return DV_OK;
}

const dv_impl DV_REF(weighted_sum) = {.forward = forward, .backward = backward};
