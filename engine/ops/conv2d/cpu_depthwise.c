/* The weight gradient of a depthwise convolution over (N,H,W,C): for every tap a sum over pixels,
   vectors of channels side by side. */
#include "engine/ops/conv2d/cpu_conv2d.h"
#include "engine/ops/cpu.h"

#include <stdlib.h>
#include <string.h>

/* Channels of one unit of work: two vectors, whose sums stay in registers. */
enum { VECTOR = 16, CHANNELS = 2 * VECTOR };

typedef float vector __attribute__((vector_size(VECTOR * sizeof(float)), aligned(4), may_alias));

typedef struct geometry {
    const dv_conv2d_attr *attr;
    dv_shape in, out;
} geometry;

/* The outputs first..last-1 along an axis whose tap `tap` lies inside the input. */
DV_CPU_INLINE void inside(const dv_conv2d_attr *attr, int axis, int64_t tap, int64_t in,
                          int64_t out, int64_t *first, int64_t *last)
{
    int64_t stride = attr->stride[axis];
    int64_t shift = attr->padding[axis] - tap * attr->dilation[axis];
    int64_t end = in + shift; /* outputs o with o * stride < end */
    *first = shift > 0 ? (shift + stride - 1) / stride : 0;
    *last = end > 0 ? (end + stride - 1) / stride : 0;
    if (*last > out)
        *last = out;
}

/* sum[c] += x[i,c] dy[i,c] over `count` pixels, all CHANNELS. */
DV_CPU_INLINE void add_full(const float *x, int64_t x_step, const float *dy, int64_t dy_step,
                            int64_t count, float *sum)
{
    vector low = *(const vector *)sum, high = *(const vector *)(sum + VECTOR);
    for (int64_t i = 0; i < count; i++, x += x_step, dy += dy_step) {
        low += *(const vector *)x * *(const vector *)dy;
        high += *(const vector *)(x + VECTOR) * *(const vector *)(dy + VECTOR);
    }
    *(vector *)sum = low;
    *(vector *)(sum + VECTOR) = high;
}

DV_CPU_INLINE void add_some(const float *x, int64_t x_step, const float *dy, int64_t dy_step,
                            int64_t count, int64_t channels, float *sum)
{
    for (int64_t i = 0; i < count; i++) {
        for (int64_t c = 0; c < channels; c++)
            sum[c] += x[i * x_step + c] * dy[i * dy_step + c];
    }
}

/* One tap of one sample: x, dy at the first of `channels` channels. */
DV_CPU_INLINE void add_tap(const geometry *g, const float *x, const float *dy, int64_t kh,
                           int64_t kw, int64_t channels, float *sum)
{
    const dv_conv2d_attr *attr = g->attr;
    int64_t top, bottom, left, right, depth = g->in.c;
    inside(attr, 0, kh, g->in.h, g->out.h, &top, &bottom);
    inside(attr, 1, kw, g->in.w, g->out.w, &left, &right);
    int64_t ix = left * attr->stride[1] + kw * attr->dilation[1] - attr->padding[1];
    for (int64_t oy = top; oy < bottom && left < right; oy++) {
        int64_t iy = oy * attr->stride[0] + kh * attr->dilation[0] - attr->padding[0];
        const float *from = x + (iy * g->in.w + ix) * depth;
        const float *gradient = dy + (oy * g->out.w + left) * depth;
        if (channels == CHANNELS)
            add_full(from, attr->stride[1] * depth, gradient, depth, right - left, sum);
        else
            add_some(from, attr->stride[1] * depth, gradient, depth, right - left, channels, sum);
    }
}

/* All taps of some channels; dw (KH,KW,C) stands at the first of them. */
DV_CPU_CLONES
static void some_channels(const geometry *g, const float *x, const float *dy, int64_t channels,
                          float *dw)
{
    const dv_conv2d_attr *attr = g->attr;
    int64_t depth = g->in.c;
    int64_t x_sample = g->in.h * g->in.w * depth, dy_sample = g->out.h * g->out.w * depth;
    for (int64_t kh = 0; kh < attr->kernel[0]; kh++) {
        for (int64_t kw = 0; kw < attr->kernel[1]; kw++) {
            float sum[CHANNELS] = {0};
            for (int64_t n = 0; n < g->in.n; n++)
                add_tap(g, x + n * x_sample, dy + n * dy_sample, kh, kw, channels, sum);
            memcpy(dw + (kh * attr->kernel[1] + kw) * depth, sum, (size_t)channels * sizeof *dw);
        }
    }
}

void dv__depthwise_weight_gradient(const dv_conv2d_attr *attr, dv_shape in, dv_shape out,
                                   const float *x, const float *dy, float *dw)
{
    geometry g = {attr, in, out};
#pragma omp parallel for schedule(static) if (dv_shape_count(in) > DV_CPU_GRAIN)
    for (int64_t first = 0; first < in.c; first += CHANNELS)
        some_channels(&g, x + first, dy + first, dv__smaller(CHANNELS, in.c - first), dw + first);
}
