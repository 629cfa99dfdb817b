/* The reference of squeeze and excitation: means, products and gates in double. */
#include "engine/ops/activation/ref_math.h"
#include "engine/ops/ref.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"

/* Sizes, and the data saved by forward. */
typedef struct saved_values {
    int64_t samples, positions, channels, middle;
    double *mean;   /* (samples, channels) */
    double *before; /* (samples, middle), the middle units before the activation */
    double *gate;   /* (samples, channels) */
} saved_values;

static saved_values get_saved(const dv_node_step *s)
{
    dv_shape x = s->in[0];
    saved_values r = {x.n,  x.h * x.w, x.c, dv_squeeze_excite_middle(s->node->attr, x.c),
                      NULL, NULL,      NULL};
    if (s->saved == NULL)
        return r;
    r.mean = s->saved;
    r.before = r.mean + r.samples * r.channels;
    r.gate = r.before + r.samples * r.middle;
    return r;
}

/* Backward's scratch has the gradients before both activations, with the shapes of `before` and
   `gate`. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    saved_values r = get_saved(s);
    size_t row = sizeof(double) * (size_t)r.samples;
    dv_planner_save(planner, row * (size_t)(2 * r.channels + r.middle));
    if (s->training)
        dv_planner_scratch(planner, row * (size_t)(r.channels + r.middle));
    return DV_OK;
}

static int activation(const dv_node_step *s)
{
    return ((const dv_squeeze_excite_attr *)s->node->attr)->activation;
}

/* Computes means, middle units and gates of sample n. */
static void compute_gates(const dv_node_step *s, const saved_values *r, int64_t n)
{
    const real *x = (const real *)s->x[0] + n * r->positions * r->channels;
    const real *w1 = s->w[0], *b1 = s->w[1], *w2 = s->w[2], *b2 = s->w[3];
    double *mean = r->mean + n * r->channels, *gate = r->gate + n * r->channels;
    double *before = r->before + n * r->middle;
    for (int64_t c = 0; c < r->channels; c++) {
        double sum = 0;
        for (int64_t i = 0; i < r->positions; i++)
            sum += (double)x[i * r->channels + c];
        mean[c] = sum / (double)r->positions;
    }
    for (int64_t m = 0; m < r->middle; m++) {
        before[m] = (double)b1[m];
        for (int64_t c = 0; c < r->channels; c++)
            before[m] += (double)w1[m * r->channels + c] * mean[c];
    }
    for (int64_t c = 0; c < r->channels; c++) {
        double sum = (double)b2[c];
        for (int64_t m = 0; m < r->middle; m++)
            sum += (double)w2[c * r->middle + m] * dv__ref_activate(activation(s), before[m]);
        gate[c] = dv__ref_activate(DV_ACT_SIGMOID, sum);
    }
}

static dv_status forward(dv_node_step *s)
{
    saved_values r = get_saved(s);
    const real *x = s->x[0];
    real *y = s->y;
    int64_t sample = r.positions * r.channels;
    for (int64_t n = 0; n < r.samples; n++) {
        compute_gates(s, &r, n);
        for (int64_t i = 0; i < sample; i++)
            y[n * sample + i] =
                (real)((double)x[n * sample + i] * r.gate[n * r.channels + i % r.channels]);
    }
    return DV_OK;
}

/* Computes dx of sample n, and the gradients before the activations, dz1 (middle) and dz2
   (channels). */
static void backward_sample(const dv_node_step *s, const saved_values *r, int64_t n, double *dz1,
                            double *dz2)
{
    int64_t offset = n * r->positions * r->channels;
    const real *x = (const real *)s->x[0] + offset, *dy = (const real *)s->dy + offset;
    const real *w1 = s->w[0], *w2 = s->w[2];
    const double *gate = r->gate + n * r->channels;
    for (int64_t c = 0; c < r->channels; c++) {
        double sum = 0;
        for (int64_t i = 0; i < r->positions; i++)
            sum += (double)dy[i * r->channels + c] * (double)x[i * r->channels + c];
        dz2[c] = sum * gate[c] * (1 - gate[c]);
    }
    for (int64_t m = 0; m < r->middle; m++) {
        double sum = 0;
        for (int64_t c = 0; c < r->channels; c++)
            sum += (double)w2[c * r->middle + m] * dz2[c];
        dz1[m] = sum * dv__ref_activation_slope(activation(s), r->before[n * r->middle + m]);
    }
    if (s->dx[0] == NULL)
        return;
    real *dx = (real *)s->dx[0] + offset;
    for (int64_t c = 0; c < r->channels; c++) {
        double of_mean = 0;
        for (int64_t m = 0; m < r->middle; m++)
            of_mean += (double)w1[m * r->channels + c] * dz1[m];
        for (int64_t i = c; i < r->positions * r->channels; i += r->channels)
            dx[i] = (real)((double)dy[i] * gate[c] + of_mean / (double)r->positions);
    }
}

/* Sums the gradients of both weights and both biases over the samples. */
static void weight_gradients(const dv_node_step *s, const saved_values *r, const double *dz1,
                             const double *dz2)
{
    real *dw1 = s->dw[0], *db1 = s->dw[1], *dw2 = s->dw[2], *db2 = s->dw[3];
    for (int64_t i = 0; i < r->middle * r->channels; i++) {
        int64_t m = i / r->channels, c = i % r->channels;
        double reduce = 0, expand = 0;
        for (int64_t n = 0; n < r->samples; n++) {
            double hidden = dv__ref_activate(activation(s), r->before[n * r->middle + m]);
            reduce += dz1[n * r->middle + m] * r->mean[n * r->channels + c];
            expand += dz2[n * r->channels + c] * hidden;
        }
        dw1[i] = (real)reduce;
        dw2[c * r->middle + m] = (real)expand;
    }
    for (int64_t m = 0; m < r->middle; m++) {
        double sum = 0;
        for (int64_t n = 0; n < r->samples; n++)
            sum += dz1[n * r->middle + m];
        db1[m] = (real)sum;
    }
    for (int64_t c = 0; c < r->channels; c++) {
        double sum = 0;
        for (int64_t n = 0; n < r->samples; n++)
            sum += dz2[n * r->channels + c];
        db2[c] = (real)sum;
    }
}

static dv_status backward(dv_node_step *s)
{
    saved_values r = get_saved(s);
    double *dz2 = s->scratch, *dz1 = dz2 + r.samples * r.channels;
    for (int64_t n = 0; n < r.samples; n++)
        backward_sample(s, &r, n, dz1 + n * r.middle, dz2 + n * r.channels);
    weight_gradients(s, &r, dz1, dz2);
    return DV_OK;
}

const dv_impl DV_REF(squeeze_excite) = {.plan = plan, .forward = forward, .backward = backward};
