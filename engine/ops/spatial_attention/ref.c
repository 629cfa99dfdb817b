/* The reference of spatial attention: maps, convolution and gates in double. */
#include "engine/ops/activation/ref_math.h"
#include "engine/ops/ref.h"
#include "engine/ops/spatial_attention/spatial_attention.h"

/* Sizes of a sample, and its data saved by forward. */
typedef struct saved_values {
    int64_t height, width, channels, kernel;
    double *map;  /* (2, height, width), mean and maximum */
    double *gate; /* (height, width) */
} saved_values;

static saved_values get_saved(const dv_node_step *s, int64_t n)
{
    dv_shape x = s->in[0];
    saved_values r = {x.h,  x.w, x.c, ((const dv_spatial_attention_attr *)s->node->attr)->kernel,
                      NULL, NULL};
    if (s->saved == NULL)
        return r;
    r.map = (double *)s->saved + 3 * n * x.h * x.w;
    r.gate = r.map + 2 * x.h * x.w;
    return r;
}

/* Backward's scratch is dz (samples, height, width), the gradient before the sigmoid. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    size_t bytes = (size_t)dv_shape_rows(s->in[0]) * sizeof(double);
    dv_planner_save(planner, 3 * bytes);
    if (s->training)
        dv_planner_scratch(planner, bytes);
    return DV_OK;
}

/* The place of the first maximum of x (channels). A NaN wins. */
static int64_t place_of_max(const real *x, int64_t channels)
{
    int64_t place = 0;
    for (int64_t c = 1; c < channels; c++) {
        if (x[c] > x[place] || x[c] != x[c])
            place = c;
    }
    return place;
}

/* The element (i, j) of plane (height, width), or zero outside. */
static double at(const saved_values *r, const double *plane, int64_t i, int64_t j)
{
    bool inside = i >= 0 && i < r->height && j >= 0 && j < r->width;
    return inside ? plane[i * r->width + j] : 0;
}

/* Computes one sample: the maps of mean and maximum, then the gate and the outputs of each
   position. */
static void forward_sample(const saved_values *r, const real *x, const real *w, real *y)
{
    int64_t positions = r->height * r->width, k = r->kernel, half = k / 2;
    for (int64_t p = 0; p < positions; p++) {
        const real *from = x + p * r->channels;
        double sum = 0;
        for (int64_t c = 0; c < r->channels; c++)
            sum += (double)from[c];
        r->map[p] = sum / (double)r->channels;
        r->map[positions + p] = (double)from[place_of_max(from, r->channels)];
    }
    for (int64_t p = 0; p < positions; p++) {
        double sum = 0;
        for (int64_t t = 0; t < 2 * k * k; t++) {
            const double *plane = r->map + t / (k * k) * positions;
            int64_t i = p / r->width + t / k % k - half, j = p % r->width + t % k - half;
            sum += (double)w[t] * at(r, plane, i, j);
        }
        r->gate[p] = dv__ref_activate(DV_ACT_SIGMOID, sum);
        for (int64_t i = p * r->channels; i < (p + 1) * r->channels; i++)
            y[i] = (real)((double)x[i] * r->gate[p]);
    }
}

static dv_status forward(dv_node_step *s)
{
    dv_shape shape = s->in[0];
    int64_t sample = shape.h * shape.w * shape.c;
    for (int64_t n = 0; n < shape.n; n++) {
        saved_values r = get_saved(s, n);
        forward_sample(&r, (const real *)s->x[0] + n * sample, s->w[0], (real *)s->y + n * sample);
    }
    return DV_OK;
}

static void before_sigmoid(const saved_values *r, const real *x, const real *dy, double *dz)
{
    for (int64_t p = 0; p < r->height * r->width; p++) {
        double sum = 0;
        for (int64_t i = p * r->channels; i < (p + 1) * r->channels; i++)
            sum += (double)dy[i] * (double)x[i];
        dz[p] = sum * r->gate[p] * (1 - r->gate[p]);
    }
}

/* Computes dx of position p. */
static void backward_position(const saved_values *r, const real *x, const real *dy,
                              const double *dz, const real *w, int64_t p, real *dx)
{
    int64_t k = r->kernel, half = k / 2, place = place_of_max(x, r->channels);
    double of_mean = 0, of_max = 0;
    for (int64_t t = 0; t < k * k; t++) {
        double value = at(r, dz, p / r->width - t / k + half, p % r->width - t % k + half);
        of_mean += (double)w[t] * value / (double)r->channels;
        of_max += (double)w[k * k + t] * value;
    }
    for (int64_t c = 0; c < r->channels; c++)
        dx[c] = (real)((double)dy[c] * r->gate[p] + of_mean + (c == place ? of_max : 0));
}

/* Element t of the weight gradient, summed over all samples. */
static double weight_gradient(const dv_node_step *s, const double *dz, int64_t t)
{
    double sum = 0;
    for (int64_t n = 0; n < s->in[0].n; n++) {
        saved_values r = get_saved(s, n);
        int64_t positions = r.height * r.width, k = r.kernel, half = k / 2;
        for (int64_t p = 0; p < positions; p++) {
            int64_t i = p / r.width + t / k % k - half, j = p % r.width + t % k - half;
            sum += dz[n * positions + p] * at(&r, r.map + t / (k * k) * positions, i, j);
        }
    }
    return sum;
}

static dv_status backward(dv_node_step *s)
{
    dv_shape shape = s->in[0];
    int64_t positions = shape.h * shape.w, sample = positions * shape.c;
    real *dx = s->dx[0], *dw = s->dw[0];
    double *dz = s->scratch;
    for (int64_t n = 0; n < shape.n; n++) {
        saved_values r = get_saved(s, n);
        const real *x = (const real *)s->x[0] + n * sample;
        const real *dy = (const real *)s->dy + n * sample;
        before_sigmoid(&r, x, dy, dz + n * positions);
        for (int64_t p = 0; dx != NULL && p < positions; p++)
            backward_position(&r, x + p * shape.c, dy + p * shape.c, dz + n * positions, s->w[0], p,
                              dx + n * sample + p * shape.c);
    }
    int64_t kernel = ((const dv_spatial_attention_attr *)s->node->attr)->kernel;
    for (int64_t t = 0; t < 2 * kernel * kernel; t++)
        dw[t] = (real)weight_gradient(s, dz, t);
    return DV_OK;
}

const dv_impl DV_REF(spatial_attention) = {.plan = plan, .forward = forward, .backward = backward};
