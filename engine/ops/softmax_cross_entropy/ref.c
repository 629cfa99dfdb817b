/* The reference of cross-entropy: logarithms of probabilities in double, sample by sample. */
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"

#include "engine/ops/ref.h"

#include <math.h>

/* log(sum of exp(x)) for x (classes). */
static double log_sum_exp(const real *x, int64_t classes)
{
    double largest = (double)x[0], sum = 0;
    for (int64_t k = 1; k < classes; k++)
        largest = fmax(largest, (double)x[k]);
    for (int64_t k = 0; k < classes; k++)
        sum += exp((double)x[k] - largest);
    return largest + log(sum);
}

static double sum_of(const real *targets, int64_t classes)
{
    double sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += (double)targets[k];
    return sum;
}

/* The smoothed target q_k. `weight` is the sum of the row, which smoothing keeps. */
static double smoothed(const dv_node_step *s, const real *target, double weight, int64_t k)
{
    const dv_softmax_cross_entropy_attr *attr = s->node->attr;
    return (1 - attr->smoothing) * (double)target[k] +
           attr->smoothing / (double)s->in[0].c * weight;
}

static dv_status forward(dv_node_step *s)
{
    const real *logits = s->x[0], *targets = s->x[1];
    real *y = s->y;
    int64_t classes = s->in[0].c;
    for (int64_t n = 0; n < s->in[0].n; n++, logits += classes, targets += classes) {
        double log_sum = log_sum_exp(logits, classes), weight = sum_of(targets, classes), loss = 0;
        for (int64_t k = 0; k < classes; k++)
            loss += smoothed(s, targets, weight, k) * (log_sum - (double)logits[k]);
        y[n] = (real)loss;
    }
    return DV_OK;
}

/* dx_k = dy (softmax_k sum(q) - q_k). */
static dv_status backward(dv_node_step *s)
{
    const real *logits = s->x[0], *targets = s->x[1], *dy = s->dy;
    real *dx = s->dx[0];
    int64_t classes = s->in[0].c;
    for (int64_t n = 0; dx != NULL && n < s->in[0].n; n++) {
        double log_sum = log_sum_exp(logits, classes), weight = sum_of(targets, classes);
        for (int64_t k = 0; k < classes; k++) {
            double softmax = exp((double)logits[k] - log_sum);
            dx[k] = (real)((double)dy[n] * (softmax * weight - smoothed(s, targets, weight, k)));
        }
        logits += classes;
        targets += classes;
        dx += classes;
    }
    return DV_OK;
}

const dv_impl DV_REF(softmax_cross_entropy) = {.forward = forward, .backward = backward};
