/* Convolution by cuDNN's imperative calls, channels last. All that is known of cuDNN's convolutions
   is in this file. */
#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/cuda.h"
#include "kernels/bias.h"
#include "kernels/transpose.h"

#include <stdlib.h>

/* ---- Weights: cuDNN wants (O,KH,KW,I/g) where activations have channels last ---- */

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
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution;
    cudnnConvolutionFwdAlgo_t forward;
    cudnnConvolutionBwdDataAlgo_t data;
    cudnnConvolutionBwdFilterAlgo_t weights;
    size_t forward_workspace, data_workspace, weights_workspace; /* bytes */
    int64_t filters, channels, taps;
    bool reorders; /* the parameter is in PyTorch's order: it and its gradient are transposed */
} convolution;

static void destroy(convolution *self)
{
    if (self->convolution != NULL)
        (void)cudnnDestroyConvolutionDescriptor(self->convolution);
    if (self->w != NULL)
        (void)cudnnDestroyFilterDescriptor(self->w);
    if (self->y != NULL)
        (void)cudnnDestroyTensorDescriptor(self->y);
    if (self->x != NULL)
        (void)cudnnDestroyTensorDescriptor(self->x);
    free(self);
}

static dv_status describe_tensor(dv_shape shape, cudnnTensorDescriptor_t *out)
{
    DV_CUDNN(cudnnCreateTensorDescriptor(out));
    DV_CUDNN(cudnnSetTensor4dDescriptor(*out, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, (int)shape.n,
                                        (int)shape.c, (int)shape.h, (int)shape.w));
    return DV_OK;
}

/* FMA: products of floats are not rounded to TF32. */
static dv_status describe(const dv_step *s, convolution *self)
{
    const dv_conv2d_attr *attr = s->node->attr;
    DV_TRY(describe_tensor(s->in[0], &self->x));
    DV_TRY(describe_tensor(s->node->shape, &self->y));
    DV_CUDNN(cudnnCreateFilterDescriptor(&self->w));
    DV_CUDNN(cudnnSetFilter4dDescriptor(self->w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC,
                                        (int)self->filters, (int)self->channels,
                                        (int)attr->kernel[0], (int)attr->kernel[1]));
    DV_CUDNN(cudnnCreateConvolutionDescriptor(&self->convolution));
    DV_CUDNN(cudnnSetConvolution2dDescriptor(
        self->convolution, (int)attr->padding[0], (int)attr->padding[1], (int)attr->stride[0],
        (int)attr->stride[1], (int)attr->dilation[0], (int)attr->dilation[1],
        CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    DV_CUDNN(cudnnSetConvolutionGroupCount(self->convolution, (int)attr->groups));
    DV_CUDNN(cudnnSetConvolutionMathType(self->convolution, CUDNN_FMA_MATH));
    return DV_OK;
}

/* ---- Algorithms: the first that cuDNN's heuristics name, that gives the same result every time
   and is content with the workspace ---- */

#define USABLE(result, most)                                                                       \
    ((result).status == CUDNN_STATUS_SUCCESS && (result).determinism == CUDNN_DETERMINISTIC &&     \
     (result).memory <= (most))

static dv_status none(const dv_step *s, const char *direction)
{
    return DV_FAIL(DV_EUNSUPPORTED,
                   "conv2d '%s': cuDNN has no deterministic %s for %s -> %s with at most %zu bytes "
                   "of workspace",
                   s->node->name, direction, dv_shape_format(s->in[0]).text,
                   dv_shape_format(s->node->shape).text, dv__cuda_device(s->context)->workspace);
}

static dv_status choose_forward(const dv_step *s, convolution *self)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
    int count;
    DV_CUDNN(cudnnGetConvolutionForwardAlgorithm_v7(
        device->cudnn, self->x, self->w, self->convolution, self->y,
        CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count, found));
    for (int i = 0; i < count; i++) {
        if (USABLE(found[i], device->workspace)) {
            self->forward = found[i].algo;
            self->forward_workspace = found[i].memory;
            return DV_OK;
        }
    }
    return none(s, "forward algorithm");
}

static dv_status choose_data(const dv_step *s, convolution *self)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    cudnnConvolutionBwdDataAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT];
    int count;
    DV_CUDNN(cudnnGetConvolutionBackwardDataAlgorithm_v7(
        device->cudnn, self->w, self->y, self->convolution, self->x,
        CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, &count, found));
    for (int i = 0; i < count; i++) {
        if (USABLE(found[i], device->workspace)) {
            self->data = found[i].algo;
            self->data_workspace = found[i].memory;
            return DV_OK;
        }
    }
    return none(s, "backward algorithm of the input");
}

static dv_status choose_weights(const dv_step *s, convolution *self)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    cudnnConvolutionBwdFilterAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
    int count;
    DV_CUDNN(cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        device->cudnn, self->x, self->y, self->convolution, self->w,
        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, &count, found));
    for (int i = 0; i < count; i++) {
        if (USABLE(found[i], device->workspace)) {
            self->weights = found[i].algo;
            self->weights_workspace = found[i].memory;
            return DV_OK;
        }
    }
    return none(s, "backward algorithm of the weights");
}

static dv_status choose(const dv_step *s, convolution *self)
{
    DV_TRY(choose_forward(s, self));
    if (!s->training)
        return DV_OK;
    if (s->wants_dx[0])
        DV_TRY(choose_data(s, self));
    return choose_weights(s, self);
}

/* ---- Scratch: the weights in cuDNN's order and their gradient, where they are transposed; then
   cuDNN's workspace ---- */

static size_t weight_bytes(const convolution *self)
{
    size_t elements = (size_t)(self->filters * self->channels * self->taps);
    return self->reorders ? dv__cuda_aligned(elements * sizeof(float)) : 0;
}

static void *workspace(const dv_step *s, const convolution *self)
{
    return s->scratch != NULL ? (char *)s->scratch + 2 * weight_bytes(self) : NULL;
}

static void plan_scratch(dv_planner *planner, const convolution *self)
{
    size_t most = self->forward_workspace;
    most = most > self->data_workspace ? most : self->data_workspace;
    most = most > self->weights_workspace ? most : self->weights_workspace;
    dv_planner_scratch(planner, 2 * weight_bytes(self) + most);
}

/* Where both orders are the same, the parameter stays as it is. */
static dv_status plan_layout(dv_planner *planner, convolution *self)
{
    if (self->channels == 1 || self->taps == 1)
        return DV_OK;
    filter_layout *layout;
    DV_TRY(dv__calloc(1, sizeof *layout, &layout));
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

static dv_status plan(dv_planner *planner, dv_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_status status = DV_OK;
    convolution *self;
    DV_TRY(dv__calloc(1, sizeof *self, &self));
    self->filters = attr->filters;
    self->channels = s->in[0].c / attr->groups;
    self->taps = attr->kernel[0] * attr->kernel[1];
    DV_TRY_GOTO(describe(s, self));
    DV_TRY_GOTO(choose(s, self));
    DV_TRY_GOTO(plan_layout(planner, self));
    plan_scratch(planner, self);
    s->self = self;
    return DV_OK;
fail:
    destroy(self);
    return status;
}

static void drop(dv_step *s)
{
    destroy(s->self);
}

/* ---- Running ---- */

/* The weights in cuDNN's order. */
static dv_status ordered_weights(const dv_step *s, const convolution *self, const void **out)
{
    *out = s->w[0];
    if (!self->reorders)
        return DV_OK;
    DV_CUDA(dv_launch_transpose(s->w[0], s->scratch, self->filters, self->channels, self->taps,
                                dv__cuda_stream(s)));
    *out = s->scratch;
    return DV_OK;
}

static dv_status forward(dv_step *s)
{
    static const float one = 1, zero = 0;
    const dv_cuda_device *device = dv__cuda_device(s->context);
    const dv_conv2d_attr *attr = s->node->attr;
    const convolution *self = s->self;
    const void *w;
    DV_TRY(ordered_weights(s, self, &w));
    DV_CUDNN(cudnnConvolutionForward(device->cudnn, &one, self->x, s->x[0], self->w, w,
                                     self->convolution, self->forward, workspace(s, self),
                                     self->forward_workspace, &zero, self->y, s->y));
    if (attr->bias)
        DV_CUDA(dv_launch_bias(s->context->dtype, s->y, s->w[1], dv_shape_rows(s->node->shape),
                               attr->filters, device->stream));
    return DV_OK;
}

static dv_status input_gradient(const dv_step *s, const convolution *self)
{
    static const float one = 1, zero = 0;
    const void *w;
    DV_TRY(ordered_weights(s, self, &w));
    DV_CUDNN(cudnnConvolutionBackwardData(
        dv__cuda_device(s->context)->cudnn, &one, self->w, w, self->y, s->dy, self->convolution,
        self->data, workspace(s, self), self->data_workspace, &zero, self->x, s->dx[0]));
    return DV_OK;
}

static dv_status weight_gradient(const dv_step *s, const convolution *self)
{
    static const float one = 1, zero = 0;
    void *dw = self->reorders ? (char *)s->scratch + weight_bytes(self) : s->dw[0];
    DV_CUDNN(cudnnConvolutionBackwardFilter(dv__cuda_device(s->context)->cudnn, &one, self->x,
                                            s->x[0], self->y, s->dy, self->convolution,
                                            self->weights, workspace(s, self),
                                            self->weights_workspace, &zero, self->w, dw));
    if (self->reorders)
        DV_CUDA(dv_launch_transpose(dw, s->dw[0], self->filters, self->taps, self->channels,
                                    dv__cuda_stream(s)));
    return DV_OK;
}

static dv_status backward(dv_step *s)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    const dv_conv2d_attr *attr = s->node->attr;
    const convolution *self = s->self;
    if (s->dx[0] != NULL)
        DV_TRY(input_gradient(s, self));
    DV_TRY(weight_gradient(s, self));
    if (attr->bias)
        DV_CUDA(dv_launch_column_sums(s->context->dtype, s->dy, s->dw[1],
                                      dv_shape_rows(s->node->shape), attr->filters,
                                      device->stream));
    return DV_OK;
}

const dv_impl dv__conv2d_cuda = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
