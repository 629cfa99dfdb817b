/* The reference of batch normalisation: one channel after the other, in double. */
#include "engine/ops/activation/ref_math.h"
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/ref.h"

/* Saves mean and 1 / sqrt(var + epsilon) for backward, 2 (C) doubles. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    DV_TRY(dv__batchnorm_check(s));
    dv_planner_save(planner, 2 * (size_t)s->node->shape.c * sizeof(double));
    return DV_OK;
}

/* Computes mean and sum of squared deviations of one channel. */
static void batch_statistics(const real *x, int64_t rows, int64_t stride, double *mean,
                             double *squares)
{
    double sum = 0;
    for (int64_t row = 0; row < rows; row++)
        sum += (double)x[row * stride];
    *mean = sum / (double)rows;
    *squares = 0;
    for (int64_t row = 0; row < rows; row++) {
        double deviation = (double)x[row * stride] - *mean;
        *squares += deviation * deviation;
    }
}

/* The statistics of channel c: the batch's, which also update the running ones, or the running
   ones. */
static void statistics(dv_node_step *s, int64_t c, double *mean, double *variance)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    const real *x = s->x[0];
    real *running_mean = s->state[0], *running_var = s->state[1];
    *mean = (double)running_mean[c];
    *variance = (double)running_var[c];
    if (!dv__batchnorm_by_batch(s))
        return;
    int64_t rows = dv_shape_rows(s->node->shape);
    double momentum = attr->momentum, old_mean = *mean, old_variance = *variance, squares;
    batch_statistics(x + c, rows, s->node->shape.c, mean, &squares);
    double unbiased = squares / (double)(rows > 1 ? rows - 1 : 1);
    running_mean[c] = (real)((1 - momentum) * old_mean + momentum * *mean);
    running_var[c] = (real)((1 - momentum) * old_variance + momentum * unbiased);
    *variance = squares / (double)rows;
}

/* Normalises one channel after the other, adds the residual and applies the activation. The
   statistics are kept for backward. */
static dv_status forward(dv_node_step *s)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    const real *x = s->x[0], *weight = s->w[0], *bias = s->w[1];
    const real *residual = s->node->input_count > 1 ? s->x[1] : NULL;
    real *y = s->y;
    double *saved = s->saved;
    int64_t channels = s->node->shape.c, count = dv_shape_count(s->node->shape);
    for (int64_t c = 0; c < channels; c++) {
        double mean, variance;
        statistics(s, c, &mean, &variance);
        double inverse = 1 / sqrt(variance + attr->epsilon);
        saved[c] = mean;
        saved[channels + c] = inverse;
        for (int64_t i = c; i < count; i += channels) {
            double value = (double)weight[c] * ((double)x[i] - mean) * inverse + (double)bias[c];
            value += residual != NULL ? (double)residual[i] : 0;
            y[i] = (real)dv__ref_activate(attr->activation, value);
        }
    }
    return DV_OK;
}

/* The gradient before the activation, for element i of channel c. */
static double gradient_before(const dv_node_step *s, int64_t i, int64_t c)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    const real *x = s->x[0], *dy = s->dy, *weight = s->w[0], *bias = s->w[1];
    const double *mean = s->saved, *inverse = mean + s->node->shape.c;
    double value = (double)weight[c] * ((double)x[i] - mean[c]) * inverse[c] + (double)bias[c];
    if (s->node->input_count > 1)
        value += (double)((const real *)s->x[1])[i];
    return (double)dy[i] * dv__ref_activation_slope(attr->activation, value);
}

/* With g the gradient before the activation and h the normalised x, over the rows of a channel:
   dx = weight / sqrt(var + epsilon) (g - mean(g) - h mean(g h)). The means vanish if the statistics
   are constant. */
static void backward_channel(dv_node_step *s, int64_t c)
{
    const real *x = s->x[0], *weight = s->w[0];
    real *dx = s->dx[0], *dresidual = s->dx[1], *dweight = s->dw[0], *dbias = s->dw[1];
    int64_t channels = s->node->shape.c, count = dv_shape_count(s->node->shape);
    double mean = ((const double *)s->saved)[c];
    double inverse = ((const double *)s->saved)[channels + c];
    double sum = 0, product = 0;
    for (int64_t i = c; i < count; i += channels) {
        double g = gradient_before(s, i, c);
        sum += g;
        product += g * ((double)x[i] - mean) * inverse;
        if (dresidual != NULL)
            dresidual[i] = (real)g;
    }
    dweight[c] = (real)product;
    dbias[c] = (real)sum;
    double rows = (double)dv_shape_rows(s->node->shape),
           share = dv__batchnorm_by_batch(s) ? 1 / rows : 0;
    for (int64_t i = c; dx != NULL && i < count; i += channels) {
        double h = ((double)x[i] - mean) * inverse;
        double centred = gradient_before(s, i, c) - share * sum - h * share * product;
        dx[i] = (real)((double)weight[c] * inverse * centred);
    }
}

static dv_status backward(dv_node_step *s)
{
    for (int64_t c = 0; c < s->node->shape.c; c++)
        backward_channel(s, c);
    return DV_OK;
}

const dv_impl DV_REF(batchnorm) = {.plan = plan, .forward = forward, .backward = backward};
