/*
 * Layer normalisation over (rows, channels). Backward divides the rows into blocks of a fixed size.
 * Each block has its own sums for the gradients of the parameters, which are added in the order of
 * the blocks, so the result does not depend on the number of threads.
 */
#include "engine/ops/cpu.h"
#include "engine/ops/layer_norm/layer_norm.h"

#include <math.h>
#include <string.h>

enum { ROWS = 32 /* rows of a block */, COLUMNS = 64 /* columns added at once */ };

/* A row's mean as the sum of two floats, since one is not enough if deviations are small against
   the mean, and 1 / sqrt(var + epsilon). */
typedef struct statistics {
    float mean, rest, inverse;
} statistics;

/* The arrays of a block. Pointers are to its first row. */
typedef struct block {
    int64_t rows, channels;
    const float *x, *weight, *dy;
    const statistics *of;   /* (rows) */
    float *dx;              /* NULL if not wanted */
    float *dweight, *dbias; /* (channels), sums over the block */
} block;

static int64_t block_count(const dv_node_step *s)
{
    return (dv_shape_rows(s->node->shape) + ROWS - 1) / ROWS;
}

/* Saves the statistics of each row. Backward's scratch has each block's sums, (blocks, 2, C). */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    if (!s->training)
        return DV_OK;
    dv_planner_save(planner, (size_t)dv_shape_rows(s->node->shape) * sizeof(statistics));
    dv_planner_scratch(planner, (size_t)(block_count(s) * 2 * s->node->shape.c) * sizeof(float));
    return DV_OK;
}

DV_CPU_INLINE statistics measure(const float *x, int64_t channels, float epsilon)
{
    float sum = 0, rest = 0, squares = 0, share = 1.0F / (float)channels;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < channels; c++)
        sum += x[c];
    float mean = sum * share;
#pragma omp simd reduction(+ : rest, squares)
    for (int64_t c = 0; c < channels; c++) {
        float deviation = x[c] - mean;
        rest += deviation;
        squares += deviation * deviation;
    }
    rest *= share;
    float variance = fmaxf(squares * share - rest * rest, 0.0F);
    return (statistics){mean, rest, 1.0F / sqrtf(variance + epsilon)};
}

/* Normalises rows. The statistics go to `of` (rows), which may be NULL. */
DV_CPU_CLONES
static void normalise(const float *x, const float *restrict weight, const float *restrict bias,
                      float epsilon, int64_t rows, int64_t channels, float *restrict y,
                      statistics *of)
{
    for (int64_t row = 0; row < rows; row++) {
        const float *from = x + row * channels;
        float *to = y + row * channels;
        statistics found = measure(from, channels, epsilon);
        if (of != NULL)
            of[row] = found;
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            to[c] = ((from[c] - found.mean) - found.rest) * found.inverse * weight[c] + bias[c];
    }
}

static dv_status forward(dv_node_step *s)
{
    const dv_layer_norm_attr *attr = s->node->attr;
    const float *x = s->x[0];
    float *y = s->y;
    statistics *of = s->saved;
    int64_t rows = dv_shape_rows(s->node->shape), channels = s->node->shape.c;
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t row = 0; row < rows; row += ROWS)
        normalise(x + row * channels, s->w[0], s->w[1], (float)attr->epsilon,
                  dv_smaller(ROWS, rows - row), channels, y + row * channels,
                  of != NULL ? of + row : NULL);
    return DV_OK;
}

/* With h the normalised x and g = dy weight: dx = inverse (g - mean(g) - h mean(g h)). */
DV_CPU_INLINE void backward_row(const block *b, int64_t row, float *restrict dweight,
                                float *restrict dbias)
{
    const float *x = b->x + row * b->channels, *dy = b->dy + row * b->channels;
    const float *restrict weight = b->weight;
    const statistics of = b->of[row];
    float sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
    for (int64_t c = 0; c < b->channels; c++) {
        float h = ((x[c] - of.mean) - of.rest) * of.inverse, g = dy[c] * weight[c];
        dweight[c] += dy[c] * h;
        dbias[c] += dy[c];
        sum += g;
        product += g * h;
    }
    if (b->dx == NULL)
        return;
    float *dx = b->dx + row * b->channels, share = 1.0F / (float)b->channels;
    sum *= share;
    product *= share;
#pragma omp simd
    for (int64_t c = 0; c < b->channels; c++) {
        float h = ((x[c] - of.mean) - of.rest) * of.inverse;
        dx[c] = of.inverse * (dy[c] * weight[c] - sum - h * product);
    }
}

DV_CPU_CLONES
static void backward_block(const block *b)
{
    memset(b->dweight, 0, (size_t)b->channels * sizeof *b->dweight);
    memset(b->dbias, 0, (size_t)b->channels * sizeof *b->dbias);
    for (int64_t row = 0; row < b->rows; row++)
        backward_row(b, row, b->dweight, b->dbias);
}

/* Computes dx of all rows. Leaves each block's sums for the gradients of weight and bias in
   scratch. */
static void backward_rows(dv_node_step *s)
{
    const float *x = s->x[0], *dy = s->dy;
    float *dx = s->dx[0], *sums = s->scratch;
    const statistics *of = s->saved;
    int64_t rows = dv_shape_rows(s->node->shape), channels = s->node->shape.c;
    int64_t blocks = block_count(s);
#pragma omp parallel for schedule(static) if (rows * channels > DV_CPU_GRAIN)
    for (int64_t i = 0; i < blocks; i++) {
        int64_t first = i * ROWS;
        backward_block(&(block){.rows = dv_smaller(ROWS, rows - first),
                                .channels = channels,
                                .x = x + first * channels,
                                .weight = s->w[0],
                                .dy = dy + first * channels,
                                .of = of + first,
                                .dx = dx != NULL ? dx + first * channels : NULL,
                                .dweight = sums + 2 * i * channels,
                                .dbias = sums + (2 * i + 1) * channels});
    }
}

/* Sums the first columns of sums (blocks, stride) over the blocks into total (width). */
static void join(const float *sums, int64_t blocks, int64_t stride, int64_t width, float *total)
{
    double column[COLUMNS] = {0};
    for (int64_t i = 0; i < blocks; i++) {
        for (int64_t c = 0; c < width; c++)
            column[c] += (double)sums[i * stride + c];
    }
    for (int64_t c = 0; c < width; c++)
        total[c] = (float)column[c];
}

static dv_status backward(dv_node_step *s)
{
    const float *sums = s->scratch;
    float *dweight = s->dw[0], *dbias = s->dw[1];
    int64_t channels = s->node->shape.c, blocks = block_count(s);
    backward_rows(s);
#pragma omp parallel for schedule(static) if (blocks * channels > DV_CPU_GRAIN)
    for (int64_t c = 0; c < channels; c += COLUMNS) {
        int64_t width = dv_smaller(COLUMNS, channels - c);
        join(sums + c, blocks, 2 * channels, width, dweight + c);
        join(sums + channels + c, blocks, 2 * channels, width, dbias + c);
    }
    return DV_OK;
}

const dv_impl dv_layer_norm_cpu = {.plan = plan, .forward = forward, .backward = backward};
