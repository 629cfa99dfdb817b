/* Self-attention on the CPU: products with packed matrices, for one block of a head's queries at a
   time. */
#include "engine/ops/attention/attention.h"
#include "engine/ops/cpu.h"
#include "kernels/formulas/scalar_math.h"

#include <math.h>
#include <string.h>

/*
 * A head of a sample is a unit of work. All products have the form c = a b. b is packed in panels,
 * (panel, depth, LANES), of neighbouring columns, with zeros after the last column.
 */
enum { LANES = 16, ROWS = 8, HALF = ROWS / 2 };

/*
 * Queries of a block. Their probabilities p are transposed, (T, lanes), with a lane for each query,
 * so that softmax sums over the steps in whole vectors.
 */
enum { BLOCK = 32 };

/* The largest T for which forward keeps p (heads, T, T) for backward, in 4 T / (3 D) times the
   memory of the input. Backward computes the p of longer sequences again. */
enum { MOST_KEPT = 64 };

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

typedef struct sizes {
    int64_t heads; /* heads of all samples, the units of work */
    int64_t steps; /* T */
    int64_t width; /* D */
    int64_t x_row, y_row;
    int64_t width_lanes; /* D rounded up to whole vectors */
    int64_t p_row;       /* a row of p: the queries of a block, rounded up to whole vectors */
    int64_t p_size;      /* elements of a unit's p: (blocks, T, p_row) */
    float scale;
    bool keeps; /* forward keeps p */
} sizes;

/* A head in x, and its kept probabilities. */
typedef struct head {
    const float *q, *k, *v;
    float *kept; /* p or NULL */
} head;

static sizes get_sizes(const dv_node_step *s)
{
    int64_t heads = ((const dv_attention_attr *)s->node->attr)->heads;
    dv_shape y = s->node->shape;
    int64_t width = y.c / heads, blocks = (y.w + BLOCK - 1) / BLOCK;
    int64_t p_row = dv_smaller((y.w + LANES - 1) / LANES * LANES, BLOCK);
    return (sizes){.heads = y.n * heads,
                   .steps = y.w,
                   .width = width,
                   .x_row = 3 * y.c,
                   .y_row = y.c,
                   .width_lanes = (width + LANES - 1) / LANES * LANES,
                   .p_row = p_row,
                   .p_size = blocks * y.w * p_row,
                   .scale = (float)(1 / sqrt((double)width)),
                   .keeps = s->training && y.w <= MOST_KEPT};
}

/* The offset of unit `number` in x and dx, and in y and dy. */
static int64_t x_offset(const sizes *z, int64_t number)
{
    int64_t heads = z->y_row / z->width;
    return number / heads * z->steps * z->x_row + number % heads * z->width;
}

static int64_t y_offset(const sizes *z, int64_t number)
{
    int64_t heads = z->y_row / z->width;
    return number / heads * z->steps * z->y_row + number % heads * z->width;
}

static head get_head(const dv_node_step *s, const sizes *z, int64_t number)
{
    const float *q = (const float *)s->x[0] + x_offset(z, number);
    float *kept = z->keeps ? (float *)s->saved + number * z->p_size : NULL;
    return (head){q, q + z->y_row, q + 2 * z->y_row, kept};
}

/* ---- Memory ---- */

/* Scratch of one thread: p and ds of a block, and packed matrices. */
typedef struct workspace {
    float *p, *ds;                 /* (T, p_row) */
    float *columns;                /* q^T or dy^T of a block: (D, p_row) */
    float *values;                 /* forward: v (T, D) */
    float *key_rows;               /* backward: k (T, D) */
    float *query_rows, *gradients; /* backward: q and dy of a block: (BLOCK, D) */
} workspace;

static int64_t workspace_size(const sizes *z, bool training)
{
    int64_t block = z->steps * z->p_row, rows = z->steps * z->width_lanes;
    int64_t forward = block + z->width * z->p_row + rows;
    return training ? forward + block + 2 * BLOCK * z->width_lanes : forward;
}

static workspace get_workspace(const dv_node_step *s, const sizes *z, int64_t worker)
{
    float *p = (float *)s->scratch + worker * workspace_size(z, s->training);
    workspace w = {.p = p, .columns = p + z->steps * z->p_row};
    w.values = w.key_rows = w.columns + z->width * z->p_row;
    if (s->training) {
        w.query_rows = w.key_rows + z->steps * z->width_lanes;
        w.gradients = w.query_rows + BLOCK * z->width_lanes;
        w.ds = w.gradients + BLOCK * z->width_lanes;
    }
    return w;
}

static int64_t workers_of(const dv_node_step *s, const sizes *z)
{
    return dv_smaller(s->context->threads, z->heads);
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    sizes z = get_sizes(s);
    int64_t work = workers_of(s, &z) * workspace_size(&z, s->training);
    dv_planner_scratch(planner, (size_t)work * sizeof(float));
    if (z.keeps)
        dv_planner_save(planner, (size_t)(z.heads * z.p_size) * sizeof(float));
    return DV_OK;
}

/* ---- Products ---- */

/* Packs b (rows, columns); its rows are `step` elements apart. */
DV_CPU_INLINE void pack(const float *restrict b, int64_t step, int64_t rows, int64_t columns,
                        float *restrict panels)
{
    for (int64_t first = 0; first < columns; first += LANES) {
        int64_t count = dv_smaller(LANES, columns - first);
        for (int64_t row = 0; row < rows; row++, panels += LANES) {
            const float *from = b + row * step + first;
            if (count == LANES) {
                *(vector *)panels = *(const vector *)from;
                continue;
            }
            for (int64_t i = 0; i < LANES; i++)
                panels[i] = i < count ? from[i] : 0.0F;
        }
    }
}

/* Packs the transpose of b (columns, rows). */
DV_CPU_INLINE void pack_transposed(const float *restrict b, int64_t step, int64_t rows,
                                   int64_t columns, float *restrict panels)
{
    for (int64_t first = 0; first < columns; first += LANES, panels += rows * LANES) {
        int64_t count = dv_smaller(LANES, columns - first);
        for (int64_t i = 0; i < LANES; i++) {
            const float *from = b + (first + i) * step;
            for (int64_t row = 0; row < rows; row++)
                panels[row * LANES + i] = i < count ? from[row] : 0.0F;
        }
    }
}

/* A matrix in memory, with the distances of neighbours in a column and in a row, in elements. */
typedef struct view {
    const float *at;
    int64_t row, column;
} view;

/* The result c, with rows of `step` elements, of which the first `columns` are written. */
typedef struct target {
    float *at;
    int64_t step, columns;
    bool adds;
} target;

/* Stores the first columns of a panel with more lanes than c has columns. */
DV_CPU_INLINE void store_some(const vector *sum, float *c, int64_t columns, bool adds)
{
    for (int64_t i = 0; i < columns; i++)
        c[i] = adds ? c[i] + (*sum)[i] : (*sum)[i];
}

/* Computes `rows` rows of c for one panel. `rows` and `adds` are constants. */
DV_CPU_INLINE void multiply_rows(int rows, bool adds, view a, int64_t depth, const float *panel,
                                 target c)
{
    vector sum[ROWS];
    for (int row = 0; row < rows; row++)
        sum[row] = (vector){0};
    for (int64_t k = 0; k < depth; k++, panel += LANES, a.at += a.column) {
        vector b = *(const vector *)panel;
        for (int row = 0; row < rows; row++)
            sum[row] += a.at[row * a.row] * b;
    }
    if (c.columns < LANES) {
        for (int row = 0; row < rows; row++)
            store_some(&sum[row], c.at + row * c.step, c.columns, adds);
        return;
    }
    for (int row = 0; row < rows; row++) {
        if (adds)
            sum[row] += *(vector *)(c.at + row * c.step);
        *(vector *)(c.at + row * c.step) = sum[row];
    }
}

DV_CPU_INLINE void multiply_panel(bool adds, view a, int64_t rows, int64_t depth,
                                  const float *panel, target c)
{
    int64_t row = 0;
    for (; row + ROWS <= rows; row += ROWS, a.at += ROWS * a.row, c.at += ROWS * c.step)
        multiply_rows(ROWS, adds, a, depth, panel, c);
    if (row + HALF <= rows) {
        multiply_rows(HALF, adds, a, depth, panel, c);
        row += HALF;
        a.at += HALF * a.row;
        c.at += HALF * c.step;
    }
    for (; row < rows; row++, a.at += a.row, c.at += c.step)
        multiply_rows(1, adds, a, depth, panel, c);
}

/* c (rows, c.columns) = a (rows, depth) b */
DV_CPU_INLINE void multiply(view a, int64_t rows, int64_t depth, const float *panels, target c)
{
    for (; c.columns > 0; c.columns -= LANES, c.at += LANES, panels += depth * LANES) {
        if (c.adds)
            multiply_panel(true, a, rows, depth, panels, c);
        else
            multiply_panel(false, a, rows, depth, panels, c);
    }
}

/* ---- Softmax ---- */

/* Softmax for LANES queries in place: p (T, p_row) from logits, which are scaled here. */
DV_CPU_INLINE void softmax(const sizes *z, float *restrict p)
{
    float scale = z->scale, most[LANES], share[LANES];
    memcpy(most, p, sizeof most);
    for (int64_t j = 1; j < z->steps; j++) {
#pragma omp simd
        for (int i = 0; i < LANES; i++)
            most[i] = p[j * z->p_row + i] > most[i] ? p[j * z->p_row + i] : most[i];
    }
    vector sum = {0};
    for (int64_t j = 0; j < z->steps; j++) {
        float *restrict row = p + j * z->p_row;
#pragma omp simd
        for (int i = 0; i < LANES; i++)
            row[i] = dv_exp_negative((row[i] - most[i]) * scale);
        sum += *(const vector *)row;
    }
#pragma omp simd
    for (int i = 0; i < LANES; i++)
        share[i] = 1.0F / sum[i];
    for (int64_t j = 0; j < z->steps; j++)
        *(vector *)(p + j * z->p_row) *= *(const vector *)share;
}

/* Computes p (T, p_row) for the queries from `first` on. `columns` has room for q^T. */
DV_CPU_INLINE void probabilities(const sizes *z, const head *h, int64_t first, int64_t rows,
                                 float *columns, float *p)
{
    pack_transposed(h->q + first * z->x_row, z->x_row, z->width, rows, columns);
    int64_t lanes = (rows + LANES - 1) / LANES * LANES;
    multiply((view){h->k, z->x_row, 1}, z->steps, z->width, columns,
             (target){p, z->p_row, lanes, false});
    for (int64_t i = 0; i < lanes; i += LANES)
        softmax(z, p + i);
}

/* Computes ds from p and dp for LANES queries, all (T, p_row), in dp's place. */
DV_CPU_INLINE void before_softmax(const sizes *z, const float *restrict p, float *restrict ds)
{
    vector mean = {0};
    for (int64_t j = 0; j < z->steps; j++)
        mean += *(const vector *)(p + j * z->p_row) * *(const vector *)(ds + j * z->p_row);
    for (int64_t j = 0; j < z->steps; j++) {
        vector *to = (vector *)(ds + j * z->p_row);
        *to = *(const vector *)(p + j * z->p_row) * (*to - mean) * z->scale;
    }
}

/* The memory for p of the queries from `first` on. */
DV_CPU_INLINE float *block_of(const sizes *z, const head *h, int64_t first, const workspace *w)
{
    return h->kept != NULL ? h->kept + first / BLOCK * z->steps * z->p_row : w->p;
}

/* ---- Forward ---- */

DV_CPU_CLONES
static void forward_head(const sizes *z, const head *h, workspace w, float *y)
{
    pack(h->v, z->x_row, z->steps, z->width, w.values);
    for (int64_t first = 0; first < z->steps; first += BLOCK) {
        int64_t rows = dv_smaller(BLOCK, z->steps - first);
        float *p = block_of(z, h, first, &w);
        probabilities(z, h, first, rows, w.columns, p);
        multiply((view){p, 1, z->p_row}, rows, z->steps, w.values,
                 (target){y + first * z->y_row, z->y_row, z->width, false});
    }
}

static dv_status forward(dv_node_step *s)
{
    sizes z = get_sizes(s);
    float *y = s->y;
    int64_t workers = workers_of(s, &z);
#pragma omp parallel for schedule(static, 1) if (z.heads * z.steps * z.width > DV_CPU_GRAIN)
    for (int64_t worker = 0; worker < workers; worker++) {
        workspace w = get_workspace(s, &z, worker);
        int64_t end = (worker + 1) * z.heads / workers;
        for (int64_t number = worker * z.heads / workers; number < end; number++) {
            head h = get_head(s, &z, number);
            forward_head(&z, &h, w, y + y_offset(&z, number));
        }
    }
    return DV_OK;
}

/* ---- Backward ---- */

/* Computes the gradients of one head, one block of queries at a time: dp from v and dy, ds in its
   place, dq, and the block's terms of dk and dv. If forward has not kept p, it is computed
   again. */
DV_CPU_CLONES
static void backward_head(const sizes *z, const head *h, workspace w, const float *dy, float *dx)
{
    int64_t p_row = z->p_row;
    pack(h->k, z->x_row, z->steps, z->width, w.key_rows);
    for (int64_t first = 0; first < z->steps; first += BLOCK) {
        int64_t rows = dv_smaller(BLOCK, z->steps - first);
        int64_t lanes = (rows + LANES - 1) / LANES * LANES;
        float *p = block_of(z, h, first, &w);
        if (h->kept == NULL)
            probabilities(z, h, first, rows, w.columns, p);
        const float *dy_block = dy + first * z->y_row;
        pack_transposed(dy_block, z->y_row, z->width, rows, w.columns);
        multiply((view){h->v, z->x_row, 1}, z->steps, z->width, w.columns,
                 (target){w.ds, p_row, lanes, false});
        for (int64_t i = 0; i < lanes; i += LANES)
            before_softmax(z, p + i, w.ds + i);
        target dq = {dx + first * z->x_row, z->x_row, z->width, false};
        multiply((view){w.ds, 1, p_row}, rows, z->steps, w.key_rows, dq);
        target dk = {dx + z->y_row, z->x_row, z->width, first > 0};
        pack(h->q + first * z->x_row, z->x_row, rows, z->width, w.query_rows);
        multiply((view){w.ds, p_row, 1}, z->steps, rows, w.query_rows, dk);
        target dv = {dx + 2 * z->y_row, z->x_row, z->width, first > 0};
        pack(dy_block, z->y_row, rows, z->width, w.gradients);
        multiply((view){p, p_row, 1}, z->steps, rows, w.gradients, dv);
    }
}

static dv_status backward(dv_node_step *s)
{
    sizes z = get_sizes(s);
    const float *dy = s->dy;
    float *dx = s->dx[0];
    int64_t workers = dx != NULL ? workers_of(s, &z) : 0;
#pragma omp parallel for schedule(static, 1) if (z.heads * z.steps * z.width > DV_CPU_GRAIN)
    for (int64_t worker = 0; worker < workers; worker++) {
        workspace w = get_workspace(s, &z, worker);
        int64_t end = (worker + 1) * z.heads / workers;
        for (int64_t number = worker * z.heads / workers; number < end; number++) {
            head h = get_head(s, &z, number);
            backward_head(&z, &h, w, dy + y_offset(&z, number), dx + x_offset(&z, number));
        }
    }
    return DV_OK;
}

const dv_impl dv_attention_cpu = {.plan = plan, .forward = forward, .backward = backward};
