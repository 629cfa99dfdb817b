/* cuDNN's convolutions on the simulated device. cudnn.cpp says what they show and cannot show. */
#include <algorithm>
#include <cstdint>
#include <vector>

#include "tests/cudasim/convolution.h"
#include "tests/cudasim/cudnn_objects.h"
#include "tests/cudasim/interface.h"
#include "tests/cudasim/internal.h"

using cudasim::Convolution;
using cudasim::ConvolutionShape;
using cudasim::Descriptors;
using cudasim::Direction;
using cudasim::Precision;
using cudasim::Range;
using cudasim::refuse;

namespace
{
/* Bytes of the vectors that tensor-core kernels load. */
constexpr std::size_t data_alignment = 16;

ConvolutionShape shape_of(const Descriptors &given)
{
    auto size = [](int value) { return static_cast<std::size_t>(value); };
    const cudnnConvolutionStruct &convolution = *given.convolution;
    ConvolutionShape shape{size(given.x->n),
                           size(given.x->h),
                           size(given.x->w),
                           size(given.x->c),
                           size(given.w->k),
                           size(given.w->h),
                           size(given.w->w),
                           size(given.y->h),
                           size(given.y->w),
                           {},
                           {},
                           {},
                           size(convolution.groups)};
    for (int axis = 0; axis < 2; axis++) {
        shape.padding[axis] = size(convolution.padding[axis]);
        shape.stride[axis] = size(convolution.stride[axis]);
        shape.dilation[axis] = size(convolution.dilation[axis]);
    }
    return shape;
}

struct Algorithm {
    int number;
    bool deterministic;
    float milliseconds; /* sorts a search's results; negative if it is not supported */
};

constexpr float unsupported = -1;

/* The algorithms of the simulated library, none with DECAVOX_CUDASIM_CONVOLUTIONS=0. One is
   Winograd, whose transformation rounds more than a sum does. */
std::vector<Algorithm> supported_of(Direction direction)
{
    bool any = cudasim::setting("DECAVOX_CUDASIM_CONVOLUTIONS", "1") != "0";
    float faster = any ? 0.5f : unsupported, slower = any ? 1 : unsupported;
    switch (direction) {
    case Direction::forward:
        return {{CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, true, faster},
                {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, true, slower}};
    case Direction::backward_data:
        return {{CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED, true, faster},
                {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, false, faster},
                {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, true, slower}};
    default:
        return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, false, faster},
                {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, true, slower}};
    }
}

/* All algorithms of a direction, the fastest first. */
std::vector<Algorithm> algorithms_of(Direction direction)
{
    int count = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
    if (direction == Direction::backward_data) {
        count = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
    } else if (direction == Direction::backward_filter) {
        count = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
    }
    std::vector<Algorithm> list = supported_of(direction);
    for (int number = 2; number < count; number++) {
        if (direction == Direction::backward_data &&
            number == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED) {
            continue; /* listed already */
        }
        bool deterministic = direction != Direction::backward_filter ||
                             number != CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3;
        list.push_back({number, deterministic, unsupported});
    }
    return list;
}

cudnnStatus_t find_algorithm(Direction direction, int number, Algorithm *found)
{
    for (const Algorithm &algorithm : algorithms_of(direction)) {
        if (algorithm.number == number) {
            *found = algorithm;
            return algorithm.milliseconds != unsupported
                       ? CUDNN_STATUS_SUCCESS
                       : refuse(CUDNN_STATUS_NOT_SUPPORTED, "algorithm %d", number);
        }
    }
    return refuse(CUDNN_STATUS_BAD_PARAM, "no algorithm %d", number);
}

/* Bytes of workspace. Only number 1 of each direction needs it, for indices of patches, turned
   weights or partial sums. */
std::size_t workspace_of(Direction direction, int number, const ConvolutionShape &shape)
{
    if (number != 1) {
        return 0;
    }
    std::size_t words = direction == Direction::forward         ? shape.positions() + shape.patch()
                        : direction == Direction::backward_data ? shape.w_elements()
                                                                : 2 * shape.w_elements();
    return cudasim::workspace_bytes(words * sizeof(float));
}

cudnnStatus_t get_workspace(cudnnHandle_t handle, Direction direction, const Descriptors &given,
                            int number, std::size_t *bytes)
{
    Algorithm algorithm;
    cudnnStatus_t status = cudasim::check_descriptors(handle, given);
    if (status == CUDNN_STATUS_SUCCESS) {
        status = find_algorithm(direction, number, &algorithm);
    }
    if (status == CUDNN_STATUS_SUCCESS && bytes == nullptr) {
        status = refuse(CUDNN_STATUS_BAD_PARAM, "null pointer to a size");
    }
    if (status == CUDNN_STATUS_SUCCESS) {
        *bytes = workspace_of(direction, number, shape_of(given));
    }
    return status;
}

cudnnStatus_t count_algorithms(cudnnHandle_t handle, Direction direction, int *count)
{
    if (handle == nullptr || count == nullptr) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "null handle or count");
    }
    *count = static_cast<int>(algorithms_of(direction).size());
    return CUDNN_STATUS_SUCCESS;
}

/* The three kinds of results differ only in the type of `algo`. */
template <typename Result>
cudnnStatus_t list_algorithms(cudnnHandle_t handle, Direction direction, const Descriptors &given,
                              std::size_t workspace, bool measured, int requested, int *returned,
                              Result *results)
{
    cudnnStatus_t status = cudasim::check_descriptors(handle, given);
    if (status != CUDNN_STATUS_SUCCESS) {
        return status;
    }
    if (requested < 1 || returned == nullptr || results == nullptr) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "%d algorithms requested", requested);
    }
    std::vector<Result> list;
    for (const Algorithm &algorithm : algorithms_of(direction)) {
        Result result{};
        result.algo = static_cast<decltype(result.algo)>(algorithm.number);
        result.determinism =
            algorithm.deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
        result.mathType = given.convolution->math;
        result.memory = workspace_of(direction, algorithm.number, shape_of(given));
        result.status = algorithm.milliseconds == unsupported ? CUDNN_STATUS_NOT_SUPPORTED
                        : result.memory > workspace
                            ? CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
                            : CUDNN_STATUS_SUCCESS;
        bool works = result.status == CUDNN_STATUS_SUCCESS;
        result.time = measured && works ? algorithm.milliseconds : unsupported;
        list.push_back(result);
    }
    std::stable_partition(list.begin(), list.end(), [](const Result &result) {
        return result.status == CUDNN_STATUS_SUCCESS;
    });
    *returned = std::min(requested, static_cast<int>(list.size()));
    std::copy_n(list.begin(), *returned, results);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t check_operand(const char *name, const Range &range)
{
    if (range.start == nullptr || !range.aligned(data_alignment)) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "%s at %p is not aligned to %zu bytes", name,
                      range.start, data_alignment);
    }
    if (!range.on_device()) {
        return refuse(CUDNN_STATUS_EXECUTION_FAILED, "%s: no %zu bytes of device memory at %p",
                      name, range.bytes, range.start);
    }
    return CUDNN_STATUS_SUCCESS;
}

/* Checks the memory of operands and workspace. The output must not overlap any of them. */
cudnnStatus_t check_memory(const Convolution &call, std::size_t workspace_bytes)
{
    cudnnStatus_t status = check_operand("x", call.x_range());
    if (status == CUDNN_STATUS_SUCCESS) {
        status = check_operand("w", call.w_range());
    }
    if (status == CUDNN_STATUS_SUCCESS) {
        status = check_operand("y", call.y_range());
    }
    Range workspace{call.workspace, call.workspace_bytes};
    if (status == CUDNN_STATUS_SUCCESS && call.workspace_bytes > workspace_bytes) {
        status = refuse(CUDNN_STATUS_BAD_PARAM, "workspace of %zu bytes, %zu needed",
                        workspace_bytes, call.workspace_bytes);
    }
    if (status == CUDNN_STATUS_SUCCESS && call.workspace_bytes > 0) {
        status = check_operand("workspace", workspace);
    }
    if (status != CUDNN_STATUS_SUCCESS) {
        return status;
    }
    bool overlap = call.output().overlaps(workspace);
    for (const Range &input : call.inputs()) {
        overlap = overlap || input.overlaps(workspace) || input.overlaps(call.output());
    }
    return overlap ? refuse(CUDNN_STATUS_BAD_PARAM, "operands or the workspace overlap")
                   : CUDNN_STATUS_SUCCESS;
}

/* The data pointers of one call; the direction decides which one is the output. */
struct Pointers {
    const void *x, *w, *y;
    void *workspace;
    std::size_t workspace_bytes;
};

Convolution make_call(Direction direction, const Descriptors &given, const Pointers &pointers)
{
    Convolution call{};
    call.direction = direction;
    call.shape = shape_of(given);
    cudasim::to_cuda_type(given.x->type, &call.type);
    call.precision = given.convolution->math == CUDNN_FMA_MATH ? Precision::full : Precision::tf32;
    call.x = const_cast<void *>(pointers.x);
    call.w = const_cast<void *>(pointers.w);
    call.y = const_cast<void *>(pointers.y);
    call.workspace = pointers.workspace;
    return call;
}

cudnnStatus_t convolve(cudnnHandle_t handle, Direction direction, const Descriptors &given,
                       const Pointers &pointers, int number, const void *alpha, const void *beta)
{
    Algorithm algorithm;
    cudnnStatus_t status = cudasim::check_descriptors(handle, given);
    if (status == CUDNN_STATUS_SUCCESS) {
        status = find_algorithm(direction, number, &algorithm);
    }
    if (status != CUDNN_STATUS_SUCCESS) {
        return status;
    }
    if (alpha == nullptr || beta == nullptr || cudasim::in_device_range(alpha) ||
        cudasim::in_device_range(beta)) {
        return refuse(CUDNN_STATUS_BAD_PARAM, "alpha and beta must be in host memory");
    }
    if (cudasim::setting("DECAVOX_CUDASIM_CONVOLUTIONS", "1") == "uncaptured" && number == 1 &&
        cudasim::is_capturing(handle->stream)) {
        return refuse(CUDNN_STATUS_EXECUTION_FAILED_CUDART, "algorithm %d waits", number);
    }
    Convolution call = make_call(direction, given, pointers);
    call.alpha = *static_cast<const float *>(alpha);
    call.beta = *static_cast<const float *>(beta);
    call.workspace_bytes = workspace_of(direction, number, call.shape);
    call.runs = algorithm.deterministic ? nullptr : handle->runs;
    if (direction == Direction::backward_data &&
        number == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED) {
        call.precision = Precision::tf32;
    }
    status = check_memory(call, pointers.workspace_bytes);
    if (status != CUDNN_STATUS_SUCCESS) {
        return status;
    }
    bool breaks = cudasim::setting("DECAVOX_CUDASIM_CONVOLUTIONS", "1") == "fault";
    cudaError_t error = cudasim::submit(handle->stream, "cudnnConvolution", [call, breaks] {
        if (breaks) {
            cudasim::break_device(cudaErrorIllegalAddress);
        } else {
            cudasim::run_convolution(call);
        }
    });
    return error == cudaSuccess
               ? CUDNN_STATUS_SUCCESS
               : refuse(CUDNN_STATUS_EXECUTION_FAILED_CUDART, "CUDA error %d", error);
}

/* A search measures, so it allocates and waits, which a capture does not allow. */
cudnnStatus_t check_search(cudnnHandle_t handle, const Descriptors &given)
{
    cudnnStatus_t status = cudasim::check_descriptors(handle, given);
    if (status == CUDNN_STATUS_SUCCESS && cudasim::is_capturing(handle->stream)) {
        return refuse(CUDNN_STATUS_EXECUTION_FAILED_CUDART, "the stream is being captured");
    }
    return status;
}

/* A search in the caller's memory overwrites its output and its workspace. */
template <typename Result>
cudnnStatus_t search(cudnnHandle_t handle, Direction direction, const Descriptors &given,
                     const Pointers &pointers, int requested, int *returned, Result *results)
{
    cudnnStatus_t status = check_search(handle, given);
    if (status != CUDNN_STATUS_SUCCESS) {
        return status;
    }
    Convolution call = make_call(direction, given, pointers);
    call.workspace_bytes = pointers.workspace_bytes;
    status = check_memory(call, pointers.workspace_bytes);
    if (status == CUDNN_STATUS_SUCCESS) {
        status = list_algorithms(handle, direction, given, pointers.workspace_bytes, true,
                                 requested, returned, results);
    }
    if (status != CUDNN_STATUS_SUCCESS) {
        return status;
    }
    cudaError_t error = cudasim::submit(handle->stream, "cudnnFindConvolution", [call] {
        cudasim::require_on_device("cudnnFindConvolution", {call.output()});
        cudasim::scribble(const_cast<void *>(call.output().start), call.output().bytes);
        if (call.workspace_bytes > 0) {
            cudasim::scribble(call.workspace, call.workspace_bytes);
        }
    });
    return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED_CUDART;
}

template <typename Result>
cudnnStatus_t search_alone(cudnnHandle_t handle, Direction direction, const Descriptors &given,
                           int requested, int *returned, Result *results)
{
    cudnnStatus_t status = check_search(handle, given);
    return status == CUDNN_STATUS_SUCCESS ? list_algorithms(handle, direction, given, SIZE_MAX,
                                                            true, requested, returned, results)
                                          : status;
}
} // namespace

/*
 * The calls that differ between directions only in their names. `Name` and `Kind` are cuDNN's names
 * of the direction in functions and in types. The last arguments are the descriptors x, w,
 * convolution and y in the order of the direction.
 */
#define DIRECTION(Name, Kind, direction, ...)                                                      \
    cudnnStatus_t cudnnGetConvolution##Name##AlgorithmMaxCount(cudnnHandle_t handle, int *count)   \
    {                                                                                              \
        return count_algorithms(handle, direction, count);                                         \
    }                                                                                              \
    cudnnStatus_t cudnnGetConvolution##Name##Algorithm_v7(                                         \
        cudnnHandle_t handle, __VA_ARGS__, int requested, int *returned,                           \
        cudnnConvolution##Kind##AlgoPerf_t *results)                                               \
    {                                                                                              \
        return list_algorithms(handle, direction, {x, w, convolution, y}, SIZE_MAX, false,         \
                               requested, returned, results);                                      \
    }                                                                                              \
    cudnnStatus_t cudnnFindConvolution##Name##Algorithm(                                           \
        cudnnHandle_t handle, __VA_ARGS__, int requested, int *returned,                           \
        cudnnConvolution##Kind##AlgoPerf_t *results)                                               \
    {                                                                                              \
        return search_alone(handle, direction, {x, w, convolution, y}, requested, returned,        \
                            results);                                                              \
    }                                                                                              \
    cudnnStatus_t cudnnGetConvolution##Name##WorkspaceSize(                                        \
        cudnnHandle_t handle, __VA_ARGS__, cudnnConvolution##Kind##Algo_t algorithm,               \
        std::size_t *bytes)                                                                        \
    {                                                                                              \
        return get_workspace(handle, direction, {x, w, convolution, y}, algorithm, bytes);         \
    }

extern "C" {
DIRECTION(Forward, Fwd, Direction::forward, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
          cudnnConvolutionDescriptor_t convolution, cudnnTensorDescriptor_t y)
DIRECTION(BackwardData, BwdData, Direction::backward_data, cudnnFilterDescriptor_t w,
          cudnnTensorDescriptor_t y, cudnnConvolutionDescriptor_t convolution,
          cudnnTensorDescriptor_t x)
DIRECTION(BackwardFilter, BwdFilter, Direction::backward_filter, cudnnTensorDescriptor_t x,
          cudnnTensorDescriptor_t y, cudnnConvolutionDescriptor_t convolution,
          cudnnFilterDescriptor_t w)

/* In these calls descriptors and pointers alternate. */
cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_descriptor, const void *x,
    cudnnFilterDescriptor_t w_descriptor, const void *w, cudnnConvolutionDescriptor_t convolution,
    cudnnTensorDescriptor_t y_descriptor, void *y, int requested, int *returned,
    cudnnConvolutionFwdAlgoPerf_t *results, void *workspace, std::size_t workspace_bytes)
{
    return search(handle, Direction::forward,
                  {x_descriptor, w_descriptor, convolution, y_descriptor},
                  {x, w, y, workspace, workspace_bytes}, requested, returned, results);
}

cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(
    cudnnHandle_t handle, cudnnFilterDescriptor_t w_descriptor, const void *w,
    cudnnTensorDescriptor_t y_descriptor, const void *y, cudnnConvolutionDescriptor_t convolution,
    cudnnTensorDescriptor_t x_descriptor, void *x, int requested, int *returned,
    cudnnConvolutionBwdDataAlgoPerf_t *results, void *workspace, std::size_t workspace_bytes)
{
    return search(handle, Direction::backward_data,
                  {x_descriptor, w_descriptor, convolution, y_descriptor},
                  {x, w, y, workspace, workspace_bytes}, requested, returned, results);
}

cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(
    cudnnHandle_t handle, cudnnTensorDescriptor_t x_descriptor, const void *x,
    cudnnTensorDescriptor_t y_descriptor, const void *y, cudnnConvolutionDescriptor_t convolution,
    cudnnFilterDescriptor_t w_descriptor, void *w, int requested, int *returned,
    cudnnConvolutionBwdFilterAlgoPerf_t *results, void *workspace, std::size_t workspace_bytes)
{
    return search(handle, Direction::backward_filter,
                  {x_descriptor, w_descriptor, convolution, y_descriptor},
                  {x, w, y, workspace, workspace_bytes}, requested, returned, results);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha,
                                      cudnnTensorDescriptor_t x_descriptor, const void *x,
                                      cudnnFilterDescriptor_t w_descriptor, const void *w,
                                      cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void *workspace,
                                      std::size_t workspace_bytes, const void *beta,
                                      cudnnTensorDescriptor_t y_descriptor, void *y)
{
    return convolve(handle, Direction::forward,
                    {x_descriptor, w_descriptor, convolution, y_descriptor},
                    {x, w, y, workspace, workspace_bytes}, algorithm, alpha, beta);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha,
                                           cudnnFilterDescriptor_t w_descriptor, const void *w,
                                           cudnnTensorDescriptor_t y_descriptor, const void *y,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void *workspace,
                                           std::size_t workspace_bytes, const void *beta,
                                           cudnnTensorDescriptor_t x_descriptor, void *x)
{
    return convolve(handle, Direction::backward_data,
                    {x_descriptor, w_descriptor, convolution, y_descriptor},
                    {x, w, y, workspace, workspace_bytes}, algorithm, alpha, beta);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(
    cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_descriptor, const void *x,
    cudnnTensorDescriptor_t y_descriptor, const void *y, cudnnConvolutionDescriptor_t convolution,
    cudnnConvolutionBwdFilterAlgo_t algorithm, void *workspace, std::size_t workspace_bytes,
    const void *beta, cudnnFilterDescriptor_t w_descriptor, void *w)
{
    return convolve(handle, Direction::backward_filter,
                    {x_descriptor, w_descriptor, convolution, y_descriptor},
                    {x, w, y, workspace, workspace_bytes}, algorithm, alpha, beta);
}
}
