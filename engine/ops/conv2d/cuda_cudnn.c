/* Convolution by cuDNN's imperative calls with channels last, and the choice between cuDNN, im2col
   and plain kernels. Only this file and cuda_algorithm.c depend on cuDNN's convolutions. */
#include "engine/ops/conv2d/cuda_conv2d.h"

/* ---- Descriptors ---- */

static cudnnDataType_t data_type(dv_dtype dtype)
{
    if (dtype == DV_F16)
        return CUDNN_DATA_HALF;
    return dtype == DV_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
}

/* 16-bit types use the tensor cores. FMA does not round the operands of floats to TF32; the default
   math type may. */
static cudnnMathType_t math_type(const dv_node_step *s)
{
    if (s->x_type[0].dtype != DV_F32)
        return CUDNN_TENSOR_OP_MATH;
    return s->context->tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
}

static dv_status describe_tensor(dv_dtype dtype, dv_shape shape, cudnnTensorDescriptor_t *out)
{
    DV_CUDNN(cudnnCreateTensorDescriptor(out));
    DV_CUDNN(cudnnSetTensor4dDescriptor(*out, CUDNN_TENSOR_NHWC, data_type(dtype), (int)shape.n,
                                        (int)shape.c, (int)shape.h, (int)shape.w));
    return DV_OK;
}

/* For 16 bits this is cuDNN's PSEUDO_HALF_CONFIG or PSEUDO_BFLOAT16_CONFIG, with sums in float. */
static dv_status describe_convolution(const dv_node_step *s, cudnnConvolutionDescriptor_t *out)
{
    const dv_conv2d_attr *attr = s->node->attr;
    DV_CUDNN(cudnnCreateConvolutionDescriptor(out));
    DV_CUDNN(cudnnSetConvolution2dDescriptor(*out, (int)attr->padding[0], (int)attr->padding[1],
                                             (int)attr->stride[0], (int)attr->stride[1],
                                             (int)attr->dilation[0], (int)attr->dilation[1],
                                             CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    DV_CUDNN(cudnnSetConvolutionGroupCount(*out, (int)attr->groups));
    DV_CUDNN(cudnnSetConvolutionMathType(*out, math_type(s)));
    return DV_OK;
}

static dv_convolution shape_of(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape x = s->in[0], y = s->node->shape;
    return (dv_convolution){.images = x.n,
                            .height = x.h,
                            .width = x.w,
                            .channels = x.c,
                            .out_height = y.h,
                            .out_width = y.w,
                            .filters = attr->filters,
                            .groups = attr->groups,
                            .kernel = {attr->kernel[0], attr->kernel[1]},
                            .stride = {attr->stride[0], attr->stride[1]},
                            .padding = {attr->padding[0], attr->padding[1]},
                            .dilation = {attr->dilation[0], attr->dilation[1]}};
}

static dv_status describe(const dv_node_step *s, dv_cuda_convolution *self)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_dtype dtype = s->x_type[0].dtype;
    self->dtype = dtype;
    self->shape = shape_of(s);
    DV_TRY(describe_tensor(dtype, s->in[0], &self->x));
    DV_TRY(describe_tensor(dtype, s->node->shape, &self->y));
    DV_CUDNN(cudnnCreateFilterDescriptor(&self->w));
    DV_CUDNN(cudnnSetFilter4dDescriptor(self->w, data_type(dtype), CUDNN_TENSOR_NHWC,
                                        (int)attr->filters, (int)(s->in[0].c / attr->groups),
                                        (int)attr->kernel[0], (int)attr->kernel[1]));
    for (int i = 0; i < DV_CONVOLUTION_DIRECTIONS; i++)
        DV_TRY(describe_convolution(s, &self->convolution[i]));
    return DV_OK;
}

dv_status dv__cuda_convolution_plan(const dv_node_step *s, dv_cuda_convolution *self)
{
    DV_TRY(describe(s, self));
    DV_TRY(dv__cuda_convolution_choose(s, self, DV_CONVOLUTION_FORWARD));
    if (!s->training)
        return DV_OK;
    if (s->wants_dx[0])
        DV_TRY(dv__cuda_convolution_choose(s, self, DV_CONVOLUTION_DATA));
    return dv__cuda_convolution_choose(s, self, DV_CONVOLUTION_WEIGHTS);
}

void dv__cuda_convolution_drop(dv_cuda_convolution *self)
{
    for (int i = 0; i < DV_CONVOLUTION_DIRECTIONS; i++) {
        dv_cuda_product_drop(&self->product[i]);
        if (self->convolution[i] != NULL)
            (void)cudnnDestroyConvolutionDescriptor(self->convolution[i]);
    }
    if (self->w != NULL)
        (void)cudnnDestroyFilterDescriptor(self->w);
    if (self->y != NULL)
        (void)cudnnDestroyTensorDescriptor(self->y);
    if (self->x != NULL)
        (void)cudnnDestroyTensorDescriptor(self->x);
}

/* ---- The three directions ---- */

bool dv__cudnn_workspace(const dv_cuda_device *device, const dv_cuda_convolution *self,
                         dv_convolution_direction direction, int algorithm, size_t *bytes)
{
    cudnnConvolutionDescriptor_t convolution = self->convolution[direction];
    switch (direction) {
    case DV_CONVOLUTION_FORWARD:
        return cudnnGetConvolutionForwardWorkspaceSize(
                   device->cudnn, self->x, self->w, convolution, self->y,
                   (cudnnConvolutionFwdAlgo_t)algorithm, bytes) == CUDNN_STATUS_SUCCESS;
    case DV_CONVOLUTION_DATA:
        return cudnnGetConvolutionBackwardDataWorkspaceSize(
                   device->cudnn, self->w, self->y, convolution, self->x,
                   (cudnnConvolutionBwdDataAlgo_t)algorithm, bytes) == CUDNN_STATUS_SUCCESS;
    default:
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(
                   device->cudnn, self->x, self->y, convolution, self->w,
                   (cudnnConvolutionBwdFilterAlgo_t)algorithm, bytes) == CUDNN_STATUS_SUCCESS;
    }
}

static dv_status run_own(const dv_cuda_device *device, const dv_cuda_convolution *self,
                         dv_convolution_direction direction, const dv_convolution_operands *to)
{
    switch (direction) {
    case DV_CONVOLUTION_FORWARD:
        DV_CUDA(dv_launch_convolution(self->dtype, &self->shape, to->x, to->w, to->out,
                                      device->stream));
        break;
    case DV_CONVOLUTION_DATA:
        DV_CUDA(dv_launch_convolution_data(self->dtype, &self->shape, to->y, to->w, to->out,
                                           device->stream));
        break;
    default:
        DV_CUDA(dv_launch_convolution_weights(self->dtype, &self->shape, to->x, to->y, to->out,
                                              device->stream));
        break;
    }
    return DV_OK;
}

/* Computes the direction by its chosen algorithm: plain kernels, im2col, or cuDNN's function for
   the direction. The result overwrites `out`. */
dv_status dv__cuda_convolution_run(const dv_cuda_device *device, const dv_cuda_convolution *self,
                                   dv_convolution_direction direction,
                                   const dv_convolution_operands *operands)
{
    static const float one = 1, zero = 0;
    const dv_convolution_algorithm *by = &self->algorithm[direction];
    if (by->number == DV_CONVOLUTION_PLAIN)
        return run_own(device, self, direction, operands);
    if (by->number == DV_CONVOLUTION_IM2COL)
        return dv__cuda_im2col_run(device, self, direction, operands);
    cudnnConvolutionDescriptor_t convolution = self->convolution[direction];
    switch (direction) {
    case DV_CONVOLUTION_FORWARD:
        DV_CUDNN(cudnnConvolutionForward(device->cudnn, &one, self->x, operands->x, self->w,
                                         operands->w, convolution,
                                         (cudnnConvolutionFwdAlgo_t)by->number, operands->workspace,
                                         by->workspace, &zero, self->y, operands->out));
        break;
    case DV_CONVOLUTION_DATA:
        DV_CUDNN(cudnnConvolutionBackwardData(
            device->cudnn, &one, self->w, operands->w, self->y, operands->y, convolution,
            (cudnnConvolutionBwdDataAlgo_t)by->number, operands->workspace, by->workspace, &zero,
            self->x, operands->out));
        break;
    default:
        DV_CUDNN(cudnnConvolutionBackwardFilter(
            device->cudnn, &one, self->x, operands->x, self->y, operands->y, convolution,
            (cudnnConvolutionBwdFilterAlgo_t)by->number, operands->workspace, by->workspace, &zero,
            self->w, operands->out));
        break;
    }
    return DV_OK;
}
