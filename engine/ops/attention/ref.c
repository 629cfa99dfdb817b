/* The reference of self-attention: one query after the other, in double. */
#include "engine/ops/attention/attention.h"
#include "engine/ops/ref.h"

#include <math.h>

/* One head of one sample. */
typedef struct head {
    int64_t steps, width; /* T, D */
    int64_t x_row, y_row; /* elements from one step to the next: 3 C, C */
    const real *q, *k, *v;
} head;

static int64_t heads_of(const dv_node_step *s)
{
    return ((const dv_attention_attr *)s->node->attr)->heads;
}

/* The offset in x of the queries of head `number`, counted over all samples. Keys and values are C
   and 2 C further. */
static int64_t x_offset(const dv_node_step *s, int64_t number)
{
    dv_shape x = s->in[0];
    int64_t heads = heads_of(s);
    return number / heads * x.w * x.c + number % heads * (x.c / 3 / heads);
}

static int64_t y_offset(const dv_node_step *s, int64_t number)
{
    dv_shape y = s->node->shape;
    int64_t heads = heads_of(s);
    return number / heads * y.w * y.c + number % heads * (y.c / heads);
}

static head get_head(const dv_node_step *s, int64_t number)
{
    dv_shape y = s->node->shape;
    const real *q = (const real *)s->x[0] + x_offset(s, number);
    return (head){y.w, y.c / heads_of(s), 3 * y.c, y.c, q, q + y.c, q + 2 * y.c};
}

/* Scratch has p (T) in forward, and p and ds (T), dk and dv (T, D) in backward. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_shape y = s->node->shape;
    int64_t forward = y.w, backward = 2 * y.w + 2 * y.w * (y.c / heads_of(s));
    dv_planner_scratch(planner, (size_t)(s->training ? backward : forward) * sizeof(double));
    return DV_OK;
}

static double dot(const real *a, const real *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Computes p (T), the share of each step for query i. */
static void probabilities(const head *h, int64_t i, double *p)
{
    double largest = -INFINITY, sum = 0;
    for (int64_t j = 0; j < h->steps; j++) {
        p[j] = dot(h->q + i * h->x_row, h->k + j * h->x_row, h->width) / sqrt((double)h->width);
        largest = p[j] > largest ? p[j] : largest;
    }
    for (int64_t j = 0; j < h->steps; j++) {
        p[j] = exp(p[j] - largest);
        sum += p[j];
    }
    for (int64_t j = 0; j < h->steps; j++)
        p[j] /= sum;
}

static dv_status forward(dv_node_step *s)
{
    double *p = s->scratch;
    for (int64_t number = 0; number < s->in[0].n * heads_of(s); number++) {
        head h = get_head(s, number);
        real *y = (real *)s->y + y_offset(s, number);
        for (int64_t i = 0; i < h.steps; i++) {
            probabilities(&h, i, p);
            for (int64_t d = 0; d < h.width; d++) {
                double sum = 0;
                for (int64_t j = 0; j < h.steps; j++)
                    sum += p[j] * (double)h.v[j * h.x_row + d];
                y[i * h.y_row + d] = (real)sum;
            }
        }
    }
    return DV_OK;
}

/* Computes ds (T) for query i. */
static void before_softmax(const head *h, const real *dy, const double *p, double *ds)
{
    double mean = 0;
    for (int64_t j = 0; j < h->steps; j++) {
        ds[j] = dot(dy, h->v + j * h->x_row, h->width);
        mean += p[j] * ds[j];
    }
    for (int64_t j = 0; j < h->steps; j++)
        ds[j] = p[j] * (ds[j] - mean) / sqrt((double)h->width);
}

/* Computes the gradients of one head. dy and dx point to the head. */
static void backward_head(const head *h, const real *dy, double *scratch, real *dx)
{
    double *p = scratch, *ds = p + h->steps, *dk = ds + h->steps, *dv = dk + h->steps * h->width;
    for (int64_t i = 0; i < 2 * h->steps * h->width; i++)
        dk[i] = 0;
    for (int64_t i = 0; i < h->steps; i++) {
        const real *q = h->q + i * h->x_row, *dy_i = dy + i * h->y_row;
        probabilities(h, i, p);
        before_softmax(h, dy_i, p, ds);
        for (int64_t d = 0; d < h->width; d++) {
            double sum = 0;
            for (int64_t j = 0; j < h->steps; j++) {
                sum += ds[j] * (double)h->k[j * h->x_row + d];
                dk[j * h->width + d] += ds[j] * (double)q[d];
                dv[j * h->width + d] += p[j] * (double)dy_i[d];
            }
            dx[i * h->x_row + d] = (real)sum;
        }
    }
    for (int64_t i = 0; i < h->steps * h->width; i++) {
        real *dx_k = dx + h->y_row + i / h->width * h->x_row + i % h->width;
        dx_k[0] = (real)dk[i];
        dx_k[h->y_row] = (real)dv[i];
    }
}

static dv_status backward(dv_node_step *s)
{
    for (int64_t number = 0; s->dx[0] != NULL && number < s->in[0].n * heads_of(s); number++) {
        head h = get_head(s, number);
        backward_head(&h, (const real *)s->dy + y_offset(s, number), s->scratch,
                      (real *)s->dx[0] + x_offset(s, number));
    }
    return DV_OK;
}

const dv_impl DV_REF(attention) = {.plan = plan, .forward = forward, .backward = backward};
