/* Convolution on a CUDA device. cuBLASLt computes 1x1 convolutions as matrix products, depthwise
   ones have kernels of their own, and cuDNN computes all others. */
#include "engine/ops/conv2d/cuda_conv2d.h"
#include "engine/gemm/cuda_dense.h"
#include "kernels/bias.h"
#include "kernels/depthwise.h"
#include "kernels/formulas/scalar_math.h"
#include "kernels/transpose.h"

#include <stdlib.h>

/* ---- Weights; for channels-last activations cuDNN wants the order (O,KH,KW,I/g) ---- */

typedef struct filter_layout {
    dv_layout base;
    int64_t filters, channels, taps; /* O, I / groups, KH KW */
} filter_layout;

/* from (filters, rows, columns) -> into (filters, columns, rows) */
static void transpose(int64_t filters, int64_t rows, int64_t columns, const float *from,
                      float *into)
{
    for (int64_t o = 0; o < filters; o++, from += rows * columns, into += rows * columns) {
        for (int64_t column = 0; column < columns; column++) {
            for (int64_t row = 0; row < rows; row++)
                into[column * rows + row] = from[row * columns + column];
        }
    }
}

static void pack(const dv_layout *base, const void *canonical, void *packed)
{
    const filter_layout *self = (const filter_layout *)base;
    transpose(self->filters, self->channels, self->taps, canonical, packed);
}

static void unpack(const dv_layout *base, const void *packed, void *canonical)
{
    const filter_layout *self = (const filter_layout *)base;
    transpose(self->filters, self->taps, self->channels, packed, canonical);
}

static bool equal(const dv_layout *a, const dv_layout *b)
{
    const filter_layout *left = (const filter_layout *)a, *right = (const filter_layout *)b;
    return left->filters == right->filters && left->channels == right->channels &&
           left->taps == right->taps;
}

static void drop_layout(dv_layout *base)
{
    free(base);
}

/* ---- The plan ---- */

typedef struct convolution {
    dv_cuda_dense *dense;      /* product of a 1x1 convolution, or NULL */
    bool depthwise;            /* computed by our own kernels */
    dv_depthwise own;          /* the convolution for these kernels */
    dv_cuda_convolution cudnn; /* all other convolutions */
    int64_t filters, channels, taps;
    bool reorders; /* transpose the weights and their gradient for cuDNN, because the parameter is
                      in PyTorch's order */
} convolution;

static dv_depthwise depthwise_of(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape x = s->in[0], y = s->node->shape;
    return (dv_depthwise){.images = x.n,
                          .height = x.h,
                          .width = x.w,
                          .channels = x.c,
                          .out_height = y.h,
                          .out_width = y.w,
                          .kernel = attr->kernel[0],
                          .stride = {attr->stride[0], attr->stride[1]},
                          .padding = {attr->padding[0], attr->padding[1]}};
}

static bool is_depthwise(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_depthwise own = depthwise_of(s);
    return attr->groups == s->in[0].c && attr->filters == s->in[0].c &&
           attr->kernel[0] == attr->kernel[1] && attr->dilation[0] == 1 && attr->dilation[1] == 1 &&
           dv_depthwise_supported(&own);
}

static bool is_pointwise(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    return attr->groups == 1 && attr->kernel[0] == 1 && attr->kernel[1] == 1 &&
           attr->stride[0] == 1 && attr->stride[1] == 1 && attr->padding[0] == 0 &&
           attr->padding[1] == 0;
}

/* Requests cuDNN's order for the parameter, unless it equals PyTorch's. */
static dv_status plan_layout(dv_planner *planner, convolution *self)
{
    if (self->channels == 1 || self->taps == 1)
        return DV_OK;
    filter_layout *layout;
    DV_TRY(dv_calloc(1, sizeof *layout, &layout));
    *layout = (filter_layout){
        .base = {.elements = self->filters * self->channels * self->taps,
                 .pack = pack,
                 .unpack = unpack,
                 .equal = equal,
                 .drop = drop_layout},
        .filters = self->filters,
        .channels = self->channels,
        .taps = self->taps,
    };
    self->reorders = !dv_planner_set_layout(planner, 0, &layout->base);
    return DV_OK;
}

/* The scratch of cuDNN's convolutions: the weights in cuDNN's order, if the parameter has another
   one; the gradient in cuDNN's order and type, if the parameter's differs; then the workspace. */
typedef struct scratch_plan {
    size_t gradient, workspace; /* offsets; the weights begin at 0 */
    size_t bytes;
} scratch_plan;

static scratch_plan plan_scratch(const dv_node_step *s, const convolution *self)
{
    const dv_convolution_algorithm *algorithms = self->cudnn.algorithm;
    size_t elements = (size_t)(self->filters * self->channels * self->taps), most = 0;
    size_t bytes = dv_cuda_aligned(elements * dv_dtype_size(s->x_type[0].dtype));
    bool converts = s->training && (self->reorders || s->x_type[0].dtype != DV_F32);
    for (int i = 0; i < DV_CONVOLUTION_DIRECTIONS; i++)
        most = algorithms[i].workspace > most ? algorithms[i].workspace : most;
    scratch_plan plan = {.gradient = self->reorders ? bytes : 0};
    plan.workspace = plan.gradient + (converts ? bytes : 0);
    plan.bytes = plan.workspace + most;
    return plan;
}

static dv_status plan_by_cudnn(dv_planner *planner, dv_node_step *s, convolution *self)
{
    DV_TRY(dv__cuda_convolution_plan(s, &self->cudnn));
    DV_TRY(plan_layout(planner, self));
    dv_planner_scratch(planner, plan_scratch(s, self).bytes);
    return DV_OK;
}

/* Plans a matrix product, or cuDNN's convolution if cuBLASLt does not have the product. */
static dv_status plan_pointwise(dv_planner *planner, dv_node_step *s, convolution *self)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_cuda_dense_layer layer = {
        .units = attr->filters, .bias = attr->bias, .activation = DV_ACT_NONE};
    dv_status status = dv_cuda_dense_plan(planner, s, &layer, &self->dense);
    return status == DV_EUNSUPPORTED ? plan_by_cudnn(planner, s, self) : status;
}

static dv_status plan_depthwise(dv_planner *planner, const dv_node_step *s, convolution *self)
{
    self->depthwise = true;
    if (s->training)
        dv_planner_scratch(planner, (size_t)dv_depthwise_scratch(&self->own));
    return DV_OK;
}

static void destroy(convolution *self)
{
    if (self->dense != NULL)
        dv_cuda_dense_drop(self->dense);
    dv__cuda_convolution_drop(&self->cudnn);
    free(self);
}

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    convolution *self;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->filters = attr->filters;
    self->channels = s->in[0].c / attr->groups;
    self->taps = attr->kernel[0] * attr->kernel[1];
    self->own = depthwise_of(s);
    dv_status status = is_pointwise(s)   ? plan_pointwise(planner, s, self)
                       : is_depthwise(s) ? plan_depthwise(planner, s, self)
                                         : plan_by_cudnn(planner, s, self);
    if (status != DV_OK) {
        destroy(self);
        return status;
    }
    s->self = self;
    return DV_OK;
}

static void drop(dv_node_step *s)
{
    destroy(s->self);
}

/* ---- Running ---- */

static void *at(const dv_node_step *s, size_t offset)
{
    return s->scratch != NULL ? (char *)s->scratch + offset : NULL;
}

/* Brings the weights to cuDNN's order, if necessary. */
static dv_status ordered_weights(const dv_node_step *s, const convolution *self, const void **out)
{
    *out = s->w_operand[0];
    if (!self->reorders)
        return DV_OK;
    DV_CUDA(dv_launch_transpose(s->x_type[0].dtype, s->w_operand[0], s->scratch, self->filters,
                                self->channels, self->taps, dv_cuda_stream(s)));
    *out = s->scratch;
    return DV_OK;
}

static dv_status forward_by_cudnn(const dv_node_step *s, const convolution *self)
{
    const dv_conv2d_attr *attr = s->node->attr;
    const dv_cuda_device *device = dv_cuda_device_of(s->context);
    dv_convolution_operands operands = {.x = s->x[0], .out = s->y};
    operands.workspace = at(s, plan_scratch(s, self).workspace);
    DV_TRY(ordered_weights(s, self, &operands.w));
    DV_TRY(dv__cuda_convolution_run(device, &self->cudnn, DV_CONVOLUTION_FORWARD, &operands));
    if (attr->bias)
        DV_CUDA(dv_launch_bias(s->x_type[0].dtype, s->y, s->w[1], dv_shape_rows(s->node->shape),
                               attr->filters, device->stream));
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    const convolution *self = s->self;
    if (self->dense != NULL)
        return dv_cuda_dense_forward(s, self->dense);
    if (!self->depthwise)
        return forward_by_cudnn(s, self);
    DV_CUDA(dv_launch_depthwise(s->x_type[0].dtype, &self->own, s->x[0], s->w_operand[0],
                                attr->bias ? s->w[1] : NULL, s->y, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status input_gradient(const dv_node_step *s, const convolution *self)
{
    dv_convolution_operands operands = {.y = s->dy, .out = s->dx[0]};
    operands.workspace = at(s, plan_scratch(s, self).workspace);
    DV_TRY(ordered_weights(s, self, &operands.w));
    return dv__cuda_convolution_run(dv_cuda_device_of(s->context), &self->cudnn,
                                    DV_CONVOLUTION_DATA, &operands);
}

/* Computes the weight gradient. One launch brings it to the parameter's order and type. */
static dv_status weight_gradient(const dv_node_step *s, const convolution *self)
{
    dv_dtype dtype = s->x_type[0].dtype;
    scratch_plan places = plan_scratch(s, self);
    bool converts = self->reorders || dtype != DV_F32;
    void *dw = converts ? at(s, places.gradient) : s->dw[0];
    dv_convolution_operands operands = {
        .x = s->x[0], .y = s->dy, .out = dw, .workspace = at(s, places.workspace)};
    DV_TRY(dv__cuda_convolution_run(dv_cuda_device_of(s->context), &self->cudnn,
                                    DV_CONVOLUTION_WEIGHTS, &operands));
    if (!converts)
        return DV_OK;
    int64_t rows = self->reorders ? self->taps : 1;
    DV_CUDA(dv_launch_transpose_to_float(dtype, dw, s->dw[0], self->filters, rows,
                                         self->channels * self->taps / rows, dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status backward_by_cudnn(const dv_node_step *s, const convolution *self)
{
    if (s->dx[0] != NULL)
        DV_TRY(input_gradient(s, self));
    return weight_gradient(s, self);
}

static dv_status backward_depthwise(const dv_node_step *s, const convolution *self)
{
    dv_dtype dtype = s->x_type[0].dtype;
    void *stream = dv_cuda_stream(s);
    if (s->dx[0] != NULL)
        DV_CUDA(
            dv_launch_depthwise_data(dtype, &self->own, s->dy, s->w_operand[0], s->dx[0], stream));
    DV_CUDA(dv_launch_depthwise_weights(dtype, &self->own, s->x[0], s->dy, s->dw[0], s->scratch,
                                        stream));
    return DV_OK;
}

static dv_status backward(dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    const convolution *self = s->self;
    if (self->dense != NULL)
        return dv_cuda_dense_backward(s, self->dense);
    DV_TRY(self->depthwise ? backward_depthwise(s, self) : backward_by_cudnn(s, self));
    if (attr->bias)
        DV_CUDA(dv_launch_column_sums(s->x_type[0].dtype, s->dy, s->dw[1],
                                      dv_shape_rows(s->node->shape), attr->filters,
                                      dv_cuda_stream(s)));
    return DV_OK;
}

const dv_impl dv_conv2d_cuda = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
