/* Spatial attention on the CPU: one sample at a time, with maps that have zeros around them. */
#include "engine/ops/cpu.h"
#include "engine/ops/spatial_attention/spatial_attention.h"
#include "kernels/formulas/scalar_math.h"

#include <math.h>
#include <string.h>

/*
 * Planes are stored with the zeros around them, (height + k - 1, width + k - 1). The convolution
 * runs over a plane as one line: position (i, j) is i stride + j, and a tap is a constant distance.
 * Results between the end of a row and the start of the next are not used.
 */
typedef struct sizes {
    int64_t samples, height, width, channels, kernel;
    int64_t stride; /* elements of a plane's row */
    int64_t plane;  /* elements of a plane */
    int64_t line;   /* elements from the first position to the last */
} sizes;

/* The data of a sample saved from forward to backward: map (2, plane), with mean and maximum, and
   gate (height, width). */
typedef struct saved_values {
    float *map, *gate;
} saved_values;

/* Scratch of a sample: a line in forward; in backward the plane dz, the lines dmean and dmax, and
   the sample's part of the weight gradient, dw (2, k, k). */
typedef struct workspace {
    float *dz, *dmean, *dmax, *dw;
} workspace;

static sizes get_sizes(const dv_node_step *s)
{
    const dv_spatial_attention_attr *attr = s->node->attr;
    dv_shape x = s->in[0];
    int64_t stride = x.w + attr->kernel - 1;
    return (sizes){.samples = x.n,
                   .height = x.h,
                   .width = x.w,
                   .channels = x.c,
                   .kernel = attr->kernel,
                   .stride = stride,
                   .plane = stride * (x.h + attr->kernel - 1),
                   .line = (x.h - 1) * stride + x.w};
}

static int64_t record_size(const sizes *z)
{
    return 2 * z->plane + z->height * z->width;
}

static int64_t workspace_size(const sizes *z)
{
    return z->plane + 2 * z->line + 2 * z->kernel * z->kernel;
}

static saved_values get_saved(const dv_node_step *s, const sizes *z, int64_t n)
{
    float *map = (float *)s->saved + n * record_size(z);
    return (saved_values){map, map + 2 * z->plane};
}

static workspace get_workspace(const dv_node_step *s, const sizes *z, int64_t n)
{
    float *dz = (float *)s->scratch + n * workspace_size(z), *dmean = dz + z->plane;
    return (workspace){dz, dmean, dmean + z->line, dmean + 2 * z->line};
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    sizes z = get_sizes(s);
    dv_planner_save(planner, (size_t)(z.samples * record_size(&z)) * sizeof(float));
    int64_t scratch = s->training ? workspace_size(&z) : z.line;
    dv_planner_scratch(planner, (size_t)(z.samples * scratch) * sizeof(float));
    return DV_OK;
}

/* ---- Taps ---- */

/* The taps [first, end) of an axis that touch the map anywhere. */
DV_CPU_INLINE void tap_range(int64_t kernel, int64_t size, int64_t *first, int64_t *end)
{
    int64_t half = kernel / 2;
    *first = half < size ? 0 : half - size + 1;
    *end = kernel - *first;
}

/* out (line) += the convolution of a plane. `flipped` turns the kernel by 180 degrees. */
DV_CPU_INLINE void convolve(const sizes *z, const float *restrict plane, const float *restrict w,
                            bool flipped, float *restrict out)
{
    int64_t k = z->kernel, line = z->line, row, row_end, first, end;
    tap_range(k, z->height, &row, &row_end);
    tap_range(k, z->width, &first, &end);
    for (; row < row_end; row++) {
        for (int64_t column = first; column < end; column++) {
            const float *from = plane + row * z->stride + column;
            int64_t tap = row * k + column;
            float weight = w[flipped ? k * k - 1 - tap : tap];
#pragma omp simd
            for (int64_t p = 0; p < line; p++)
                out[p] += weight * from[p];
        }
    }
}

/* dw (k, k) = for each tap, the sum of dz (line, with zeros between rows) times the plane. */
DV_CPU_INLINE void correlate(const sizes *z, const float *restrict plane, const float *restrict dz,
                             float *restrict dw)
{
    int64_t k = z->kernel, line = z->line, row, row_end, first, end;
    memset(dw, 0, (size_t)(k * k) * sizeof(float));
    tap_range(k, z->height, &row, &row_end);
    tap_range(k, z->width, &first, &end);
    for (; row < row_end; row++) {
        for (int64_t column = first; column < end; column++) {
            const float *from = plane + row * z->stride + column;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t p = 0; p < line; p++)
                sum += dz[p] * from[p];
            dw[row * k + column] = sum;
        }
    }
}

/* The offset of position (0, 0) in a plane. */
DV_CPU_INLINE int64_t origin(const sizes *z)
{
    return z->kernel / 2 * (z->stride + 1);
}

/* ---- Forward ---- */

DV_CPU_INLINE void mean_max(const float *restrict x, int64_t channels, float *mean, float *max)
{
    float sum = 0, best = -INFINITY;
    int nan = 0; /* comparisons ignore a NaN */
#pragma omp simd reduction(+ : sum) reduction(max : best) reduction(| : nan)
    for (int64_t c = 0; c < channels; c++) {
        float value = x[c];
        sum += value;
        best = value > best ? value : best;
        nan |= value != value;
    }
    *mean = sum * (1.0F / (float)channels);
    *max = nan ? NAN : best;
}

/* Computes one sample: the maps of mean and maximum, their convolution in `line`, the gates, and y.
   The maps and the gates are saved for backward. */
DV_CPU_CLONES
static void forward_sample(const sizes *z, const float *restrict x, const float *w, saved_values r,
                           float *restrict line, float *restrict y)
{
    int64_t channels = z->channels, width = z->width;
    memset(r.map, 0, (size_t)(2 * z->plane) * sizeof(float));
    for (int64_t p = 0; p < z->height * width; p++) {
        float *mean = r.map + origin(z) + p / width * z->stride + p % width;
        mean_max(x + p * channels, channels, mean, mean + z->plane);
    }
    memset(line, 0, (size_t)z->line * sizeof(float));
    convolve(z, r.map, w, false, line);
    convolve(z, r.map + z->plane, w + z->kernel * z->kernel, false, line);
    for (int64_t row = 0; row < z->height; row++) {
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            r.gate[row * width + i] = dv_sigmoid(line[row * z->stride + i]);
    }
    for (int64_t p = 0; p < z->height * width; p++) {
        float gate = r.gate[p];
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            y[p * channels + c] = x[p * channels + c] * gate;
    }
}

static dv_status forward(dv_node_step *s)
{
    sizes z = get_sizes(s);
    const float *x = s->x[0], *w = s->w[0];
    float *y = s->y;
    int64_t sample = z.height * z.width * z.channels;
#pragma omp parallel for schedule(static) if (z.samples * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < z.samples; n++)
        forward_sample(&z, x + n * sample, w, get_saved(s, &z, n), (float *)s->scratch + n * z.line,
                       y + n * sample);
    return DV_OK;
}

/* ---- Backward ---- */

/* dx = dy gate, plus the mean's gradient in all channels and the maximum's in its first channel. */
DV_CPU_INLINE void backward_position(const float *restrict x, const float *restrict dy, float gate,
                                     float best, float of_mean, float of_max, int32_t channels,
                                     float *restrict dx)
{
    int32_t place = channels;
#pragma omp simd reduction(min : place)
    for (int32_t c = 0; c < channels; c++) {
        int32_t candidate = x[c] == best ? c : channels;
        place = candidate < place ? candidate : place;
        dx[c] = dy[c] * gate + of_mean;
    }
    if (place < channels) /* unless the maximum is a NaN */
        dx[place] += of_max;
}

/* Computes the sample's part of the weight gradient and, if dx is not NULL, dx. The plane dz has
   the gradients before the sigmoid, with zeros around them. */
DV_CPU_CLONES
static void backward_sample(const sizes *z, const float *x, const float *dy, const float *w,
                            saved_values r, workspace work, float *dx)
{
    int64_t channels = z->channels, width = z->width, taps = z->kernel * z->kernel;
    float *dz = work.dz + origin(z);
    memset(work.dz, 0, (size_t)z->plane * sizeof(float));
    for (int64_t p = 0; p < z->height * width; p++) {
        const float *x0 = x + p * channels, *dy0 = dy + p * channels;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t c = 0; c < channels; c++)
            sum += x0[c] * dy0[c];
        dz[p / width * z->stride + p % width] = sum * dv_sigmoid_slope_from_y(r.gate[p]);
    }
    correlate(z, r.map, dz, work.dw);
    correlate(z, r.map + z->plane, dz, work.dw + taps);
    if (dx == NULL)
        return;
    memset(work.dmean, 0, (size_t)(2 * z->line) * sizeof(float));
    convolve(z, work.dz, w, true, work.dmean);
    convolve(z, work.dz, w + taps, true, work.dmax);
    float share = 1.0F / (float)channels;
    for (int64_t p = 0; p < z->height * width; p++) {
        int64_t at = p / width * z->stride + p % width;
        backward_position(x + p * channels, dy + p * channels, r.gate[p],
                          r.map[z->plane + origin(z) + at], work.dmean[at] * share, work.dmax[at],
                          (int32_t)channels, dx + p * channels);
    }
}

static dv_status backward(dv_node_step *s)
{
    sizes z = get_sizes(s);
    const float *x = s->x[0], *dy = s->dy, *w = s->w[0];
    float *dx = s->dx[0], *dw = s->dw[0];
    int64_t sample = z.height * z.width * z.channels, taps = 2 * z.kernel * z.kernel;
#pragma omp parallel for schedule(static) if (z.samples * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < z.samples; n++)
        backward_sample(&z, x + n * sample, dy + n * sample, w, get_saved(s, &z, n),
                        get_workspace(s, &z, n), dx != NULL ? dx + n * sample : NULL);
    memset(dw, 0, (size_t)taps * sizeof(float));
    for (int64_t n = 0; n < z.samples; n++) {
        const float *part = get_workspace(s, &z, n).dw;
        for (int64_t t = 0; t < taps; t++)
            dw[t] += part[t];
    }
    return DV_OK;
}

const dv_impl dv_spatial_attention_cpu = {.plan = plan, .forward = forward, .backward = backward};
