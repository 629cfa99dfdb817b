/* Distillation on the CPU: row by row, with the sums of exponentials in double. */
#include "engine/ops/distillation/distillation.h"

#include "engine/ops/cpu.h"
#include "kernels/formulas/scalar_math.h"

#include <math.h>

/* A row's largest logit and its sum of exp((x - largest) / temperature). The sum is double, because
   the distance of similar rows is a small difference of the logarithms of such sums. */
typedef struct scale_of {
    float largest;
    double sum;
} scale_of;

DV_CPU_INLINE scale_of scale_row(const float *x, float inverse, int64_t classes)
{
    scale_of row = {x[0], 0};
    for (int64_t k = 1; k < classes; k++)
        row.largest = x[k] > row.largest ? x[k] : row.largest;
    for (int64_t k = 0; k < classes; k++)
        row.sum += (double)dv_exp_negative((x[k] - row.largest) * inverse);
    return row;
}

DV_CPU_INLINE float sum_of(const float *targets, int64_t classes)
{
    float sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += targets[k];
    return sum;
}

static dv_status forward(dv_node_step *s)
{
    const dv_distillation_attr *attr = s->node->attr;
    const float *loss = s->x[0], *x = s->x[1], *z = s->x[2], *targets = s->x[3];
    float *y = s->y, inverse = (float)(1 / attr->temperature), keep = (float)(1 - attr->weight);
    float share = (float)(attr->weight * attr->temperature * attr->temperature);
    int64_t classes = s->in[1].c;
    for (int64_t n = 0; n < s->in[1].n; n++, x += classes, z += classes, targets += classes) {
        scale_of p = scale_row(x, inverse, classes), q = scale_row(z, inverse, classes);
        double inner = 0; /* sum_k (the teacher's exp(..) times the difference of the logits) */
        for (int64_t k = 0; k < classes; k++) {
            float below = (z[k] - q.largest) * inverse;
            inner += (double)(dv_exp_negative(below) * (below - (x[k] - p.largest) * inverse));
        }
        float distance = (float)(inner / q.sum + log(p.sum / q.sum));
        y[n] = keep * loss[n] + share * sum_of(targets, classes) * distance;
    }
    return DV_OK;
}

/* d loss = (1 - weight) dy; d logits_k = weight temperature sum(targets) (p_k - q_k) dy. */
static dv_status backward(dv_node_step *s)
{
    const dv_distillation_attr *attr = s->node->attr;
    const float *x = s->x[1], *z = s->x[2], *targets = s->x[3], *dy = s->dy;
    float *dloss = s->dx[0], *dx = s->dx[1], inverse = (float)(1 / attr->temperature);
    float keep = (float)(1 - attr->weight), share = (float)(attr->weight * attr->temperature);
    int64_t rows = s->in[1].n, classes = s->in[1].c;
    for (int64_t n = 0; dloss != NULL && n < rows; n++)
        dloss[n] = keep * dy[n];
    for (int64_t n = 0; dx != NULL && n < rows; n++) {
        scale_of p = scale_row(x, inverse, classes), q = scale_row(z, inverse, classes);
        float scale = share * sum_of(targets, classes) * dy[n];
        float of_logits = (float)(1 / p.sum), of_teacher = (float)(1 / q.sum);
        for (int64_t k = 0; k < classes; k++)
            dx[k] = scale * (dv_exp_negative((x[k] - p.largest) * inverse) * of_logits -
                             dv_exp_negative((z[k] - q.largest) * inverse) * of_teacher);
        x += classes, z += classes, targets += classes, dx += classes;
    }
    return DV_OK;
}

const dv_impl dv_distillation_cpu = {.forward = forward, .backward = backward};
