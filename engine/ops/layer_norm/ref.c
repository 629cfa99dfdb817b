/* The reference of layer normalisation. It saves nothing; each use computes the statistics again in
   double. */
#include "engine/ops/layer_norm/layer_norm.h"
#include "engine/ops/ref.h"

#include <math.h>

typedef struct statistics {
    double mean, inverse; /* inverse = 1 / sqrt(var + epsilon) */
} statistics;

static statistics measure(const dv_node_step *s, const real *x)
{
    const dv_layer_norm_attr *attr = s->node->attr;
    int64_t channels = s->node->shape.c;
    double sum = 0, squares = 0;
    for (int64_t c = 0; c < channels; c++)
        sum += (double)x[c];
    double mean = sum / (double)channels;
    for (int64_t c = 0; c < channels; c++)
        squares += ((double)x[c] - mean) * ((double)x[c] - mean);
    return (statistics){mean, 1 / sqrt(squares / (double)channels + attr->epsilon)};
}

static dv_status forward(dv_node_step *s)
{
    const real *weight = s->w[0], *bias = s->w[1];
    int64_t channels = s->node->shape.c;
    for (int64_t row = 0; row < dv_shape_rows(s->node->shape); row++) {
        const real *x = (const real *)s->x[0] + row * channels;
        real *y = (real *)s->y + row * channels;
        statistics of = measure(s, x);
        for (int64_t c = 0; c < channels; c++) {
            double normal = ((double)x[c] - of.mean) * of.inverse;
            y[c] = (real)((double)weight[c] * normal + (double)bias[c]);
        }
    }
    return DV_OK;
}

/* With h the normalised x and g = dy weight, over the channels of a row:
   dx = (g - mean(g) - h mean(g h)) / sqrt(var + epsilon). */
static void input_gradients(const dv_node_step *s, int64_t row)
{
    int64_t channels = s->node->shape.c;
    const real *x = (const real *)s->x[0] + row * channels, *weight = s->w[0];
    const real *dy = (const real *)s->dy + row * channels;
    real *dx = (real *)s->dx[0] + row * channels;
    statistics of = measure(s, x);
    double sum = 0, product = 0;
    for (int64_t c = 0; c < channels; c++) {
        double g = (double)dy[c] * (double)weight[c];
        sum += g;
        product += g * ((double)x[c] - of.mean) * of.inverse;
    }
    for (int64_t c = 0; c < channels; c++) {
        double h = ((double)x[c] - of.mean) * of.inverse;
        double centred = (double)dy[c] * (double)weight[c] - (sum + h * product) / (double)channels;
        dx[c] = (real)(centred * of.inverse);
    }
}

static void parameter_gradients(const dv_node_step *s, int64_t c)
{
    const real *x = s->x[0], *dy = s->dy;
    real *dweight = s->dw[0], *dbias = s->dw[1];
    int64_t channels = s->node->shape.c;
    double sum = 0, product = 0;
    for (int64_t row = 0; row < dv_shape_rows(s->node->shape); row++) {
        statistics of = measure(s, x + row * channels);
        double gradient = (double)dy[row * channels + c];
        sum += gradient;
        product += gradient * ((double)x[row * channels + c] - of.mean) * of.inverse;
    }
    dweight[c] = (real)product;
    dbias[c] = (real)sum;
}

static dv_status backward(dv_node_step *s)
{
    for (int64_t row = 0; s->dx[0] != NULL && row < dv_shape_rows(s->node->shape); row++)
        input_gradients(s, row);
    for (int64_t c = 0; c < s->node->shape.c; c++)
        parameter_gradients(s, c);
    return DV_OK;
}

const dv_impl DV_REF(layer_norm) = {.forward = forward, .backward = backward};
