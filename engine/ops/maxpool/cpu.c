/* Maximum pooling on the CPU: our own kernels on (N,H,W,C), with vectors of channels side by side.
   oneDNN's would need a workspace in its own format. */
#include "engine/ops/cpu.h"
#include "engine/ops/maxpool/maxpool.h"

#include <string.h>

typedef struct geometry {
    const dv_pool_attr *attr;
    dv_shape in, out;
} geometry;

/* Saves the tap (kh KW + kw) of each output element's maximum, int32_t. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    if (s->training && s->wants_dx[0])
        dv_planner_save(planner, (size_t)dv_shape_count(s->node->shape) * sizeof(int32_t));
    return DV_OK;
}

/* y = max(y, x), with the first one in a tie. NaN counts as larger than all numbers. */
DV_CPU_INLINE void take(const float *x, int64_t channels, int32_t tap, bool first,
                        float *restrict y, int32_t *restrict taps)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float value = x[c];
        bool larger = first || value > y[c] || value != value;
        y[c] = larger ? value : y[c];
        taps[c] = larger ? tap : taps[c];
    }
}

/* Calls `use(x at the pixel of a tap, tap)` for the taps of output pixel (oy, ox) that lie inside
   the input, in row order. `x` is a sample's first element. */
#define FOR_TAPS(g, oy, ox, x, use)                                                                \
    for (int64_t kh = 0; kh < (g)->attr->kernel[0]; kh++) {                                        \
        int64_t iy = (oy) * (g)->attr->stride[0] + kh - (g)->attr->padding[0];                     \
        for (int64_t kw = 0; iy >= 0 && iy < (g)->in.h && kw < (g)->attr->kernel[1]; kw++) {       \
            int64_t ix = (ox) * (g)->attr->stride[1] + kw - (g)->attr->padding[1];                 \
            if (ix >= 0 && ix < (g)->in.w)                                                         \
                use((x) + (iy * (g)->in.w + ix) * (g)->in.c,                                       \
                    (int32_t)(kh * (g)->attr->kernel[1] + kw));                                    \
        }                                                                                          \
    }

/* Computes row `row` of y, counted over the whole batch. */
DV_CPU_CLONES
static void forward_row(const geometry *g, const float *x, int64_t row, float *y, int32_t *taps)
{
    int64_t channels = g->in.c;
    const float *sample = x + row / g->out.h * g->in.h * g->in.w * channels;
    for (int64_t ox = 0; ox < g->out.w; ox++) {
        int64_t at = (row * g->out.w + ox) * channels;
        bool begun = false;
#define TAKE(pixel, tap)                                                                           \
    {                                                                                              \
        take(pixel, channels, tap, !begun, y + at, taps + at);                                     \
        begun = true;                                                                              \
    }
        FOR_TAPS(g, row % g->out.h, ox, sample, TAKE)
#undef TAKE
    }
}

DV_CPU_INLINE float larger_of(float best, float value)
{
    return ((value > best) | (value != value)) ? value : best;
}

/* y = max(a, b), or max(y, a, b). */
DV_CPU_INLINE void take_two(const float *a, const float *b, int64_t channels, bool first,
                            float *restrict y)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        float best = first ? a[c] : larger_of(y[c], a[c]);
        y[c] = larger_of(best, b[c]);
    }
}

/* Computes row `row` of y without the taps of the maxima, two taps at a time. */
DV_CPU_CLONES
static void infer_row(const geometry *g, const float *x, int64_t row, float *y)
{
    int64_t channels = g->in.c;
    const float *sample = x + row / g->out.h * g->in.h * g->in.w * channels;
    for (int64_t ox = 0; ox < g->out.w; ox++) {
        float *to = y + (row * g->out.w + ox) * channels;
        const float *one = NULL; /* the first tap of a pair */
        bool begun = false;
#define TAKE(pixel, tap)                                                                           \
    {                                                                                              \
        (void)(tap);                                                                               \
        if (one == NULL) {                                                                         \
            one = (pixel);                                                                         \
            continue;                                                                              \
        }                                                                                          \
        if (begun)                                                                                 \
            take_two(one, pixel, channels, false, to);                                             \
        else                                                                                       \
            take_two(one, pixel, channels, true, to);                                              \
        begun = true;                                                                              \
        one = NULL;                                                                                \
    }
        FOR_TAPS(g, row % g->out.h, ox, sample, TAKE)
#undef TAKE
        if (one != NULL && begun)
            take_two(one, one, channels, false, to);
        else if (one != NULL)
            memcpy(to, one, (size_t)channels * sizeof *to);
    }
}

DV_CPU_INLINE void give(const float *restrict dy, const int32_t *restrict taps, int64_t channels,
                        int32_t tap, float *restrict dx)
{
#pragma omp simd
    for (int64_t c = 0; c < channels; c++)
        dx[c] += taps[c] == tap ? dy[c] : 0.0F;
}

DV_CPU_CLONES
static void backward_sample(const geometry *g, const float *dy, const int32_t *taps, float *dx)
{
    int64_t channels = g->in.c;
    memset(dx, 0, (size_t)(g->in.h * g->in.w * channels) * sizeof *dx);
    for (int64_t oy = 0; oy < g->out.h; oy++) {
        for (int64_t ox = 0; ox < g->out.w; ox++) {
            int64_t at = (oy * g->out.w + ox) * channels;
#define GIVE(pixel, tap) give(dy + at, taps + at, channels, tap, pixel)
            FOR_TAPS(g, oy, ox, dx, GIVE)
#undef GIVE
        }
    }
}

static geometry geometry_of(const dv_node_step *s)
{
    return (geometry){.attr = s->node->attr, .in = s->in[0], .out = s->node->shape};
}

static dv_status forward(dv_node_step *s)
{
    geometry g = geometry_of(s);
    int64_t rows = g.out.n * g.out.h;
    int32_t *taps = s->training && s->wants_dx[0] ? s->saved : NULL;
#pragma omp parallel for schedule(static) if (dv_shape_count(g.in) > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row++) {
        if (taps != NULL)
            forward_row(&g, s->x[0], row, s->y, taps);
        else
            infer_row(&g, s->x[0], row, s->y);
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    geometry g = geometry_of(s);
    float *dx = s->dx[0];
    const float *dy = s->dy;
    const int32_t *taps = s->saved;
    int64_t in = g.in.h * g.in.w * g.in.c, out = g.out.h * g.out.w * g.out.c;
    if (dx == NULL)
        return DV_OK;
#pragma omp parallel for schedule(static) if (dv_shape_count(g.in) > DV_CPU_GRAIN)
    for (int64_t n = 0; n < g.in.n; n++)
        backward_sample(&g, dy + n * out, taps + n * out, dx + n * in);
    return DV_OK;
}

const dv_impl dv_maxpool_cpu = {.plan = plan, .forward = forward, .backward = backward};
