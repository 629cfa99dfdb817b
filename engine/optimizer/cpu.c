/* The optimiser on the CPU: vectorised blocks, and sums in an order that does not depend on the
   number of threads. */
#include "engine/core/context.h"
#include "engine/device/cpu.h"
#include "engine/device/cpu_device.h"
#include "engine/optimizer/optimizer.h"

#include <math.h>

enum { PARTS = 64, LANES = 16 };

/* ---- Seed and metrics ---- */

static dv_status seed(dv_context *context, const dv_progress *progress, void *gradient,
                      int64_t count)
{
    return context->backend->fill(context, gradient, progress->loss_scale / (double)count, count);
}

/* Uses the reference, which is fast enough for a few numbers per sample. */
static dv_status measure(dv_context *context, const dv_batch_metrics *m)
{
    return dv_optimizer_ref.measure(context, m);
}

/* ---- Update ---- */

DV_CPU_CLONES
static void add_part(bool begins, const float *restrict gradients, float *restrict sums,
                     int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        sums[i] = begins ? gradients[i] : sums[i] + gradients[i];
}

/* Adds the batch's gradients to the sums, and returns the sums of this update so far. */
static const float *add_gradients(const dv_update *u)
{
    const float *gradients = u->gradients;
    float *sums = u->sums;
    if (sums == NULL)
        return gradients;
    bool begins = dv_progress_begins(u->progress, &u->limits);
#pragma omp parallel for schedule(static) if (u->count > DV_CPU_GRAIN)
    for (int64_t k = 0; k < u->count; k += DV_CPU_BLOCK)
        add_part(begins, gradients + k, sums + k, dv_smaller(DV_CPU_BLOCK, u->count - k));
    return sums;
}

/* Sixteen sums side by side, joined in a fixed order, give the same result on every processor. */
DV_CPU_CLONES
static double sum_part(const float *x, int64_t count)
{
    double lanes[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
#pragma omp simd
        for (int k = 0; k < LANES; k++)
            lanes[k] += (double)x[i + k] * (double)x[i + k];
    }
    for (int k = 0; i + k < count; k++)
        lanes[k] += (double)x[i + k] * (double)x[i + k];
    for (int k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

/* The parts depend on the count alone, so the result does not depend on the number of threads. */
static double sum_of_squares(const float *values, int64_t count)
{
    double sums[PARTS] = {0}, sum = 0;
    int64_t part = (count / PARTS / LANES + 1) * LANES;
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t k = 0; k < PARTS; k++) {
        if (k * part < count)
            sums[k] = sum_part(values + k * part, dv_smaller(part, count - k * part));
    }
    for (int k = 0; k < PARTS; k++)
        sum += sums[k];
    return sum;
}

/* The constants of one update. */
typedef struct rule {
    float scale; /* factor of the gradient */
    float l2;    /* factor of the value that is added to the gradient */
    float keep;  /* factor of the value under decoupled decay */
    float beta1, one_minus_beta1, beta2, one_minus_beta2;
    float rate; /* learning rate, for Adam divided by 1 - beta1^t */
    float root; /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
    float follow; /* share of the value in the average */
} rule;

static rule make_rule(const dv_update *u, double decay)
{
    const dv_rate *rate = u->rates + (u->progress->updates - u->progress->first);
    bool adam = u->kind != DV_SGD, decoupled = u->kind == DV_ADAMW;
    return (rule){
        .scale = (float)u->progress->gradient_scale,
        .l2 = decoupled ? 0 : (float)decay,
        .keep = decoupled ? (float)(1 - rate->learning_rate * decay) : 1,
        .beta1 = (float)u->beta1,
        .one_minus_beta1 = (float)(1 - u->beta1),
        .beta2 = (float)u->beta2,
        .one_minus_beta2 = (float)(1 - u->beta2),
        .rate = (float)(rate->learning_rate / (adam ? rate->correction1 : 1)),
        .root = adam ? (float)(1 / sqrt(rate->correction2)) : 0,
        .epsilon = (float)u->epsilon,
        .follow = (float)(1 - dv_average_keep(u->average_decay, u->progress->updates + 1)),
    };
}

DV_CPU_CLONES
static void adam_part(const rule *by, float *restrict values, const float *restrict gradients,
                      float *restrict moment1, float *restrict moment2, int64_t count)
{
    rule r = *by;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float g = gradients[i] * r.scale + values[i] * r.l2;
        float m = moment1[i] * r.beta1 + g * r.one_minus_beta1;
        float v = moment2[i] * r.beta2 + g * g * r.one_minus_beta2;
        moment1[i] = m;
        moment2[i] = v;
        values[i] = values[i] * r.keep - r.rate * m / (sqrtf(v) * r.root + r.epsilon);
    }
}

DV_CPU_CLONES
static void sgd_part(const rule *by, float *restrict values, const float *restrict gradients,
                     float *restrict velocity, int64_t count)
{
    rule r = *by;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float g = gradients[i] * r.scale + values[i] * r.l2;
        float m = velocity[i] * r.beta1 + g;
        velocity[i] = m;
        values[i] -= r.rate * (g + r.beta1 * m);
    }
}

DV_CPU_CLONES
static void average_part(float follow, const float *restrict values, float *restrict average,
                         int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        average[i] += follow * (values[i] - average[i]);
}

static void update_part(const dv_update *u, const rule *by, int64_t begin, int64_t count)
{
    float *values = (float *)u->values + begin, *moment1 = (float *)u->moment1 + begin;
    const float *gradients = (const float *)(u->sums != NULL ? u->sums : u->gradients) + begin;
    if (u->kind == DV_SGD)
        sgd_part(by, values, gradients, moment1, count);
    else
        adam_part(by, values, gradients, moment1, (float *)u->moment2 + begin, count);
    if (u->average != NULL)
        average_part(by->follow, values, (float *)u->average + begin, count);
}

/* Updates block by block. A block is split where decay ends, so each part has one rule. */
static void update_all(const dv_update *u)
{
    rule decayed = make_rule(u, u->weight_decay), plain = make_rule(u, 0);
#pragma omp parallel for schedule(static) if (u->count > DV_CPU_GRAIN)
    for (int64_t begin = 0; begin < u->count; begin += DV_CPU_BLOCK) {
        int64_t end = dv_smaller(begin + DV_CPU_BLOCK, u->count);
        int64_t middle = dv_smaller(u->decay_count > begin ? u->decay_count : begin, end);
        update_part(u, &decayed, begin, middle - begin);
        update_part(u, &plain, middle, end - middle);
        if (u->rounded != NULL)
            dv_cpu_round_part((const float *)u->values + begin, (uint16_t *)u->rounded + begin,
                              end - begin);
    }
    if (u->average != NULL)
        average_part(plain.follow, u->states, u->state_average, u->state_count);
}

static dv_status update(dv_context *context, const dv_update *u)
{
    (void)context;
    const float *gradients = add_gradients(u);
    dv_progress_decide(u->progress, &u->limits, sum_of_squares(gradients, u->count));
    if (u->progress->applies != 0)
        update_all(u);
    dv_progress_advance(u->progress, &u->limits);
    return DV_OK;
}

const dv_optimizer_impl dv_optimizer_cpu = {.seed = seed, .measure = measure, .update = update};
