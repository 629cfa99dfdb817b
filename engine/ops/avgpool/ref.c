/* The reference of mean pooling: a sum in double for each element of y and of dx. */
#include "engine/ops/maxpool/maxpool.h"
#include "engine/ops/ref.h"

/* The sum over one window. */
static double window_sum(const dv_node_step *s, int64_t n, int64_t oy, int64_t ox, int64_t c)
{
    const dv_pool_attr *attr = s->node->attr;
    const real *x = s->x[0];
    dv_shape in = s->in[0];
    double sum = 0;
    for (int64_t kh = 0; kh < attr->kernel[0]; kh++) {
        int64_t iy = oy * attr->stride[0] + kh - attr->padding[0];
        for (int64_t kw = 0; iy >= 0 && iy < in.h && kw < attr->kernel[1]; kw++) {
            int64_t ix = ox * attr->stride[1] + kw - attr->padding[1];
            if (ix >= 0 && ix < in.w)
                sum += (double)x[((n * in.h + iy) * in.w + ix) * in.c + c];
        }
    }
    return sum;
}

/* The area of a window, padding included, as with PyTorch's count_include_pad, its default. */
static double window_area(const dv_node_step *s)
{
    const dv_pool_attr *attr = s->node->attr;
    return (double)(attr->kernel[0] * attr->kernel[1]);
}

static dv_status forward(dv_node_step *s)
{
    real *y = s->y;
    dv_shape out = s->node->shape;
    double area = window_area(s);
    int64_t i = 0;
    for (int64_t n = 0; n < out.n; n++) {
        for (int64_t oy = 0; oy < out.h; oy++) {
            for (int64_t ox = 0; ox < out.w; ox++) {
                for (int64_t c = 0; c < out.c; c++)
                    y[i++] = (real)(window_sum(s, n, oy, ox, c) / area);
            }
        }
    }
    return DV_OK;
}

/* Sums the gradients of all windows that contain an input element. */
static double gradient_sum(const dv_node_step *s, int64_t n, int64_t iy, int64_t ix, int64_t c)
{
    const dv_pool_attr *attr = s->node->attr;
    const real *dy = s->dy;
    dv_shape out = s->node->shape;
    double sum = 0;
    for (int64_t oy = 0; oy < out.h; oy++) {
        int64_t kh = iy + attr->padding[0] - oy * attr->stride[0];
        for (int64_t ox = 0; kh >= 0 && kh < attr->kernel[0] && ox < out.w; ox++) {
            int64_t kw = ix + attr->padding[1] - ox * attr->stride[1];
            if (kw >= 0 && kw < attr->kernel[1])
                sum += (double)dy[((n * out.h + oy) * out.w + ox) * out.c + c];
        }
    }
    return sum;
}

static dv_status backward(dv_node_step *s)
{
    real *dx = s->dx[0];
    dv_shape in = s->in[0];
    double area = window_area(s);
    if (dx == NULL)
        return DV_OK;
    int64_t i = 0;
    for (int64_t n = 0; n < in.n; n++) {
        for (int64_t iy = 0; iy < in.h; iy++) {
            for (int64_t ix = 0; ix < in.w; ix++) {
                for (int64_t c = 0; c < in.c; c++)
                    dx[i++] = (real)(gradient_sum(s, n, iy, ix, c) / area);
            }
        }
    }
    return DV_OK;
}

const dv_impl DV_REF(avgpool) = {.forward = forward, .backward = backward};
