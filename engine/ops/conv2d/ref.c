/* The reference of convolution: a sum in double for each element of y, dx, dw and db. */
#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/ref.h"

typedef struct geometry {
    dv_shape x, y;
    const dv_conv2d_attr *attr;
    int64_t in, out; /* channels of one group */
} geometry;

static geometry geometry_of(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    return (geometry){.x = s->in[0],
                      .y = s->node->shape,
                      .attr = attr,
                      .in = s->in[0].c / attr->groups,
                      .out = s->node->shape.c / attr->groups};
}

/* The input position that tap `tap` of output position `out` reads, or -1 in the padding. */
static int64_t input_at(const geometry *g, int axis, int64_t out, int64_t tap)
{
    const dv_conv2d_attr *attr = g->attr;
    int64_t size = axis == 0 ? g->x.h : g->x.w;
    int64_t in = out * attr->stride[axis] + tap * attr->dilation[axis] - attr->padding[axis];
    return in >= 0 && in < size ? in : -1;
}

/* The output position whose tap `tap` reads input position `in`, or -1 if there is none. */
static int64_t output_at(const geometry *g, int axis, int64_t in, int64_t tap)
{
    const dv_conv2d_attr *attr = g->attr;
    int64_t size = axis == 0 ? g->y.h : g->y.w;
    int64_t place = in + attr->padding[axis] - tap * attr->dilation[axis];
    if (place < 0 || place % attr->stride[axis] != 0)
        return -1;
    place /= attr->stride[axis];
    return place < size ? place : -1;
}

static int64_t at(dv_shape shape, int64_t n, int64_t h, int64_t w)
{
    return ((n * shape.h + h) * shape.w + w) * shape.c;
}

/* weight (O, C/groups, KH, KW) */
static int64_t weight_at(const geometry *g, int64_t o, int64_t c, int64_t kh, int64_t kw)
{
    return ((o * g->in + c) * g->attr->kernel[0] + kh) * g->attr->kernel[1] + kw;
}

static double output_of(const geometry *g, const dv_node_step *s, int64_t n, int64_t oy, int64_t ox,
                        int64_t o)
{
    const real *x = s->x[0], *w = s->w[0];
    double sum = g->attr->bias ? (double)((const real *)s->w[1])[o] : 0;
    for (int64_t kh = 0; kh < g->attr->kernel[0]; kh++) {
        int64_t iy = input_at(g, 0, oy, kh);
        for (int64_t kw = 0; iy >= 0 && kw < g->attr->kernel[1]; kw++) {
            int64_t ix = input_at(g, 1, ox, kw);
            if (ix < 0)
                continue;
            const real *pixel = x + at(g->x, n, iy, ix) + o / g->out * g->in;
            for (int64_t c = 0; c < g->in; c++)
                sum += (double)pixel[c] * (double)w[weight_at(g, o, c, kh, kw)];
        }
    }
    return sum;
}

static dv_status forward(dv_node_step *s)
{
    geometry g = geometry_of(s);
    real *y = s->y;
    for (int64_t n = 0; n < g.y.n; n++) {
        for (int64_t oy = 0; oy < g.y.h; oy++) {
            for (int64_t ox = 0; ox < g.y.w; ox++) {
                for (int64_t o = 0; o < g.y.c; o++)
                    y[at(g.y, n, oy, ox) + o] = (real)output_of(&g, s, n, oy, ox, o);
            }
        }
    }
    return DV_OK;
}

static double input_gradient(const geometry *g, const dv_node_step *s, int64_t n, int64_t iy,
                             int64_t ix, int64_t channel)
{
    const real *dy = s->dy, *w = s->w[0];
    int64_t first = channel / g->in * g->out; /* filter of the group */
    double sum = 0;
    for (int64_t kh = 0; kh < g->attr->kernel[0]; kh++) {
        int64_t oy = output_at(g, 0, iy, kh);
        for (int64_t kw = 0; oy >= 0 && kw < g->attr->kernel[1]; kw++) {
            int64_t ox = output_at(g, 1, ix, kw);
            if (ox < 0)
                continue;
            const real *pixel = dy + at(g->y, n, oy, ox);
            for (int64_t o = first; o < first + g->out; o++)
                sum += (double)pixel[o] * (double)w[weight_at(g, o, channel % g->in, kh, kw)];
        }
    }
    return sum;
}

static void input_gradients(const geometry *g, dv_node_step *s)
{
    real *dx = s->dx[0];
    for (int64_t n = 0; n < g->x.n; n++) {
        for (int64_t iy = 0; iy < g->x.h; iy++) {
            for (int64_t ix = 0; ix < g->x.w; ix++) {
                for (int64_t c = 0; c < g->x.c; c++)
                    dx[at(g->x, n, iy, ix) + c] = (real)input_gradient(g, s, n, iy, ix, c);
            }
        }
    }
}

static double weight_gradient(const geometry *g, const dv_node_step *s, int64_t o, int64_t c,
                              int64_t kh, int64_t kw)
{
    const real *x = s->x[0], *dy = s->dy;
    int64_t channel = o / g->out * g->in + c;
    double sum = 0;
    for (int64_t n = 0; n < g->y.n; n++) {
        for (int64_t oy = 0; oy < g->y.h; oy++) {
            int64_t iy = input_at(g, 0, oy, kh);
            for (int64_t ox = 0; iy >= 0 && ox < g->y.w; ox++) {
                int64_t ix = input_at(g, 1, ox, kw);
                if (ix >= 0)
                    sum += (double)x[at(g->x, n, iy, ix) + channel] *
                           (double)dy[at(g->y, n, oy, ox) + o];
            }
        }
    }
    return sum;
}

static void weight_gradients(const geometry *g, dv_node_step *s)
{
    real *dw = s->dw[0];
    for (int64_t o = 0; o < g->y.c; o++) {
        for (int64_t c = 0; c < g->in; c++) {
            for (int64_t kh = 0; kh < g->attr->kernel[0]; kh++) {
                for (int64_t kw = 0; kw < g->attr->kernel[1]; kw++)
                    dw[weight_at(g, o, c, kh, kw)] = (real)weight_gradient(g, s, o, c, kh, kw);
            }
        }
    }
}

static void bias_gradients(const geometry *g, dv_node_step *s)
{
    const real *dy = s->dy;
    real *db = s->dw[1];
    for (int64_t o = 0; o < g->y.c; o++) {
        double sum = 0;
        for (int64_t row = 0; row < dv_shape_rows(g->y); row++)
            sum += (double)dy[row * g->y.c + o];
        db[o] = (real)sum;
    }
}

static dv_status backward(dv_node_step *s)
{
    geometry g = geometry_of(s);
    if (s->dx[0] != NULL)
        input_gradients(&g, s);
    weight_gradients(&g, s);
    if (g.attr->bias)
        bias_gradients(&g, s);
    return DV_OK;
}

const dv_impl DV_REF(conv2d) = {.forward = forward, .backward = backward};
