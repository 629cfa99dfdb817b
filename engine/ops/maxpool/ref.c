/* The reference of maximum pooling: plain loops over each window. */
#include "engine/ops/maxpool/maxpool.h"
#include "engine/ops/ref.h"

#include <math.h>

/* Saves the index in x of each output element's maximum, int64_t. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    dv_planner_save(planner, (size_t)dv_shape_count(s->node->shape) * sizeof(int64_t));
    return DV_OK;
}

/* The index of a window's first maximum. NaN counts as larger than all numbers. */
static int64_t find_maximum(const dv_node_step *s, int64_t n, int64_t oy, int64_t ox, int64_t c)
{
    const dv_pool_attr *attr = s->node->attr;
    const real *x = s->x[0];
    dv_shape in = s->in[0];
    int64_t best = -1;
    for (int64_t kh = 0; kh < attr->kernel[0]; kh++) {
        int64_t iy = oy * attr->stride[0] + kh - attr->padding[0];
        for (int64_t kw = 0; iy >= 0 && iy < in.h && kw < attr->kernel[1]; kw++) {
            int64_t ix = ox * attr->stride[1] + kw - attr->padding[1];
            if (ix < 0 || ix >= in.w)
                continue;
            int64_t i = ((n * in.h + iy) * in.w + ix) * in.c + c;
            if (best < 0 || x[i] > x[best] || isnan(x[i]))
                best = i;
        }
    }
    return best;
}

static dv_status forward(dv_node_step *s)
{
    const real *x = s->x[0];
    real *y = s->y;
    int64_t *maximum = s->saved;
    dv_shape out = s->node->shape;
    int64_t i = 0;
    for (int64_t n = 0; n < out.n; n++) {
        for (int64_t oy = 0; oy < out.h; oy++) {
            for (int64_t ox = 0; ox < out.w; ox++) {
                for (int64_t c = 0; c < out.c; c++, i++) {
                    maximum[i] = find_maximum(s, n, oy, ox, c);
                    y[i] = x[maximum[i]];
                }
            }
        }
    }
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const real *dy = s->dy;
    real *dx = s->dx[0];
    const int64_t *maximum = s->saved;
    if (dx == NULL)
        return DV_OK;
    for (int64_t i = 0; i < dv_shape_count(s->in[0]); i++)
        dx[i] = 0;
    for (int64_t i = 0; i < dv_shape_count(s->node->shape); i++)
        dx[maximum[i]] += dy[i];
    return DV_OK;
}

const dv_impl DV_REF(maxpool) = {.plan = plan, .forward = forward, .backward = backward};
