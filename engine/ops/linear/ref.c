/* The reference of a linear layer: a sum in double for each element of y, dx, dw and db, or a sum
   of integers for y. */
#include "engine/ops/linear/linear.h"
#include "engine/ops/activation/ref_math.h"
#include "engine/ops/ref.h"

/* The derivative of the activation where its output is y. */
static double slope(int kind, double y)
{
    switch (kind) {
    case DV_ACT_RELU:
        return y <= 0 ? 0 : 1;
    case DV_ACT_SIGMOID:
        return y * (1 - y);
    case DV_ACT_TANH:
        return 1 - y * y;
    default:
        return 1;
    }
}

static void forward_int8(dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    const int8_t *x = s->x[0], *w = s->w_operand[0];
    const real *b = attr->bias ? s->w[1] : NULL;
    real *y = s->y;
    int64_t in = s->in[0].c, out = attr->units;
    for (int64_t row = 0; row < dv_shape_rows(s->in[0]); row++) {
        for (int64_t o = 0; o < out; o++) {
            int64_t sum = 0;
            for (int64_t c = 0; c < in; c++)
                sum += (int64_t)x[row * in + c] * w[o * in + c];
            double scale = (double)s->x_type[0].scale * (double)s->w_scales[0][o];
            double value = scale * (double)sum + (b != NULL ? (double)b[o] : 0);
            y[row * out + o] = (real)dv__ref_activate(attr->activation, value);
        }
    }
}

static dv_status forward(dv_node_step *s)
{
    if (dv__linear_is_int8(s)) {
        forward_int8(s);
        return DV_OK;
    }
    const dv_linear_attr *attr = s->node->attr;
    const real *x = s->x[0], *w = s->w[0], *b = attr->bias ? s->w[1] : NULL;
    real *y = s->y;
    int64_t in = s->in[0].c, out = attr->units;
    for (int64_t row = 0; row < dv_shape_rows(s->in[0]); row++) {
        for (int64_t o = 0; o < out; o++) {
            double sum = b != NULL ? (double)b[o] : 0;
            for (int64_t c = 0; c < in; c++)
                sum += (double)x[row * in + c] * (double)w[o * in + c];
            y[row * out + o] = (real)dv__ref_activate(attr->activation, sum);
        }
    }
    return DV_OK;
}

/* The gradient before the activation, for element i of (rows, units). */
static double gradient(const dv_node_step *s, int64_t i)
{
    const dv_linear_attr *attr = s->node->attr;
    const real *dy = s->dy, *y = s->y;
    return (double)dy[i] * slope(attr->activation, (double)y[i]);
}

static void input_gradients(dv_node_step *s)
{
    const real *w = s->w[0];
    real *dx = s->dx[0];
    int64_t in = s->in[0].c, out = s->node->shape.c;
    for (int64_t row = 0; row < dv_shape_rows(s->in[0]); row++) {
        for (int64_t c = 0; c < in; c++) {
            double sum = 0;
            for (int64_t o = 0; o < out; o++)
                sum += gradient(s, row * out + o) * (double)w[o * in + c];
            dx[row * in + c] = (real)sum;
        }
    }
}

static void weight_gradients(dv_node_step *s)
{
    const real *x = s->x[0];
    real *dw = s->dw[0];
    int64_t in = s->in[0].c, out = s->node->shape.c;
    for (int64_t o = 0; o < out; o++) {
        for (int64_t c = 0; c < in; c++) {
            double sum = 0;
            for (int64_t row = 0; row < dv_shape_rows(s->in[0]); row++)
                sum += gradient(s, row * out + o) * (double)x[row * in + c];
            dw[o * in + c] = (real)sum;
        }
    }
}

static void bias_gradients(dv_node_step *s)
{
    real *db = s->dw[1];
    int64_t out = s->node->shape.c;
    for (int64_t o = 0; o < out; o++) {
        double sum = 0;
        for (int64_t row = 0; row < dv_shape_rows(s->in[0]); row++)
            sum += gradient(s, row * out + o);
        db[o] = (real)sum;
    }
}

static dv_status backward(dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    if (s->dx[0] != NULL)
        input_gradients(s);
    weight_gradients(s);
    if (attr->bias)
        bias_gradients(s);
    return DV_OK;
}

const dv_impl DV_REF(linear) = {
    .forward = forward, .backward = backward, .computes = dv__linear_is_int8};
