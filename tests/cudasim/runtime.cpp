/* The CUDA runtime's calls for devices, memory and errors; streams.cpp has the others. */
#include "tests/cudasim/internal.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace cudasim
{
namespace
{
thread_local cudaError_t last_error = cudaSuccess;
thread_local int chosen_device;

int device_count()
{
    return std::atoi(setting("DECAVOX_CUDASIM_DEVICES", "1").c_str());
}

struct ErrorText {
    cudaError_t error;
    const char *name;
    const char *text;
};

const ErrorText error_texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
     "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream as it began"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined",
     "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capturing stream"},
};

const ErrorText &text_of(cudaError_t error)
{
    static const ErrorText unknown = {cudaErrorUnknown, "unrecognized error code",
                                      "unrecognized error code"};
    for (const ErrorText &entry : error_texts) {
        if (entry.error == error) {
            return entry;
        }
    }
    return unknown;
}

/* Whether the direction fits the pointers and each device range lies inside one allocation. */
bool is_valid_copy(const void *to, const void *from, std::size_t bytes, cudaMemcpyKind kind)
{
    const bool to_device = in_device_range(to);
    const bool from_device = in_device_range(from);
    const bool right = kind == cudaMemcpyDefault ||
                       (kind == cudaMemcpyHostToHost && !to_device && !from_device) ||
                       (kind == cudaMemcpyHostToDevice && to_device && !from_device) ||
                       (kind == cudaMemcpyDeviceToHost && !to_device && from_device) ||
                       (kind == cudaMemcpyDeviceToDevice && to_device && from_device);
    return right && (!to_device || is_device(to, bytes)) &&
           (!from_device || is_device(from, bytes));
}

/*
 * A real copy from pageable memory is staged, so the source may change after the call. A copy to
 * pageable memory is complete when the call returns. A capture refuses both: a graph would read and
 * write memory that may be gone by then.
 */
cudaError_t copy_pageable(void *to, const void *from, std::size_t bytes, cudaStream_t stream)
{
    if (is_capturing(stream)) {
        return break_capture(stream, cudaErrorStreamCaptureUnsupported);
    }
    if (!in_device_range(from)) {
        const char *start = static_cast<const char *>(from);
        const auto staged = std::make_shared<std::vector<char>>(start, start + bytes);
        return submit(stream, "cudaMemcpyAsync", [=] { std::memcpy(to, staged->data(), bytes); });
    }
    const cudaError_t error =
        submit(stream, "cudaMemcpyAsync", [=] { std::memcpy(to, from, bytes); });
    finish(stream);
    return error;
}

bool is_pageable(const void *pointer, std::size_t bytes)
{
    return !in_device_range(pointer) && !is_pinned(pointer, bytes);
}
} // namespace

cudaError_t fail(cudaError_t error)
{
    last_error = error;
    return error;
}

std::string setting(const char *name, const char *otherwise)
{
    const char *value = std::getenv(name);
    return value == nullptr ? otherwise : value;
}
} // namespace cudasim

using namespace cudasim;

static cudaError_t result(cudaError_t error)
{
    return error == cudaSuccess ? error : fail(error);
}

/* ---- Errors and versions ---- */

cudaError_t cudaGetLastError(void)
{
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

const char *cudaGetErrorName(cudaError_t error)
{
    return text_of(error).name;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return text_of(error).text;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

/* Without a driver the version is 0 and devices cannot be counted. */
static bool has_driver()
{
    return setting("DECAVOX_CUDASIM_DRIVER", "1") != "0";
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = has_driver() ? CUDART_VERSION : 0;
    return cudaSuccess;
}

/* ---- Devices ---- */

cudaError_t cudaGetDeviceCount(int *count)
{
    if (!has_driver()) {
        return fail(cudaErrorInsufficientDriver);
    }
    *count = device_count();
    return *count > 0 ? cudaSuccess : fail(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device)
{
    if (device < 0 || device >= device_count()) {
        return fail(cudaErrorInvalidDevice);
    }
    chosen_device = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = chosen_device;
    return cudaSuccess;
}

/* The properties of the smallest device that the kernels are built for. */
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    if (device < 0 || device >= device_count()) {
        return fail(cudaErrorInvalidDevice);
    }
    std::memset(properties, 0, sizeof *properties);
    std::snprintf(properties->name, sizeof properties->name, "simulated device");
    properties->major = 8;
    properties->minor = 6;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->multiProcessorCount = 4;
    properties->totalGlobalMem = device_memory_total();
    properties->sharedMemPerBlock = shared_default;
    properties->sharedMemPerBlockOptin = shared_most;
    properties->textureAlignment = 512;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    cudaDeviceProp properties;
    const cudaError_t error = cudaGetDeviceProperties(&properties, device);
    if (error != cudaSuccess) {
        return error;
    }
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
        *value = properties.major;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = properties.minor;
        return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
        *value = properties.multiProcessorCount;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(shared_most);
        return cudaSuccess;
    default:
        return fail(cudaErrorNotSupported);
    }
}

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
    const Lock lock(simulator());
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 ||
        static_cast<std::size_t>(value) > shared_most) {
        return fail(cudaErrorInvalidValue);
    }
    allow_shared(kernel, static_cast<std::size_t>(value));
    return cudaSuccess;
}

/* ---- Memory ---- */

cudaError_t cudaMalloc(void **out, std::size_t bytes)
{
    const Lock lock(simulator());
    const cudaError_t error = refuse_in_capture();
    return error != cudaSuccess ? error : result(device_allocate(out, bytes));
}

/* Freeing waits for the device, as the real call does. */
cudaError_t cudaFree(void *memory)
{
    const Lock lock(simulator());
    if (memory == nullptr) {
        return cudaSuccess;
    }
    const cudaError_t error = refuse_in_capture();
    if (error != cudaSuccess) {
        return error;
    }
    finish_all();
    return result(device_release(memory));
}

cudaError_t cudaHostAlloc(void **out, std::size_t bytes, unsigned flags)
{
    const Lock lock(simulator());
    (void)flags;
    const cudaError_t error = refuse_in_capture();
    return error != cudaSuccess ? error : result(pinned_allocate(out, bytes));
}

cudaError_t cudaMallocHost(void **out, std::size_t bytes)
{
    return cudaHostAlloc(out, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void *memory)
{
    const Lock lock(simulator());
    if (memory == nullptr) {
        return cudaSuccess;
    }
    const cudaError_t error = refuse_in_capture();
    if (error != cudaSuccess) {
        return error;
    }
    finish_all();
    return result(pinned_release(memory));
}

cudaError_t cudaMemGetInfo(std::size_t *free_bytes, std::size_t *total_bytes)
{
    const Lock lock(simulator());
    *total_bytes = device_memory_total();
    *free_bytes = *total_bytes - device_memory_used();
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const Lock lock(simulator());
    if (bytes == 0) {
        return cudaSuccess;
    }
    if (!is_valid_copy(to, from, bytes, kind)) {
        return fail(cudaErrorInvalidValue);
    }
    if (is_pageable(to, bytes) || is_pageable(from, bytes)) {
        return copy_pageable(to, from, bytes, stream);
    }
    return submit(stream, "cudaMemcpyAsync", [=] { std::memcpy(to, from, bytes); });
}

cudaError_t cudaMemcpy(void *to, const void *from, std::size_t bytes, cudaMemcpyKind kind)
{
    const Lock lock(simulator());
    const cudaError_t error = refuse_in_capture();
    return error != cudaSuccess ? error : cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

cudaError_t cudaMemsetAsync(void *memory, int value, std::size_t bytes, cudaStream_t stream)
{
    const Lock lock(simulator());
    if (bytes == 0) {
        return cudaSuccess;
    }
    if (!is_device(memory, bytes)) {
        return fail(cudaErrorInvalidValue);
    }
    return submit(stream, "cudaMemsetAsync", [=] { std::memset(memory, value, bytes); });
}

cudaError_t cudaMemset(void *memory, int value, std::size_t bytes)
{
    const Lock lock(simulator());
    const cudaError_t error = refuse_in_capture();
    return error != cudaSuccess ? error : cudaMemsetAsync(memory, value, bytes, nullptr);
}
