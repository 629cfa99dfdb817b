/* The weight gradient of a depthwise convolution on (N,H,W,C): for each tap a sum over pixels, with
   vectors of channels side by side. */
#include "engine/ops/conv2d/cpu_conv2d.h"
#include "engine/ops/cpu.h"

#include <string.h>

/* Channels of a unit of work: four vectors, whose sums stay in registers. */
enum { VECTOR = 16, CHANNELS = 4 * VECTOR };

/* Bytes of x and dy in a chunk, which stays in the first-level cache for all taps. */
enum { CHUNK_BYTES = 24576 };

typedef float vector __attribute__((vector_size(VECTOR * sizeof(float)), aligned(4), may_alias));

typedef struct geometry {
    const dv_conv2d_attr *attr;
    dv_shape in, out;
} geometry;

/* The pixels of x and dy that a tap multiplies: `rows` x `columns` in each of `samples`. */
typedef struct meeting {
    const float *x, *dy;
    int64_t samples, rows, columns;
    int64_t x_sample, x_row, x_column; /* steps */
    int64_t dy_sample, dy_row, dy_column;
} meeting;

/* Finds the outputs first .. last - 1 along an axis whose tap `tap` lies inside the input. */
static void inside(const dv_conv2d_attr *attr, int axis, int64_t tap, int64_t in, int64_t out,
                   int64_t *first, int64_t *last)
{
    int64_t stride = attr->stride[axis];
    int64_t shift = attr->padding[axis] - tap * attr->dilation[axis];
    int64_t end = in + shift; /* outputs o with o * stride < end */
    *first = shift > 0 ? (shift + stride - 1) / stride : 0;
    *last = end > 0 ? dv_smaller((end + stride - 1) / stride, out) : 0;
}

/* The pixels for tap (kh, kw). x and dy point to the first sample. */
static meeting meet(const geometry *g, const float *x, const float *dy, int64_t samples, int64_t kh,
                    int64_t kw)
{
    const dv_conv2d_attr *attr = g->attr;
    int64_t top, bottom, left, right, depth = g->in.c;
    inside(attr, 0, kh, g->in.h, g->out.h, &top, &bottom);
    inside(attr, 1, kw, g->in.w, g->out.w, &left, &right);
    int64_t iy = top * attr->stride[0] + kh * attr->dilation[0] - attr->padding[0];
    int64_t ix = left * attr->stride[1] + kw * attr->dilation[1] - attr->padding[1];
    bool none = top >= bottom || left >= right;
    return (meeting){
        .x = none ? x : x + (iy * g->in.w + ix) * depth,
        .dy = none ? dy : dy + (top * g->out.w + left) * depth,
        .samples = none ? 0 : samples,
        .rows = bottom - top,
        .columns = right - left,
        .x_sample = g->in.h * g->in.w * depth,
        .x_row = attr->stride[0] * g->in.w * depth,
        .x_column = attr->stride[1] * depth,
        .dy_sample = g->out.h * g->out.w * depth,
        .dy_row = g->out.w * depth,
        .dy_column = depth,
    };
}

/* sum[c] += x[c] dy[c] over all pixels, for `vectors` vectors of channels. */
DV_CPU_INLINE void add_vectors(const meeting *m, int vectors, float *sum)
{
    vector held[CHANNELS / VECTOR];
    for (int v = 0; v < vectors; v++)
        held[v] = *(const vector *)(sum + v * VECTOR);
    for (int64_t n = 0; n < m->samples; n++) {
        for (int64_t row = 0; row < m->rows; row++) {
            const float *x = m->x + n * m->x_sample + row * m->x_row;
            const float *dy = m->dy + n * m->dy_sample + row * m->dy_row;
            for (int64_t i = 0; i < m->columns; i++, x += m->x_column, dy += m->dy_column) {
                for (int v = 0; v < vectors; v++)
                    held[v] +=
                        *(const vector *)(x + v * VECTOR) * *(const vector *)(dy + v * VECTOR);
            }
        }
    }
    for (int v = 0; v < vectors; v++)
        *(vector *)(sum + v * VECTOR) = held[v];
}

DV_CPU_CLONES
static void add_four(const meeting *m, float *sum)
{
    add_vectors(m, 4, sum);
}

DV_CPU_CLONES
static void add_one(const meeting *m, float *sum)
{
    add_vectors(m, 1, sum);
}

static void add_channel(const meeting *m, float *sum)
{
    for (int64_t n = 0; n < m->samples; n++) {
        for (int64_t row = 0; row < m->rows; row++) {
            const float *x = m->x + n * m->x_sample + row * m->x_row;
            const float *dy = m->dy + n * m->dy_sample + row * m->dy_row;
            for (int64_t i = 0; i < m->columns; i++)
                *sum += x[i * m->x_column] * dy[i * m->dy_column];
        }
    }
}

/* Adds a tap's products to the sums of at most CHANNELS channels. */
static void add_tap(meeting m, int64_t channels, float *sum)
{
    if (channels == CHANNELS) {
        add_four(&m, sum);
        return;
    }
    while (channels > 0) {
        int64_t width = channels >= VECTOR ? VECTOR : 1;
        if (width == VECTOR)
            add_one(&m, sum);
        else
            add_channel(&m, sum);
        m.x += width;
        m.dy += width;
        sum += width;
        channels -= width;
    }
}

/* Computes all taps for some channels. dw (KH,KW,C) points to the first of them. */
static void some_channels(const geometry *g, const float *x, const float *dy, int64_t channels,
                          float *dw)
{
    const dv_conv2d_attr *attr = g->attr;
    int64_t depth = g->in.c, kernel_width = attr->kernel[1];
    int64_t x_sample = g->in.h * g->in.w, dy_sample = g->out.h * g->out.w;
    int64_t chunk = CHUNK_BYTES / ((x_sample + dy_sample) * CHANNELS * (int64_t)sizeof(float));
    chunk = chunk > 1 ? chunk : 1;
    for (int64_t tap = 0; tap < attr->kernel[0] * kernel_width; tap++)
        memset(dw + tap * depth, 0, (size_t)channels * sizeof *dw);
    for (int64_t n = 0; n < g->in.n; n += chunk) {
        int64_t samples = dv_smaller(chunk, g->in.n - n);
        const float *from = x + n * x_sample * depth, *gradient = dy + n * dy_sample * depth;
        for (int64_t kh = 0; kh < attr->kernel[0]; kh++) {
            for (int64_t kw = 0; kw < kernel_width; kw++)
                add_tap(meet(g, from, gradient, samples, kh, kw), channels,
                        dw + (kh * kernel_width + kw) * depth);
        }
    }
}

void dv__depthwise_weight_gradient(const dv_conv2d_attr *attr, dv_shape in, dv_shape out,
                                   const float *x, const float *dy, float *dw)
{
    geometry g = {attr, in, out};
#pragma omp parallel for schedule(static) if (dv_shape_count(in) > DV_CPU_GRAIN)
    for (int64_t first = 0; first < in.c; first += CHANNELS)
        some_channels(&g, x + first, dy + first, dv_smaller(CHANNELS, in.c - first), dw + first);
}
