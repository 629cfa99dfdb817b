/*
 * Batch normalisation over (rows, channels) with contiguous channels. The work is divided by
 * channels into tiles of whole cache lines. A channel's sums run over its rows in a fixed order, so
 * the result does not depend on the number of threads. Rows are summed in chunks: float sums within
 * a chunk, and double sums over the chunks.
 */
#include "engine/ops/activation/activation.h"
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/cpu.h"

#include <math.h>
#include <omp.h>

/* The widths of tiles. The largest is an odd number of cache lines, so that adjacent arrays of it
   are not a multiple of a page apart, because a load waits for a store at about such a distance. */
enum { MAX_WIDTH = 464, NARROW = 64, LINE = 16 };

/* Some channels of a (rows, stride) matrix. Pointers passed with it are to its first channel. */
typedef struct tile {
    int64_t rows, stride, width, chunk;
} tile;

/* y = (x - mean) scale + bias. The bias includes the rounding error of the float mean. */
typedef struct affine {
    float mean[MAX_WIDTH], scale[MAX_WIDTH], bias[MAX_WIDTH];
} affine;

/* Writes the sums over rows of d = x - shift and of d^2. */
DV_CPU_INLINE void moments(const float *x, int64_t rows, const tile *t, const float *restrict shift,
                           float *restrict sum, float *restrict squares)
{
    int64_t row = 0, width = t->width, stride = t->stride;
    for (int64_t c = 0; c < width; c++)
        sum[c] = squares[c] = 0;
    for (; row + 4 <= rows; row += 4) {
        const float *x0 = x + row * stride, *x1 = x0 + stride, *x2 = x1 + stride, *x3 = x2 + stride;
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            float d0 = x0[c] - shift[c], d1 = x1[c] - shift[c];
            float d2 = x2[c] - shift[c], d3 = x3[c] - shift[c];
            sum[c] += (d0 + d1) + (d2 + d3);
            squares[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
        }
    }
    for (; row < rows; row++) {
        const float *x0 = x + row * stride;
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            float d = x0[c] - shift[c];
            sum[c] += d;
            squares[c] += d * d;
        }
    }
}

/*
 * Computes means and sums of squared deviations. The first chunk's values are shifted by its mean,
 * later ones by the mean so far, and chunks are joined as in Chan, Golub and LeVeque 1979. So a sum
 * of squares cancels only if the means differ, and then their difference is part of the result.
 */
DV_CPU_CLONES
static void batch_statistics(const float *x, const tile *t, double *restrict mean,
                             double *restrict squares)
{
    float shift[MAX_WIDTH] = {0}, sum[MAX_WIDTH], square[MAX_WIDTH];
    for (int64_t c = 0; c < t->width; c++)
        mean[c] = squares[c] = 0;
    for (int64_t row = 0; row < t->rows; row += t->chunk) {
        int64_t rows = dv_smaller(t->chunk, t->rows - row);
        const float *from = x + row * t->stride;
        if (row == 0) {
            moments(from, rows, t, shift, sum, square);
            for (int64_t c = 0; c < t->width; c++)
                shift[c] = sum[c] / (float)rows;
        }
        moments(from, rows, t, shift, sum, square);
        double inverse = 1 / (double)rows, share = (double)rows / (double)(row + rows);
        double cross = share * (double)row;
#pragma omp simd
        for (int64_t c = 0; c < t->width; c++) {
            double offset = (double)sum[c] * inverse;
            double delta = (double)shift[c] + offset - mean[c];
            mean[c] += delta * share;
            squares[c] += (double)square[c] - (double)sum[c] * offset + delta * delta * cross;
            shift[c] = (float)mean[c];
        }
    }
}

DV_CPU_INLINE void normalise_rows(int kind, bool add, const float *x, const float *residual,
                                  float *y, const tile *t, const affine *restrict by)
{
    for (int64_t row = 0; row < t->rows; row++) {
        int64_t offset = row * t->stride;
        const float *from = x + offset, *other = add ? residual + offset : NULL;
        float *to = y + offset;
#pragma omp simd
        for (int64_t c = 0; c < t->width; c++) {
            float value = (from[c] - by->mean[c]) * by->scale[c] + by->bias[c];
            value = add ? value + other[c] : value;
            to[c] = dv_activate(kind, value);
        }
    }
}

DV_CPU_CLONES
static void normalise(int kind, const float *x, const float *residual, float *y, const tile *t,
                      const affine *by)
{
#define NORMALISE(constant)                                                                        \
    if (residual != NULL)                                                                          \
        normalise_rows(constant, true, x, residual, y, t, by);                                     \
    else                                                                                           \
        normalise_rows(constant, false, x, NULL, y, t, by)
    DV_ACTIVATION_SWITCH(kind, NORMALISE)
#undef NORMALISE
}

/* The arrays of backward's first pass. */
typedef struct sums_of {
    const float *x, *residual, *y, *dy;
    float *g; /* gradient before the activation; NULL if not wanted */
    const affine *by;
} sums_of;

/* For one row: g = dy activation', sum += g, product += g (x - mean). */
DV_CPU_INLINE void sum_row(int kind, bool add, bool write, const sums_of *from, int64_t offset,
                           int64_t width, float *restrict sum, float *restrict product)
{
    const float *x = from->x + offset, *dy = from->dy + offset, *y = from->y + offset;
    const float *other = add ? from->residual + offset : NULL;
    const affine *restrict by = from->by;
    float *g = write ? from->g + offset : NULL;
#pragma omp simd
    for (int64_t c = 0; c < width; c++) {
        float centred = x[c] - by->mean[c];
        float value = centred * by->scale[c] + by->bias[c];
        value = add ? value + other[c] : value;
        float gradient =
            kind == DV_ACT_NONE ? dy[c] : dy[c] * dv_activation_slope(kind, value, y[c]);
        if (write)
            g[c] = gradient;
        sum[c] += gradient;
        product[c] += gradient * centred;
    }
}

/* Sums over all chunks. `width` is the tile's, passed separately because it can be a constant. */
DV_CPU_INLINE void sum_chunks(int kind, bool add, bool write, const sums_of *from, const tile *t,
                              int64_t width, double *restrict sum, double *restrict product)
{
    float chunk_sum[MAX_WIDTH], chunk_product[MAX_WIDTH];
    for (int64_t start = 0; start < t->rows; start += t->chunk) {
        int64_t end = dv_smaller(start + t->chunk, t->rows);
        for (int64_t c = 0; c < width; c++)
            chunk_sum[c] = chunk_product[c] = 0;
        for (int64_t row = start; row < end; row++)
            sum_row(kind, add, write, from, row * t->stride, width, chunk_sum, chunk_product);
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            sum[c] += (double)chunk_sum[c];
            product[c] += (double)chunk_product[c];
        }
    }
}

/* A loop over a narrow row is too short to run well, so the constant width unrolls it. */
DV_CPU_INLINE void sum_rows(int kind, bool add, bool write, const sums_of *from, const tile *t,
                            double *restrict sum, double *restrict product)
{
    if (t->width == NARROW)
        sum_chunks(kind, add, write, from, t, NARROW, sum, product);
    else
        sum_chunks(kind, add, write, from, t, t->width, sum, product);
}

DV_CPU_CLONES
static void backward_sums(int kind, const sums_of *from, const tile *t, double *sum,
                          double *product)
{
    for (int64_t c = 0; c < t->width; c++)
        sum[c] = product[c] = 0;
    if (from->g == NULL) { /* then the gradient is dy itself */
        sum_rows(DV_ACT_NONE, false, false, from, t, sum, product);
        return;
    }
    bool add = from->residual != NULL && !dv_activation_from_output(kind);
#define SUM(constant)                                                                              \
    if (add)                                                                                       \
        sum_rows(constant, true, true, from, t, sum, product);                                     \
    else                                                                                           \
        sum_rows(constant, false, true, from, t, sum, product)
    DV_ACTIVATION_SWITCH(kind, SUM)
#undef SUM
}

/* dx = scale (g - offset - slope (x - mean)), with the offset in by->bias. dx may be g. */
DV_CPU_CLONES
static void backward_rows(const float *x, const float *g, float *dx, const tile *t,
                          const affine *by, const float *slope)
{
    for (int64_t row = 0; row < t->rows; row++) {
        int64_t offset = row * t->stride;
        const float *from = x + offset, *gradient = g + offset;
        float *to = dx + offset;
#pragma omp simd
        for (int64_t c = 0; c < t->width; c++)
            to[c] = by->scale[c] * (gradient[c] - by->bias[c] - (from[c] - by->mean[c]) * slope[c]);
    }
}

/* ---- Steps ---- */

/* With few rows, a narrow tile's x, dy and gradient stay in the second-level cache between passes.
   With more rows, wide tiles are faster to read. */
enum { FEW_ROWS = 512 };

/* Divides the channels into tiles for the threads; no two tiles share a cache line. */
static tile divide(const dv_node_step *s)
{
    dv_shape shape = s->node->shape;
    int64_t rows = dv_shape_rows(shape);
    int64_t parts = dv_shape_count(shape) > DV_CPU_GRAIN ? omp_get_max_threads() : 1;
    int64_t width = ((shape.c + parts - 1) / parts + LINE - 1) / LINE * LINE;
    int64_t chunk = 4096 / shape.c / 4 * 4; /* independent of the width, for a fixed order */
    return (tile){
        .rows = rows,
        .stride = shape.c,
        .width = dv_smaller(width, rows <= FEW_ROWS ? NARROW : MAX_WIDTH),
        .chunk = chunk < 32 ? 32 : dv_smaller(chunk, 256),
    };
}

/* Saved from forward to backward, 3 (C): the mean as the sum of two floats, since one is not enough
   if deviations are small against the mean, and 1 / sqrt(var + epsilon). */
typedef struct statistics {
    float *mean, *rest, *inverse;
} statistics;

static statistics get_statistics(const dv_node_step *s, int64_t first)
{
    int64_t channels = s->node->shape.c;
    float *saved = (float *)s->saved + first;
    return (statistics){saved, saved + channels, saved + 2 * channels};
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    DV_TRY(dv__batchnorm_check(s));
    const dv_batchnorm_attr *attr = s->node->attr;
    dv_planner_save(planner, 3 * (size_t)s->node->shape.c * sizeof(float));
    if (s->training && attr->activation != DV_ACT_NONE && !s->wants_dx[0] && !s->wants_dx[1])
        dv_planner_scratch(planner, (size_t)dv_shape_count(s->node->shape) * sizeof(float));
    return DV_OK;
}

static void use_batch_statistics(dv_node_step *s, const tile *t, int64_t first)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    double mean[MAX_WIDTH], squares[MAX_WIDTH], momentum = attr->momentum;
    float *running_mean = (float *)s->state[0] + first, *running_var = (float *)s->state[1] + first;
    statistics to = get_statistics(s, first);
    double rows = (double)t->rows, unbiased_rows = t->rows > 1 ? rows - 1 : 1;
    batch_statistics((const float *)s->x[0] + first, t, mean, squares);
    for (int64_t c = 0; c < t->width; c++) {
        to.mean[c] = (float)mean[c];
        to.rest[c] = (float)(mean[c] - (double)to.mean[c]);
        to.inverse[c] = (float)(1 / sqrt(squares[c] / rows + attr->epsilon));
        running_mean[c] = (float)((1 - momentum) * (double)running_mean[c] + momentum * mean[c]);
        running_var[c] = (float)((1 - momentum) * (double)running_var[c] +
                                 momentum * squares[c] / unbiased_rows);
    }
}

static void use_running_statistics(dv_node_step *s, const tile *t, int64_t first)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    const float *running_mean = s->state[0], *running_var = s->state[1];
    statistics to = get_statistics(s, first);
    for (int64_t c = 0; c < t->width; c++) {
        to.mean[c] = running_mean[first + c];
        to.rest[c] = 0;
        to.inverse[c] = (float)(1 / sqrt((double)running_var[first + c] + attr->epsilon));
    }
}

static void get_affine(const dv_node_step *s, const tile *t, int64_t first, affine *by)
{
    const float *weight = (const float *)s->w[0] + first, *bias = (const float *)s->w[1] + first;
    statistics from = get_statistics(s, first);
    for (int64_t c = 0; c < t->width; c++) {
        by->mean[c] = from.mean[c];
        by->scale[c] = weight[c] * from.inverse[c];
        by->bias[c] = bias[c] - from.rest[c] * by->scale[c];
    }
}

static const float *residual_from(const dv_node_step *s, int64_t first)
{
    return s->node->input_count > 1 ? (const float *)s->x[1] + first : NULL;
}

static void forward_tile(dv_node_step *s, const tile *t, int64_t first)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    affine by;
    if (dv__batchnorm_by_batch(s))
        use_batch_statistics(s, t, first);
    else
        use_running_statistics(s, t, first);
    get_affine(s, t, first, &by);
    normalise(attr->activation, (const float *)s->x[0] + first, residual_from(s, first),
              (float *)s->y + first, t, &by);
}

/* The place of the gradient before the activation between the passes. It is the residual's gradient
   or takes dx's place. NULL if it is dy and no copy is wanted. */
static float *gradient_place(const dv_node_step *s)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    if (s->node->input_count > 1 && s->dx[1] != NULL)
        return s->dx[1];
    if (attr->activation == DV_ACT_NONE)
        return NULL;
    return s->dx[0] != NULL ? s->dx[0] : s->scratch;
}

/* Computes the gradients of the parameters from the sums of g and g (x - float mean). Also computes
   the slope and, in by->bias, the offset for backward_rows. */
static void finish_sums(dv_node_step *s, const tile *t, int64_t first, const double *sum,
                        const double *product, affine *by, float *slope)
{
    float *dweight = (float *)s->dw[0] + first, *dbias = (float *)s->dw[1] + first;
    statistics from = get_statistics(s, first);
    double share = dv__batchnorm_by_batch(s) ? 1 / (double)t->rows : 0; /* or constant statistics */
    for (int64_t c = 0; c < t->width; c++) {
        double inverse = (double)from.inverse[c], rest = (double)from.rest[c];
        double normalised = (product[c] - rest * sum[c]) * inverse;
        double of_deviation = normalised * inverse * share;
        dweight[c] = (float)normalised;
        dbias[c] = (float)sum[c];
        slope[c] = (float)of_deviation;
        by->bias[c] = (float)(sum[c] * share - rest * of_deviation);
    }
}

static void backward_tile(dv_node_step *s, const tile *t, int64_t first)
{
    const dv_batchnorm_attr *attr = s->node->attr;
    double sum[MAX_WIDTH], product[MAX_WIDTH];
    float slope[MAX_WIDTH], *place = gradient_place(s);
    affine by;
    get_affine(s, t, first, &by);
    sums_of from = {.x = (const float *)s->x[0] + first,
                    .residual = residual_from(s, first),
                    .y = (const float *)s->y + first,
                    .dy = (const float *)s->dy + first,
                    .g = place != NULL ? place + first : NULL,
                    .by = &by};
    backward_sums(attr->activation, &from, t, sum, product);
    finish_sums(s, t, first, sum, product, &by, slope);
    if (s->dx[0] != NULL)
        backward_rows(from.x, place != NULL ? from.g : from.dy, (float *)s->dx[0] + first, t, &by,
                      slope);
}

typedef void (*tile_fn)(dv_node_step *s, const tile *t, int64_t first);

static dv_status by_tiles(dv_node_step *s, tile_fn function)
{
    tile whole = divide(s);
    int64_t channels = s->node->shape.c;
#pragma omp parallel for schedule(static) if (dv_shape_count(s->node->shape) > DV_CPU_GRAIN)
    for (int64_t first = 0; first < channels; first += whole.width) {
        tile part = whole;
        part.width = dv_smaller(whole.width, channels - first);
        function(s, &part, first);
    }
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    return by_tiles(s, forward_tile);
}

static dv_status backward(dv_node_step *s)
{
    return by_tiles(s, backward_tile);
}

const dv_impl dv_batchnorm_cpu = {.plan = plan, .forward = forward, .backward = backward};
