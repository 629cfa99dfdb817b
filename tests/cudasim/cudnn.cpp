/*
 * cuDNN 9's imperative calls for 2-D convolutions on the simulated device: NHWC tensors, KRSC
 * filters, F32, F16 or BF16 data with FP32 sums, groups, dilation, alpha and beta, and the choice
 * of an algorithm. Any other call does not link; any other layout, type or mode is refused.
 *
 * The simulation finds descriptors that do not fit one another, a workspace that is missing, too
 * small, or in use by something else (it is overwritten), host pointers, memory too small for its
 * descriptor, misaligned pointers, an output that is read although beta is 0, a search for the
 * fastest algorithm over memory that is in use (its output is overwritten) or while a stream is
 * being captured, and an algorithm that is not deterministic: those are the fastest here, and add
 * up in another order at every second run. CUDNN_DEFAULT_MATH means TF32 for F32 data, as on every
 * device since A100, and operands are rounded to it; a caller that wants FP32 must ask for
 * CUDNN_FMA_MATH. The simulation is stricter than the real library, which leaves some behaviour
 * undefined: overlapping operands and host pointers are errors at once. The descriptors' status
 * codes were compared with version 9.19 of the real library; those of the calls that need a device
 * follow its header and manual.
 *
 * The simulation cannot show which shapes and types each real algorithm supports (it supports the
 * implicit GEMMs, and 0 and 1 backwards, by the manual's tables for NHWC), real workspace sizes,
 * the fastest algorithm, speed, and the real order of summation.
 */
#include "tests/cudasim/cudnn_objects.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <new>

namespace cudasim
{
namespace
{
/* The text of the last error on this thread. */
thread_local char last_error[256];

int output_size(const cudnnConvolutionStruct &convolution, int axis, int input, int kernel)
{
    int reach = convolution.dilation[axis] * (kernel - 1) + 1;
    return 1 + (input + 2 * convolution.padding[axis] - reach) / convolution.stride[axis];
}

cudnnStatus_t check_shapes(const Descriptors &given)
{
    const cudnnConvolutionStruct &convolution = *given.convolution;
    int groups = convolution.groups;
    if (given.x->c != groups * given.w->c || given.y->c != given.w->k || given.w->k % groups != 0) {
        return refuse(CUDNN_STATUS_BAD_PARAM,
                      "x has %d channels, y %d; the filter is %d x %d in %d groups", given.x->c,
                      given.y->c, given.w->k, given.w->c, groups);
    }
    int height = output_size(convolution, 0, given.x->h, given.w->h);
    int width = output_size(convolution, 1, given.x->w, given.w->w);
    if (given.y->n != given.x->n || given.y->h != height || given.y->w != width) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "y is %d x %d x %d, should be %d x %d x %d",
                      given.y->n, given.y->h, given.y->w, given.x->n, height, width);
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t check_support(const Descriptors &given)
{
    const cudnnConvolutionStruct &convolution = *given.convolution;
    cudaDataType_t type;
    if (given.x->type != given.w->type || given.y->type != given.x->type) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "data types %d, %d and %d of x, w and y differ",
                      given.x->type, given.w->type, given.y->type);
    }
    if (!to_cuda_type(given.x->type, &type) || convolution.compute != CUDNN_DATA_FLOAT) {
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "data type %d, compute type %d", given.x->type,
                      convolution.compute);
    }
    if (given.x->format != CUDNN_TENSOR_NHWC || given.w->format != CUDNN_TENSOR_NHWC ||
        given.y->format != CUDNN_TENSOR_NHWC) {
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "layouts %d, %d and %d of x, w and y",
                      given.x->format, given.w->format, given.y->format);
    }
    if (convolution.mode != CUDNN_CROSS_CORRELATION ||
        convolution.math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) {
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "mode %d, math type %d", convolution.mode,
                      convolution.math);
    }
    return CUDNN_STATUS_SUCCESS;
}

} // namespace

cudnnStatus_t refuse(cudnnStatus_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}

bool to_cuda_type(cudnnDataType_t type, cudaDataType_t *result)
{
    *result = type == CUDNN_DATA_HALF       ? CUDA_R_16F
              : type == CUDNN_DATA_BFLOAT16 ? CUDA_R_16BF
                                            : CUDA_R_32F;
    return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}

cudnnStatus_t check_descriptors(cudnnHandle_t handle, const Descriptors &given)
{
    if (handle == nullptr || given.x == nullptr || given.w == nullptr ||
        given.convolution == nullptr || given.y == nullptr) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "null handle or descriptor");
    }
    if (given.x->n == 0 || given.w->k == 0 || given.convolution->stride[0] == 0 ||
        given.y->n == 0) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor was never set");
    }
    cudnnStatus_t status = check_shapes(given);
    return status == CUDNN_STATUS_SUCCESS ? check_support(given) : status;
}

} // namespace cudasim

namespace
{
using cudasim::refuse;

template <typename Struct> cudnnStatus_t create(Struct **object)
{
    if (object == nullptr) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "null pointer to a descriptor");
    }
    *object = new (std::nothrow) Struct();
    return *object != nullptr ? CUDNN_STATUS_SUCCESS
                              : CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
}

bool is_format(cudnnTensorFormat_t format)
{
    return format >= CUDNN_TENSOR_NCHW && format <= CUDNN_TENSOR_NCHW_VECT_C;
}

bool is_type(cudnnDataType_t type)
{
    return type >= CUDNN_DATA_FLOAT && type <= CUDNN_DATA_COMPLEX_FP64;
}

cudnnStatus_t check_dimensions(std::initializer_list<int> dimensions)
{
    std::int64_t product = 1;
    for (int dimension : dimensions) {
        if (dimension <= 0) {
            return refuse(CUDNN_STATUS_BAD_PARAM, "a dimension is %d", dimension);
        }
        product *= dimension;
        if (product > INT32_MAX) {
            return refuse(CUDNN_STATUS_NOT_SUPPORTED, "more than 2^31 - 1 elements");
        }
    }
    return CUDNN_STATUS_SUCCESS;
}

} // namespace

extern "C" {
std::size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

/* The real library's names of the statuses that the simulation returns. */
const char *cudnnGetErrorString(cudnnStatus_t status)
{
    switch (status) {
    case CUDNN_STATUS_SUCCESS:
        return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_BAD_PARAM:
        return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
        return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED:
        return "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
    case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
        return "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED";
    case CUDNN_STATUS_EXECUTION_FAILED:
        return "CUDNN_STATUS_EXECUTION_FAILED";
    case CUDNN_STATUS_EXECUTION_FAILED_CUDART:
        return "CUDNN_STATUS_EXECUTION_FAILED_CUDART";
    default:
        return "CUDNN_UNKNOWN_STATUS";
    }
}

/* Returns the text and empties it, as the real library does. */
void cudnnGetLastErrorString(char *message, std::size_t size)
{
    if (message != nullptr && size > 0) {
        std::snprintf(message, size, "%s", cudasim::last_error);
        cudasim::last_error[0] = '\0';
    }
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    return create(handle);
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    delete handle;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    if (handle == nullptr) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "null handle");
    }
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *tensor)
{
    return create(tensor);
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor)
{
    delete tensor;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w)
{
    if (tensor == nullptr || !is_format(format) || !is_type(type)) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "tensor of format %d, type %d", format, type);
    }
    cudnnStatus_t status = check_dimensions({n, c, h, w});
    if (status == CUDNN_STATUS_SUCCESS) {
        *tensor = {format, type, n, c, h, w};
    }
    return status;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *filter)
{
    return create(filter);
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter)
{
    delete filter;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w)
{
    if (filter == nullptr || !is_format(format) || !is_type(type)) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "filter of format %d, type %d", format, type);
    }
    cudnnStatus_t status = check_dimensions({k, c, h, w});
    if (status == CUDNN_STATUS_SUCCESS) {
        *filter = {format, type, k, c, h, w};
    }
    return status;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *convolution)
{
    return create(convolution);
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convolution)
{
    delete convolution;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution,
                                              int padding_h, int padding_w, int stride_h,
                                              int stride_w, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t compute)
{
    if (convolution == nullptr || padding_h < 0 || padding_w < 0 || stride_h <= 0 ||
        stride_w <= 0 || dilation_h <= 0 || dilation_w <= 0 || !is_type(compute) ||
        (mode != CUDNN_CONVOLUTION && mode != CUDNN_CROSS_CORRELATION)) {
        return refuse(CUDNN_STATUS_BAD_PARAM,
                      "convolution of padding %d %d, stride %d %d, dilation %d %d, mode %d",
                      padding_h, padding_w, stride_h, stride_w, dilation_h, dilation_w, mode);
    }
    int groups = convolution->groups;
    cudnnMathType_t math = convolution->math;
    *convolution = {{padding_h, padding_w},
                    {stride_h, stride_w},
                    {dilation_h, dilation_w},
                    groups,
                    mode,
                    compute,
                    math};
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t convolution, int groups)
{
    if (convolution == nullptr || groups < 1) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "%d groups", groups);
    }
    convolution->groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution,
                                          cudnnMathType_t math)
{
    if (convolution == nullptr || math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "math type %d", math);
    }
    convolution->math = math;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(cudnnConvolutionDescriptor_t convolution,
                                                    cudnnTensorDescriptor_t x,
                                                    cudnnFilterDescriptor_t filter, int *n, int *c,
                                                    int *h, int *w)
{
    if (convolution == nullptr || x == nullptr || filter == nullptr || n == nullptr ||
        c == nullptr || h == nullptr || w == nullptr || convolution->stride[0] == 0 ||
        x->c != convolution->groups * filter->c) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "the descriptors do not fit one another");
    }
    *n = x->n;
    *c = filter->k;
    *h = cudasim::output_size(*convolution, 0, x->h, filter->h);
    *w = cudasim::output_size(*convolution, 1, x->w, filter->w);
    return CUDNN_STATUS_SUCCESS;
}
}
