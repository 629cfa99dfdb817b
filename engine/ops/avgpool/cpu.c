/* Mean pooling on the CPU: our own kernels on (N,H,W,C), with vectors of channels side by side. */
#include "engine/ops/cpu.h"
#include "engine/ops/maxpool/maxpool.h"

#include <string.h>

typedef struct geometry {
    const dv_pool_attr *attr;
    dv_shape in, out;
    float share; /* 1 / window area, padding included, as with PyTorch's count_include_pad */
} geometry;

static geometry geometry_of(const dv_node_step *s)
{
    const dv_pool_attr *attr = s->node->attr;
    return (geometry){.attr = attr,
                      .in = s->in[0],
                      .out = s->node->shape,
                      .share = 1.0F / (float)(attr->kernel[0] * attr->kernel[1])};
}

/* The part of a window along an axis that lies inside the input. */
typedef struct range {
    int64_t first, last;
} range;

static range inside(const dv_pool_attr *attr, int axis, int64_t out, int64_t size)
{
    int64_t first = out * attr->stride[axis] - attr->padding[axis];
    int64_t last = first + attr->kernel[axis];
    return (range){first > 0 ? first : 0, last < size ? last : size};
}

DV_CPU_INLINE void add(const float *restrict x, int64_t channels, float *restrict sum)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++)
        sum[c] += x[c];
}

DV_CPU_INLINE void scale(float factor, int64_t channels, float *values)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++)
        values[c] *= factor;
}

/* Computes row `row` of y, counted over the whole batch. */
DV_CPU_CLONES
static void forward_row(const geometry *g, const float *x, int64_t row, float *y)
{
    int64_t channels = g->in.c;
    const float *sample = x + row / g->out.h * g->in.h * g->in.w * channels;
    range rows = inside(g->attr, 0, row % g->out.h, g->in.h);
    for (int64_t ox = 0; ox < g->out.w; ox++) {
        range columns = inside(g->attr, 1, ox, g->in.w);
        float *pixel = y + (row * g->out.w + ox) * channels;
        memset(pixel, 0, (size_t)channels * sizeof *pixel);
        for (int64_t iy = rows.first; iy < rows.last; iy++) {
            for (int64_t ix = columns.first; ix < columns.last; ix++)
                add(sample + (iy * g->in.w + ix) * channels, channels, pixel);
        }
        scale(g->share, channels, pixel);
    }
}

DV_CPU_CLONES
static void backward_sample(const geometry *g, const float *dy, float *dx)
{
    int64_t channels = g->in.c, pixels = g->in.h * g->in.w;
    memset(dx, 0, (size_t)(pixels * channels) * sizeof *dx);
    for (int64_t oy = 0; oy < g->out.h; oy++) {
        range rows = inside(g->attr, 0, oy, g->in.h);
        for (int64_t ox = 0; ox < g->out.w; ox++) {
            range columns = inside(g->attr, 1, ox, g->in.w);
            const float *pixel = dy + (oy * g->out.w + ox) * channels;
            for (int64_t iy = rows.first; iy < rows.last; iy++) {
                for (int64_t ix = columns.first; ix < columns.last; ix++)
                    add(pixel, channels, dx + (iy * g->in.w + ix) * channels);
            }
        }
    }
    scale(g->share, pixels * channels, dx);
}

static dv_status forward(dv_node_step *s)
{
    geometry g = geometry_of(s);
    int64_t rows = g.out.n * g.out.h;
#pragma omp parallel for schedule(static) if (dv_shape_count(g.in) > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row++)
        forward_row(&g, s->x[0], row, s->y);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    geometry g = geometry_of(s);
    const float *dy = s->dy;
    float *dx = s->dx[0];
    int64_t in = g.in.h * g.in.w * g.in.c, out = g.out.h * g.out.w * g.out.c;
    if (dx == NULL)
        return DV_OK;
#pragma omp parallel for schedule(static) if (dv_shape_count(g.in) > DV_CPU_GRAIN)
    for (int64_t n = 0; n < g.in.n; n++)
        backward_sample(&g, dy + n * out, dx + n * in);
    return DV_OK;
}

const dv_impl dv_avgpool_cpu = {.forward = forward, .backward = backward};
