/* Cross-entropy on the CPU: vectorised sums in float over the classes of each row. */
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"

#include "engine/ops/cpu.h"
#include "kernels/formulas/scalar_math.h"

#include <math.h>

/* q = keep target + spread sum(target). */
typedef struct smoothing {
    float keep, spread;
} smoothing;

static smoothing get_smoothing(const dv_node_step *s)
{
    const dv_softmax_cross_entropy_attr *attr = s->node->attr;
    return (smoothing){.keep = (float)(1 - attr->smoothing),
                       .spread = (float)(attr->smoothing / (double)s->in[0].c)};
}

/* Ignores a NaN, which then shows in the sum of exponentials. */
DV_CPU_INLINE float maximum(const float *x, int64_t classes)
{
    float largest = x[0];
#pragma omp simd reduction(max : largest)
    for (int64_t k = 0; k < classes; k++)
        largest = x[k] > largest ? x[k] : largest;
    return largest;
}

DV_CPU_INLINE float sum_of(const float *targets, int64_t classes)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < classes; k++)
        sum += targets[k];
    return sum;
}

/* Returns sum_k q_k (log sum - x_k), with all logits relative to the largest. */
DV_CPU_CLONES
static void forward_rows(const float *x, const float *targets, float *losses, smoothing q,
                         int64_t rows, int64_t classes)
{
    for (int64_t n = 0; n < rows; n++, x += classes, targets += classes) {
        float largest = maximum(x, classes), spread = q.spread * sum_of(targets, classes);
        float sum = 0, total = 0, inner = 0;
#pragma omp simd reduction(+ : sum, total, inner)
        for (int64_t k = 0; k < classes; k++) {
            float below = x[k] - largest, target = q.keep * targets[k] + spread;
            sum += dv_exp_negative(below);
            total += target;
            inner += target * below;
        }
        losses[n] = logf(sum) * total - inner;
    }
}

/* dx_k = dy (softmax_k sum(q) - q_k). */
DV_CPU_CLONES
static void backward_rows(const float *x, const float *targets, const float *dy, float *dx,
                          smoothing q, int64_t rows, int64_t classes)
{
    for (int64_t n = 0; n < rows; n++, x += classes, targets += classes, dx += classes) {
        float largest = maximum(x, classes), spread = q.spread * sum_of(targets, classes);
        float sum = 0, total = 0;
#pragma omp simd reduction(+ : sum, total)
        for (int64_t k = 0; k < classes; k++) {
            float value = dv_exp_negative(x[k] - largest);
            dx[k] = value;
            sum += value;
            total += q.keep * targets[k] + spread;
        }
        float scale = total / sum;
#pragma omp simd
        for (int64_t k = 0; k < classes; k++)
            dx[k] = dy[n] * (dx[k] * scale - (q.keep * targets[k] + spread));
    }
}

static dv_status forward(dv_node_step *s)
{
    forward_rows(s->x[0], s->x[1], s->y, get_smoothing(s), s->in[0].n, s->in[0].c);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    if (s->dx[0] != NULL)
        backward_rows(s->x[0], s->x[1], s->dy, s->dx[0], get_smoothing(s), s->in[0].n, s->in[0].c);
    return DV_OK;
}

const dv_impl dv_softmax_cross_entropy_cpu = {.forward = forward, .backward = backward};
