/* The reference of the optimiser: plain loops in double. */
#include "engine/core/context.h"
#include "engine/device/ref.h"
#include "engine/optimizer/optimizer.h"

#include <math.h>

/* ---- Seed and metrics ---- */

static dv_status seed(dv_context *context, const dv_progress *progress, void *gradient,
                      int64_t count)
{
    (void)context;
    real *out = gradient;
    for (int64_t i = 0; i < count; i++)
        out[i] = (real)(progress->loss_scale / (double)count);
    return DV_OK;
}

static int64_t largest(const real *values, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}

static double cross_entropy(const real *logits, int64_t classes, int64_t truth)
{
    double maximum = (double)logits[largest(logits, classes)], sum = 0;
    for (int64_t i = 0; i < classes; i++)
        sum += exp((double)logits[i] - maximum);
    return maximum + log(sum) - (double)logits[truth];
}

static dv_status measure(dv_context *context, const dv_batch_metrics *m)
{
    (void)context;
    for (int64_t i = 0; i < m->count; i++) {
        if (m->losses != NULL && !dv_is_finite((double)((const real *)m->losses)[i]))
            continue;
        const real *logits = (const real *)m->logits + i * m->classes;
        int64_t truth = largest((const real *)m->targets + i * m->classes, m->classes);
        m->progress->loss_sum += m->losses != NULL ? (double)((const real *)m->losses)[i]
                                                   : cross_entropy(logits, m->classes, truth);
        m->progress->correct += largest(logits, m->classes) == truth;
        m->progress->seen++;
    }
    return DV_OK;
}

/* ---- Update ---- */

/* Adds the batch's gradients to the sums, and returns the sums of this update so far. */
static const real *add_gradients(const dv_update *u)
{
    const real *gradients = u->gradients;
    real *sums = u->sums;
    if (sums == NULL)
        return gradients;
    bool begins = dv_progress_begins(u->progress, &u->limits);
    for (int64_t i = 0; i < u->count; i++)
        sums[i] = begins ? gradients[i] : sums[i] + gradients[i];
    return sums;
}

static double sum_of_squares(const dv_update *u, const real *gradients)
{
    double sum = 0;
    for (int64_t i = 0; i < u->count; i++)
        sum += (double)gradients[i] * (double)gradients[i];
    return sum;
}

static void adam(const dv_update *u, const dv_rate *rate, int64_t i, double gradient)
{
    real *values = u->values, *moment1 = u->moment1, *moment2 = u->moment2;
    double decay = i < u->decay_count ? u->weight_decay : 0, value = (double)values[i];
    if (u->kind == DV_ADAMW)
        value -= rate->learning_rate * decay * value;
    else
        gradient += decay * value;
    double m = u->beta1 * (double)moment1[i] + (1 - u->beta1) * gradient;
    double v = u->beta2 * (double)moment2[i] + (1 - u->beta2) * gradient * gradient;
    double corrected1 = m / rate->correction1;
    double corrected2 = v / rate->correction2;
    values[i] = (real)(value - rate->learning_rate * corrected1 / (sqrt(corrected2) + u->epsilon));
    moment1[i] = (real)m;
    moment2[i] = (real)v;
}

static void sgd(const dv_update *u, const dv_rate *rate, int64_t i, double gradient)
{
    real *values = u->values, *velocity = u->moment1;
    double value = (double)values[i];
    gradient += (i < u->decay_count ? u->weight_decay : 0) * value;
    double m = u->beta1 * (double)velocity[i] + gradient;
    velocity[i] = (real)m;
    values[i] = (real)(value - rate->learning_rate * (gradient + u->beta1 * m));
}

static void follow(double keep, const real *values, real *average, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        average[i] += (real)((1 - keep) * ((double)values[i] - (double)average[i]));
}

static void average(const dv_update *u)
{
    double keep = dv_average_keep(u->average_decay, u->progress->updates + 1);
    follow(keep, u->values, u->average, u->count);
    follow(keep, u->states, u->state_average, u->state_count);
}

static dv_status update(dv_context *context, const dv_update *u)
{
    (void)context;
    const real *gradients = add_gradients(u);
    dv_progress_decide(u->progress, &u->limits, sum_of_squares(u, gradients));
    const dv_rate *rate = u->rates + (u->progress->updates - u->progress->first);
    for (int64_t i = 0; i < u->count && u->progress->applies != 0; i++) {
        double gradient = u->progress->gradient_scale * (double)gradients[i];
        if (u->kind == DV_SGD)
            sgd(u, rate, i, gradient);
        else
            adam(u, rate, i, gradient);
    }
    if (u->average != NULL && u->progress->applies != 0)
        average(u);
    dv_progress_advance(u->progress, &u->limits);
    return DV_OK;
}

const dv_optimizer_impl DV_REF(optimizer) = {.seed = seed, .measure = measure, .update = update};
