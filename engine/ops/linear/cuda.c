/* A linear layer on a CUDA device: cuBLASLt computes it, or plain kernels do if cuBLASLt lacks
   the product. */
#include "engine/gemm/cuda_dense.h"
#include "engine/ops/cuda.h"
#include "engine/ops/linear/linear.h"

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    const dv_linear_attr *attr = s->node->attr;
    dv_cuda_dense_layer layer = {attr->units, attr->bias, attr->activation};
    dv_cuda_dense *self;
    dv_status status = dv_cuda_dense_plan(planner, s, &layer, &self);
    if (status == DV_EUNSUPPORTED) {
        dv_log_write(&s->context->log, DV_LOG_WARNING, "%s; plain kernels compute it",
                     dv_error_message());
        status = dv_cuda_dense_plan_plain(planner, s, &layer, &self);
    }
    DV_TRY(status);
    s->self = self;
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    return dv_cuda_dense_forward(s, s->self);
}

static dv_status backward(dv_node_step *s)
{
    return dv_cuda_dense_backward(s, s->self);
}

static void drop(dv_node_step *s)
{
    dv_cuda_dense_drop(s->self);
}

const dv_impl dv_linear_cuda = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
