/* Squeeze and excitation with a backward pass. A thread computes several samples at once. */
#include "engine/ops/squeeze_excite/cpu_trained.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/global_avgpool/cpu_mean.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"

#include <string.h>

/* Samples that a thread computes at once, so that it reads the weights once for all of them. */
enum { GROUP = 4 };

typedef struct sizes {
    int64_t samples, positions, channels, middle;
    int activation;
} sizes;

/* The data saved from forward to backward. */
typedef struct saved_values {
    float *expand; /* (middle, channels), the second weight transposed */
    float *mean;   /* (samples, channels) */
    float *before; /* (samples, middle), the middle units before the activation */
    float *hidden; /* (samples, middle), the middle units after the activation */
    float *gate;   /* (samples, channels) */
} saved_values;

/* Backward's scratch: gradients before the activations, and others. */
typedef struct workspace {
    float *dreduce; /* (samples, middle) */
    float *dexpand; /* (samples, channels) */
    float *dmean;   /* (samples, channels) */
    float *dweight; /* (middle, channels), the second weight's gradient transposed */
} workspace;

static sizes get_sizes(const dv_node_step *s)
{
    const dv_squeeze_excite_attr *attr = s->node->attr;
    dv_shape x = s->in[0];
    return (sizes){x.n, x.h * x.w, x.c, dv_squeeze_excite_middle(attr, x.c), attr->activation};
}

static saved_values get_saved(const dv_node_step *s, const sizes *z)
{
    saved_values r = {.expand = s->saved};
    r.mean = r.expand + z->middle * z->channels;
    r.before = r.mean + z->samples * z->channels;
    r.hidden = r.before + z->samples * z->middle;
    r.gate = r.hidden + z->samples * z->middle;
    return r;
}

static workspace get_workspace(const dv_node_step *s, const sizes *z)
{
    workspace w = {.dreduce = s->scratch};
    w.dexpand = w.dreduce + z->samples * z->middle;
    w.dmean = w.dexpand + z->samples * z->channels;
    w.dweight = w.dmean + z->samples * z->channels;
    return w;
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    sizes z = get_sizes(s);
    int64_t count = z.samples * (2 * z.channels + 2 * z.middle) + z.middle * z.channels;
    dv_planner_save(planner, (size_t)count * sizeof(float));
    count = z.samples * (2 * z.channels + z.middle) + z.middle * z.channels;
    if (s->training)
        dv_planner_scratch(planner, (size_t)count * sizeof(float));
    return DV_OK;
}

/* ---- Products ---- */

/* out (outputs, middle) = x (outputs, channels) w (middle, channels)^T, for up to GROUP outputs. */
DV_CPU_INLINE void multiply(int64_t outputs, const float *restrict x, const float *restrict w,
                            const sizes *z, float *restrict out)
{
    int64_t channels = z->channels, middle = z->middle;
    const float *x1 = x + channels, *x2 = x1 + channels, *x3 = x2 + channels;
    for (int64_t m = 0; m < middle; m++, w += channels) {
        if (outputs == GROUP) { /* an array of sums would not be vectorised */
            float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
            for (int64_t c = 0; c < channels; c++) {
                sum0 += x[c] * w[c];
                sum1 += x1[c] * w[c];
                sum2 += x2[c] * w[c];
                sum3 += x3[c] * w[c];
            }
            out[m] = sum0;
            out[middle + m] = sum1;
            out[2 * middle + m] = sum2;
            out[3 * middle + m] = sum3;
            continue;
        }
        for (int64_t o = 0; o < outputs; o++) {
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t c = 0; c < channels; c++)
                sum += x[o * channels + c] * w[c];
            out[o * middle + m] = sum;
        }
    }
}

/* Coefficient (o, k) is value[o outer + k inner]. */
typedef struct coefficients {
    const float *value;
    int64_t outer, inner;
} coefficients;

/* out (outputs, channels) += coefficients (outputs, count) rows (count, channels). `outputs` is at
   most GROUP, and a constant after inlining. */
DV_CPU_INLINE void combine_rows(int outputs, coefficients q, const float *restrict rows,
                                int64_t count, int64_t channels, float *restrict out)
{
    int64_t k = 0;
    for (; k + 4 <= count; k += 4) {
        const float *r0 = rows + k * channels, *r1 = r0 + channels;
        const float *r2 = r1 + channels, *r3 = r2 + channels;
        float f[GROUP][4];
        for (int o = 0; o < outputs; o++) {
            for (int i = 0; i < 4; i++)
                f[o][i] = q.value[o * q.outer + (k + i) * q.inner];
        }
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            for (int o = 0; o < outputs; o++)
                out[o * channels + c] +=
                    (f[o][0] * r0[c] + f[o][1] * r1[c]) + (f[o][2] * r2[c] + f[o][3] * r3[c]);
        }
    }
    for (; k < count; k++) {
        for (int o = 0; o < outputs; o++) {
            float factor = q.value[o * q.outer + k * q.inner];
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                out[o * channels + c] += factor * rows[k * channels + c];
        }
    }
}

DV_CPU_INLINE void combine(int64_t outputs, coefficients q, const float *rows, int64_t count,
                           int64_t channels, float *out)
{
    if (outputs == GROUP) {
        combine_rows(GROUP, q, rows, count, channels, out);
        return;
    }
    for (int64_t o = 0; o < outputs; o++) {
        coefficients own = {q.value + o * q.outer, q.outer, q.inner};
        combine_rows(1, own, rows, count, channels, out + o * channels);
    }
}

/* ---- Forward ---- */

/* Computes a group of samples. All pointers except the weights are to the group's first sample. */
DV_CPU_CLONES
static void forward_group(const sizes *z, int64_t samples, const float *restrict x,
                          const void *const *w, const saved_values *r, float *restrict y)
{
    int64_t channels = z->channels, middle = z->middle, sample = z->positions * channels;
    const float *b1 = w[1], *b2 = w[3];
    for (int64_t n = 0; n < samples; n++)
        dv__cpu_mean_rows(x + n * sample, r->mean + n * channels, z->positions, channels);
    multiply(samples, r->mean, w[0], z, r->before);
    for (int64_t n = 0; n < samples; n++) {
        for (int64_t m = n * middle; m < (n + 1) * middle; m++) {
            r->before[m] += b1[m - n * middle];
            r->hidden[m] = dv_activate(z->activation, r->before[m]);
        }
        memcpy(r->gate + n * channels, b2, (size_t)channels * sizeof(float));
    }
    combine(samples, (coefficients){r->hidden, middle, 1}, r->expand, middle, channels, r->gate);
    for (int64_t n = 0; n < samples; n++) {
        float *restrict gate = r->gate + n * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            gate[c] = dv_sigmoid(gate[c]);
        for (int64_t i = n * sample; i < (n + 1) * sample; i += channels) {
#pragma omp simd
            for (int64_t c = 0; c < channels; c++)
                y[i + c] = x[i + c] * gate[c];
        }
    }
}

/* The saved data from sample n on. */
static saved_values saved_at(saved_values r, const sizes *z, int64_t n)
{
    return (saved_values){r.expand, r.mean + n * z->channels, r.before + n * z->middle,
                          r.hidden + n * z->middle, r.gate + n * z->channels};
}

static dv_status forward(dv_node_step *s)
{
    sizes z = get_sizes(s);
    saved_values r = get_saved(s, &z);
    const float *x = s->x[0];
    float *y = s->y;
    int64_t sample = z.positions * z.channels;
    dv_transpose(s->w[2], z.channels, z.middle, r.expand);
#pragma omp parallel for schedule(static) if (z.samples * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < z.samples; n += GROUP) {
        saved_values own = saved_at(r, &z, n);
        forward_group(&z, dv_smaller(GROUP, z.samples - n), x + n * sample, s->w, &own,
                      y + n * sample);
    }
    return DV_OK;
}

/* ---- Backward ---- */

/* dexpand = (the sum of dy x over positions) times the slope of the sigmoid. */
DV_CPU_INLINE void gate_gradient(const sizes *z, const float *restrict x, const float *restrict dy,
                                 const float *restrict gate, float *restrict dexpand)
{
    int64_t channels = z->channels, row = 0;
    for (int64_t c = 0; c < channels; c++)
        dexpand[c] = 0;
    for (; row + 2 <= z->positions; row += 2) {
        const float *x0 = x + row * channels, *dy0 = dy + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            dexpand[c] += x0[c] * dy0[c] + x0[c + channels] * dy0[c + channels];
    }
    for (; row < z->positions; row++) {
        const float *x0 = x + row * channels, *dy0 = dy + row * channels;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            dexpand[c] += x0[c] * dy0[c];
    }
#pragma omp simd
    for (int64_t c = 0; c < channels; c++)
        dexpand[c] *= dv_sigmoid_slope_from_y(gate[c]);
}

/* dx = dy gate + dmean / positions. */
DV_CPU_INLINE void input_gradient(const sizes *z, const float *restrict dy,
                                  const float *restrict gate, float *restrict dmean,
                                  float *restrict dx)
{
    int64_t channels = z->channels;
    float share = 1.0F / (float)z->positions;
    for (int64_t c = 0; c < channels; c++)
        dmean[c] *= share;
    for (int64_t i = 0; i < z->positions * channels; i += channels) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            dx[i + c] = dy[i + c] * gate[c] + dmean[c];
    }
}

/* Computes the gradients of a group of samples. All pointers except the weights are to the group's
   first sample. dx may be NULL. */
DV_CPU_CLONES
static void backward_group(const sizes *z, int64_t samples, const float *x, const float *dy,
                           const void *const *w, const saved_values *r, const workspace *work,
                           float *dx)
{
    int64_t channels = z->channels, middle = z->middle, sample = z->positions * channels;
    for (int64_t n = 0; n < samples; n++)
        gate_gradient(z, x + n * sample, dy + n * sample, r->gate + n * channels,
                      work->dexpand + n * channels);
    multiply(samples, work->dexpand, r->expand, z, work->dreduce);
    for (int64_t m = 0; m < samples * middle; m++)
        work->dreduce[m] *= dv_activation_slope(z->activation, r->before[m], r->hidden[m]);
    if (dx == NULL)
        return;
    memset(work->dmean, 0, (size_t)(samples * channels) * sizeof(float));
    combine(samples, (coefficients){work->dreduce, middle, 1}, w[0], middle, channels, work->dmean);
    for (int64_t n = 0; n < samples; n++)
        input_gradient(z, dy + n * sample, r->gate + n * channels, work->dmean + n * channels,
                       dx + n * sample);
}

/* Computes rows m .. m + count - 1 of both weights' gradients. */
DV_CPU_CLONES
static void weight_gradients(const sizes *z, int64_t m, int64_t count, const saved_values *r,
                             const workspace *work, float *dreduce)
{
    int64_t channels = z->channels, middle = z->middle;
    size_t bytes = (size_t)(count * channels) * sizeof(float);
    float *dexpand = work->dweight + m * channels;
    memset(dreduce + m * channels, 0, bytes);
    combine(count, (coefficients){work->dreduce + m, 1, middle}, r->mean, z->samples, channels,
            dreduce + m * channels);
    memset(dexpand, 0, bytes);
    combine(count, (coefficients){r->hidden + m, 1, middle}, work->dexpand, z->samples, channels,
            dexpand);
}

DV_CPU_CLONES
static void bias_gradient(const float *restrict dy, int64_t samples, int64_t count,
                          float *restrict db)
{
    static const float one[4] = {1, 1, 1, 1};
    memset(db, 0, (size_t)count * sizeof(float));
    combine_rows(1, (coefficients){one, 0, 0}, dy, samples, count, db);
}

/* First computes dx and the gradients before the activations for groups of samples, then the
   weights' gradients for groups of middle units. So each sum over the samples has one thread and a
   fixed order. */
static dv_status backward(dv_node_step *s)
{
    sizes z = get_sizes(s);
    saved_values r = get_saved(s, &z);
    workspace work = get_workspace(s, &z);
    const float *x = s->x[0], *dy = s->dy;
    float *dx = s->dx[0];
    int64_t sample = z.positions * z.channels;
#pragma omp parallel for schedule(static) if (z.samples * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < z.samples; n += GROUP) {
        saved_values own = saved_at(r, &z, n);
        workspace part = {work.dreduce + n * z.middle, work.dexpand + n * z.channels,
                          work.dmean + n * z.channels, NULL};
        backward_group(&z, dv_smaller(GROUP, z.samples - n), x + n * sample, dy + n * sample, s->w,
                       &own, &part, dx != NULL ? dx + n * sample : NULL);
    }
#pragma omp parallel for schedule(static) if (z.samples * z.channels * z.middle > DV_CPU_GRAIN)
    for (int64_t m = 0; m < z.middle; m += GROUP)
        weight_gradients(&z, m, dv_smaller(GROUP, z.middle - m), &r, &work, s->dw[0]);
    dv_transpose(work.dweight, z.middle, z.channels, s->dw[2]);
    bias_gradient(work.dreduce, z.samples, z.middle, s->dw[1]);
    bias_gradient(work.dexpand, z.samples, z.channels, s->dw[3]);
    return DV_OK;
}

const dv_impl dv__squeeze_excite_trained = {.plan = plan, .forward = forward, .backward = backward};
