/* Positions on the CPU: plan fills the table, and forward adds it to each sample. */
#include "engine/ops/cpu.h"
#include "engine/ops/positions/positions.h"

#include <stdlib.h>
#include <string.h>

/* Makes the table (T,C). */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    (void)planner;
    dv_shape shape = s->node->shape;
    float *table;
    DV_TRY(dv_calloc((size_t)(shape.w * shape.c), sizeof *table, &table));
    dv__positions_fill(shape, table);
    s->self = table;
    return DV_OK;
}

static void drop(dv_node_step *s)
{
    free(s->self);
}

DV_CPU_CLONES
static void add_table(const float *restrict x, const float *restrict table, float *restrict y,
                      int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i] + table[i];
}

static dv_status forward(dv_node_step *s)
{
    const float *x = s->x[0];
    float *y = s->y;
    dv_shape shape = s->node->shape;
    int64_t sample = shape.w * shape.c;
#pragma omp parallel for schedule(static) if (shape.n * sample > DV_CPU_GRAIN)
    for (int64_t n = 0; n < shape.n; n++)
        add_table(x + n * sample, s->self, y + n * sample, sample);
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    if (s->dx[0] != NULL)
        memcpy(s->dx[0], s->dy, (size_t)dv_shape_count(s->node->shape) * sizeof(float));
    return DV_OK;
}

const dv_impl dv_positions_cpu = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
