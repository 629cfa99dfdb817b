#include "engine/ops/attention/attention.h"
#include "engine/ops/cpu.h"
#include "kernels/scalar_math.h"

#include <math.h>
#include <string.h>

/*
 * A head of a sample is a unit of work. All products are of the form c = a b, where b lies packed
 * in panels, (panel, depth, LANES): lanes of neighbouring columns, zeros beyond the last.
 */
enum { LANES = 16, ROWS = 4 };

/* Queries that are gone through at once: p is (BLOCK, T) and never (T, T). */
enum { BLOCK = 32 };

/* Up to so many steps forward keeps p (heads, T, T) for backward, 4 T / (3 D) times the memory of
   its input; of longer sequences it is computed again. */
enum { MOST_KEPT = 64 };

typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

typedef struct sizes {
    int64_t heads; /* over all samples: the units */
    int64_t steps; /* T */
    int64_t width; /* D */
    int64_t x_row, y_row;
    int64_t step_lanes, width_lanes; /* T and D in whole vectors */
    int64_t p_row; /* elements from a row of p to the next: an odd number of vectors where there are
                      many, else the rows of a column would push each other out of the cache */
    float scale;
    bool keeps; /* p */
} sizes;

/* A head in x and what is computed of it. */
typedef struct head {
    const float *q, *k, *v;
    float *kept; /* p (T, p_row) or NULL */
} head;

static sizes get_sizes(const dv_step *s)
{
    int64_t heads = ((const dv_attention_attr *)s->node->attr)->heads;
    dv_shape y = s->node->shape;
    int64_t width = y.c / heads, step_lanes = (y.w + LANES - 1) / LANES * LANES;
    bool is_short = y.w <= MOST_KEPT;
    return (sizes){.heads = y.n * heads,
                   .steps = y.w,
                   .width = width,
                   .x_row = 3 * y.c,
                   .y_row = y.c,
                   .step_lanes = step_lanes,
                   .width_lanes = (width + LANES - 1) / LANES * LANES,
                   .p_row = is_short ? step_lanes : step_lanes | LANES,
                   .scale = (float)(1 / sqrt((double)width)),
                   .keeps = s->training && is_short};
}

/* Where unit `number` begins in x and dx, and in y and dy. */
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

static head get_head(const dv_step *s, const sizes *z, int64_t number)
{
    const float *q = (const float *)s->x[0] + x_offset(z, number);
    float *kept = z->keeps ? (float *)s->saved + number * z->steps * z->p_row : NULL;
    return (head){q, q + z->y_row, q + 2 * z->y_row, kept};
}

/* ---- Memory ---- */

/* Of one thread: p and ds of a block, and packed matrices. */
typedef struct workspace {
    float *p, *ds;                 /* (BLOCK, p_row) */
    float *keys;                   /* k^T: (D, T) */
    float *values;                 /* forward: v (T, D); backward: v^T (D, T) */
    float *key_rows;               /* k (T, D) */
    float *query_rows, *gradients; /* q and dy of a block: (BLOCK, D) */
} workspace;

static int64_t workspace_size(const sizes *z, bool training)
{
    int64_t columns = z->width * z->step_lanes, rows = z->steps * z->width_lanes;
    int64_t forward = BLOCK * z->p_row + columns + rows;
    int64_t backward = 2 * BLOCK * z->p_row + 2 * columns + rows + 2 * BLOCK * z->width_lanes;
    return ((training ? backward : forward) + LANES - 1) / LANES * LANES;
}

static workspace get_workspace(const dv_step *s, const sizes *z, int64_t worker)
{
    float *p = (float *)s->scratch + worker * workspace_size(z, s->training);
    float *keys = p + BLOCK * z->p_row, *values = keys + z->width * z->step_lanes;
    workspace w = {.p = p, .keys = keys, .values = values};
    if (s->training) { /* forward needs less: its rows of v end within key_rows */
        w.key_rows = values + z->width * z->step_lanes;
        w.query_rows = w.key_rows + z->steps * z->width_lanes;
        w.gradients = w.query_rows + BLOCK * z->width_lanes;
        w.ds = w.gradients + BLOCK * z->width_lanes;
    }
    return w;
}

static int64_t workers_of(const dv_step *s, const sizes *z)
{
    return dv__smaller(s->context->threads, z->heads);
}

static dv_status plan(dv_planner *planner, dv_step *s)
{
    sizes z = get_sizes(s);
    int64_t work = workers_of(s, &z) * workspace_size(&z, s->training);
    dv_planner_scratch(planner, (size_t)work * sizeof(float));
    if (z.keeps)
        dv_planner_save(planner, (size_t)(z.heads * z.steps * z.p_row) * sizeof(float));
    return DV_OK;
}

/* ---- Products ---- */

/* Packs b (rows, columns); its rows are `step` elements apart. */
DV_CPU_INLINE void pack(const float *restrict b, int64_t step, int64_t rows, int64_t columns,
                        float *restrict panels)
{
    for (int64_t first = 0; first < columns; first += LANES) {
        int64_t count = dv__smaller(LANES, columns - first);
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
        int64_t count = dv__smaller(LANES, columns - first);
        for (int64_t i = 0; i < LANES; i++) {
            const float *from = b + (first + i) * step;
            for (int64_t row = 0; row < rows; row++)
                panels[row * LANES + i] = i < count ? from[row] : 0.0F;
        }
    }
}

/* A matrix in memory: distances between neighbours of a column and of a row, in elements. */
typedef struct view {
    const float *at;
    int64_t row, column;
} view;

/* c, rows of `step` elements, of which the first `columns` are written. */
typedef struct target {
    float *at;
    int64_t step, columns;
    bool adds;
} target;

DV_CPU_INLINE void store(vector sum, float *c, int64_t columns, bool adds)
{
    if (columns >= LANES) {
        if (adds)
            sum += *(vector *)c;
        *(vector *)c = sum;
        return;
    }
    for (int64_t i = 0; i < columns; i++)
        c[i] = adds ? c[i] + sum[i] : sum[i];
}

/* `rows`, a constant, of c for one panel. */
DV_CPU_INLINE void multiply_rows(int rows, view a, int64_t depth, const float *panel, target c)
{
    vector sum[ROWS] = {{0}};
    for (int64_t k = 0; k < depth; k++, panel += LANES, a.at += a.column) {
        vector b = *(const vector *)panel;
        for (int row = 0; row < rows; row++)
            sum[row] += a.at[row * a.row] * b;
    }
    for (int row = 0; row < rows; row++)
        store(sum[row], c.at + row * c.step, c.columns, c.adds);
}

/* c (rows, c.columns) = a (rows, depth) b */
DV_CPU_INLINE void multiply(view a, int64_t rows, int64_t depth, const float *panels, target c)
{
    for (; c.columns > 0; c.columns -= LANES, c.at += LANES, panels += depth * LANES) {
        view from = a;
        target to = c;
        int64_t row = 0;
        for (; row + ROWS <= rows; row += ROWS, from.at += ROWS * a.row, to.at += ROWS * c.step)
            multiply_rows(ROWS, from, depth, panels, to);
        for (; row < rows; row++, from.at += a.row, to.at += c.step)
            multiply_rows(1, from, depth, panels, to);
    }
}

/* ---- Softmax ---- */

/* p (step_lanes) from logits without their scale; zeros beyond the last step. */
DV_CPU_INLINE void softmax(const sizes *z, float *restrict p)
{
    int64_t lanes = z->step_lanes;
    float scale = z->scale, largest = -INFINITY, sum = 0;
    for (int64_t j = z->steps; j < lanes; j++)
        p[j] = -INFINITY;
#pragma omp simd reduction(max : largest)
    for (int64_t j = 0; j < lanes; j++)
        largest = p[j] > largest ? p[j] : largest;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < lanes; j++) {
        p[j] = dv_exp_negative((p[j] - largest) * scale);
        sum += p[j];
    }
    float share = 1.0F / sum;
#pragma omp simd
    for (int64_t j = 0; j < lanes; j++)
        p[j] *= share;
}

/* p (rows, p_row) of the queries from `first` on; keys: k^T, packed. */
DV_CPU_INLINE void probabilities(const sizes *z, const head *h, int64_t first, int64_t rows,
                                 const float *keys, float *p)
{
    view q = {h->q + first * z->x_row, z->x_row, 1};
    multiply(q, rows, z->width, keys, (target){p, z->p_row, z->step_lanes, false});
    for (int64_t row = 0; row < rows; row++)
        softmax(z, p + row * z->p_row);
}

/* ds from p and dp, which are (rows, p_row). */
DV_CPU_INLINE void before_softmax(const sizes *z, const float *restrict p, int64_t rows,
                                  float *restrict ds)
{
    int64_t lanes = z->step_lanes;
    for (int64_t row = 0; row < rows; row++, p += z->p_row, ds += z->p_row) {
        float mean = 0;
#pragma omp simd reduction(+ : mean)
        for (int64_t j = 0; j < lanes; j++)
            mean += p[j] * ds[j];
#pragma omp simd
        for (int64_t j = 0; j < lanes; j++)
            ds[j] = p[j] * (ds[j] - mean) * z->scale;
    }
}

/* ---- Forward ---- */

DV_CPU_CLONES
static void forward_head(const sizes *z, const head *h, workspace w, float *y)
{
    pack_transposed(h->k, z->x_row, z->width, z->steps, w.keys);
    pack(h->v, z->x_row, z->steps, z->width, w.values);
    for (int64_t first = 0; first < z->steps; first += BLOCK) {
        int64_t rows = dv__smaller(BLOCK, z->steps - first);
        float *p = h->kept != NULL ? h->kept + first * z->p_row : w.p;
        probabilities(z, h, first, rows, w.keys, p);
        multiply((view){p, z->p_row, 1}, rows, z->steps, w.values,
                 (target){y + first * z->y_row, z->y_row, z->width, false});
    }
}

static dv_status forward(dv_step *s)
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

DV_CPU_CLONES
static void backward_head(const sizes *z, const head *h, workspace w, const float *dy, float *dx)
{
    int64_t p_row = z->p_row;
    if (h->kept == NULL)
        pack_transposed(h->k, z->x_row, z->width, z->steps, w.keys);
    pack_transposed(h->v, z->x_row, z->width, z->steps, w.values);
    pack(h->k, z->x_row, z->steps, z->width, w.key_rows);
    for (int64_t first = 0; first < z->steps; first += BLOCK) {
        int64_t rows = dv__smaller(BLOCK, z->steps - first);
        float *p = h->kept != NULL ? h->kept + first * p_row : w.p;
        if (h->kept == NULL)
            probabilities(z, h, first, rows, w.keys, p);
        const float *dy_block = dy + first * z->y_row;
        multiply((view){dy_block, z->y_row, 1}, rows, z->width, w.values,
                 (target){w.ds, p_row, z->step_lanes, false});
        before_softmax(z, p, rows, w.ds);
        target dq = {dx + first * z->x_row, z->x_row, z->width, false};
        multiply((view){w.ds, p_row, 1}, rows, z->steps, w.key_rows, dq);
        target dk = {dx + z->y_row, z->x_row, z->width, first > 0};
        pack(h->q + first * z->x_row, z->x_row, rows, z->width, w.query_rows);
        multiply((view){w.ds, 1, p_row}, z->steps, rows, w.query_rows, dk);
        target dv = {dx + 2 * z->y_row, z->x_row, z->width, first > 0};
        pack(dy_block, z->y_row, rows, z->width, w.gradients);
        multiply((view){p, 1, p_row}, z->steps, rows, w.gradients, dv);
    }
}

static dv_status backward(dv_step *s)
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

const dv_impl dv__attention_cpu = {.plan = plan, .forward = forward, .backward = backward};
