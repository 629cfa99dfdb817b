#include "engine/ops/ref.h"

#include <math.h>

static dv_status sum_of_squares(dv_context *context, const void *values, int64_t count,
                                double *result)
{
    (void)context;
    const real *x = values;
    *result = 0;
    for (int64_t i = 0; i < count; i++)
        *result += (double)x[i] * (double)x[i];
    return DV_OK;
}

static void adam(const dv_update *u, int64_t i, double gradient)
{
    real *values = u->values, *moment1 = u->moment1, *moment2 = u->moment2;
    double decay = i < u->decay_count ? u->weight_decay : 0, value = (double)values[i];
    if (u->kind == DV_ADAMW)
        value -= u->learning_rate * decay * value;
    else
        gradient += decay * value;
    double m = u->beta1 * (double)moment1[i] + (1 - u->beta1) * gradient;
    double v = u->beta2 * (double)moment2[i] + (1 - u->beta2) * gradient * gradient;
    double corrected1 = m / (1 - pow(u->beta1, (double)u->t));
    double corrected2 = v / (1 - pow(u->beta2, (double)u->t));
    values[i] = (real)(value - u->learning_rate * corrected1 / (sqrt(corrected2) + u->epsilon));
    moment1[i] = (real)m;
    moment2[i] = (real)v;
}

static void sgd(const dv_update *u, int64_t i, double gradient)
{
    real *values = u->values, *velocity = u->moment1;
    double value = (double)values[i];
    gradient += (i < u->decay_count ? u->weight_decay : 0) * value;
    double m = u->beta1 * (double)velocity[i] + gradient;
    velocity[i] = (real)m;
    values[i] = (real)(value - u->learning_rate * (gradient + u->beta1 * m));
}

static dv_status update(dv_context *context, const dv_update *u)
{
    (void)context;
    const real *gradients = u->gradients;
    for (int64_t i = 0; i < u->count; i++) {
        double gradient = u->gradient_scale * (double)gradients[i];
        if (u->kind == DV_SGD)
            sgd(u, i, gradient);
        else
            adam(u, i, gradient);
    }
    return DV_OK;
}

const dv_optimizer_impl DV_REF(optimizer) = {.sum_of_squares = sum_of_squares, .update = update};
