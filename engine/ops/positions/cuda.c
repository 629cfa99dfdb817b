/* Positions on a CUDA device: plan uploads the table, and a kernel adds it to each sample. */
#include "engine/ops/positions/positions.h"

#include "engine/ops/cuda.h"
#include "kernels/positions.h"

#include <stdlib.h>

/* Uploads the table, and waits, because `host` is freed afterwards. */
static dv_status upload(const dv_node_step *s, float *table, const float *host, size_t bytes)
{
    DV_CUDA(cudaMemcpyAsync(table, host, bytes, cudaMemcpyHostToDevice, dv_cuda_stream(s)));
    DV_CUDA(cudaStreamSynchronize(dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status make_table(dv_node_step *s, float *host, size_t bytes)
{
    void *table;
    dv__positions_fill(s->node->shape, host);
    DV_CUDA(cudaMalloc(&table, bytes));
    dv_status status = upload(s, table, host, bytes);
    if (status != DV_OK)
        (void)cudaFree(table);
    else
        s->self = table;
    return status;
}

/* Makes the table in device memory, (T,C) floats. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    (void)planner;
    size_t count = (size_t)(s->node->shape.w * s->node->shape.c);
    float *host;
    DV_TRY(dv_calloc(count, sizeof *host, &host));
    dv_status status = make_table(s, host, count * sizeof *host);
    free(host);
    return status;
}

static void drop(dv_node_step *s)
{
    (void)cudaFree(s->self);
}

static dv_status forward(dv_node_step *s)
{
    dv_shape shape = s->node->shape;
    DV_CUDA(dv_launch_positions(s->x_type[0].dtype, s->x[0], s->self, s->y, shape.n,
                                shape.w * shape.c, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    if (s->dx[0] == NULL)
        return DV_OK;
    size_t bytes = (size_t)dv_shape_count(s->node->shape) * dv_dtype_size(s->x_type[0].dtype);
    DV_CUDA(cudaMemcpyAsync(s->dx[0], s->dy, bytes, cudaMemcpyDeviceToDevice, dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_positions_cuda = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
