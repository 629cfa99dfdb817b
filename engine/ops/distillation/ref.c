/* The reference of distillation: logarithms of probabilities in double, sample by sample. */
#include "engine/ops/distillation/distillation.h"

#include "engine/ops/ref.h"

#include <math.h>

/* log(sum of exp(x / temperature)) for x (classes). */
static double log_sum_exp(const real *x, double temperature, int64_t classes)
{
    double largest = (double)x[0], sum = 0;
    for (int64_t k = 1; k < classes; k++)
        largest = fmax(largest, (double)x[k]);
    for (int64_t k = 0; k < classes; k++)
        sum += exp(((double)x[k] - largest) / temperature);
    return largest / temperature + log(sum);
}

static double sum_of(const real *targets, int64_t classes)
{
    double sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += (double)targets[k];
    return sum;
}

/* Mixes each sample's loss with the distance of the two distributions, by the formula of
   distillation.h. */
static dv_status forward(dv_node_step *s)
{
    const dv_distillation_attr *attr = s->node->attr;
    const real *loss = s->x[0], *logits = s->x[1], *teacher = s->x[2], *targets = s->x[3];
    real *y = s->y;
    double t = attr->temperature;
    int64_t classes = s->in[1].c;
    for (int64_t n = 0; n < s->in[1].n; n++) {
        double of_logits = log_sum_exp(logits, t, classes);
        double of_teacher = log_sum_exp(teacher, t, classes), distance = 0;
        for (int64_t k = 0; k < classes; k++) {
            double log_p = (double)logits[k] / t - of_logits;
            double log_q = (double)teacher[k] / t - of_teacher;
            distance += exp(log_q) * (log_q - log_p);
        }
        y[n] = (real)((1 - attr->weight) * (double)loss[n] +
                      attr->weight * t * t * sum_of(targets, classes) * distance);
        logits += classes;
        teacher += classes;
        targets += classes;
    }
    return DV_OK;
}

/* d loss = (1 - weight) dy; d logits_k = weight temperature sum(targets) (p_k - q_k) dy. */
static dv_status backward(dv_node_step *s)
{
    const dv_distillation_attr *attr = s->node->attr;
    const real *logits = s->x[1], *teacher = s->x[2], *targets = s->x[3], *dy = s->dy;
    real *dloss = s->dx[0], *dlogits = s->dx[1];
    double t = attr->temperature;
    int64_t classes = s->in[1].c;
    for (int64_t n = 0; n < s->in[1].n; n++) {
        const real *x = logits + n * classes, *z = teacher + n * classes;
        double of_logits = log_sum_exp(x, t, classes), of_teacher = log_sum_exp(z, t, classes);
        double scale = attr->weight * t * sum_of(targets + n * classes, classes) * (double)dy[n];
        if (dloss != NULL)
            dloss[n] = (real)((1 - attr->weight) * (double)dy[n]);
        for (int64_t k = 0; dlogits != NULL && k < classes; k++) {
            double p = exp((double)x[k] / t - of_logits), q = exp((double)z[k] / t - of_teacher);
            dlogits[n * classes + k] = (real)(scale * (p - q));
        }
    }
    return DV_OK;
}

const dv_impl DV_REF(distillation) = {.forward = forward, .backward = backward};
