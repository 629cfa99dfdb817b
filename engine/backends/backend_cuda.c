/* The CUDA backend: device memory, one stream, cuDNN and cuBLASLt. The file is also compiled for
   the tests' simulated device (DV_CUDASIM). */
#include "engine/backends/module.h"
#include "engine/device/cuda_choices.h"
#include "engine/ops/cuda.h"
#include "engine/ops/ops.h"
#include "engine/optimizer/optimizer.h"
#include "kernels/convert.h"
#include "kernels/elementwise.h"

#include <cufft.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef DV_CUDASIM
#define BACKEND_NAME "cudasim"
#else
#define BACKEND_NAME "cuda"
#endif

/* The largest workspace of one call of cuDNN or cuBLASLt. It suffices for spoken words. */
#define WORKSPACE_BYTES ((size_t)64 << 20)

/* ---- Checks ---- */

dv_status dv_cuda_check(int error, const char *call)
{
    if (error == cudaSuccess)
        return DV_OK;
    (void)cudaGetLastError(); /* or the next call would report the error again */
    return DV_FAIL(error == cudaErrorMemoryAllocation ? DV_ENOMEM : DV_EDEVICE,
                   "%s: CUDA error %d: %s", call, error, cudaGetErrorString((cudaError_t)error));
}

dv_status dv_cudnn_check(cudnnStatus_t status, const char *call)
{
    if (status == CUDNN_STATUS_SUCCESS)
        return DV_OK;
    return DV_FAIL(status == CUDNN_STATUS_ALLOC_FAILED ? DV_ENOMEM : DV_EDEVICE,
                   "%s: cuDNN status %d: %s", call, (int)status, cudnnGetErrorString(status));
}

dv_status dv_cublas_check(cublasStatus_t status, const char *call)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return DV_OK;
    return DV_FAIL(status == CUBLAS_STATUS_ALLOC_FAILED ? DV_ENOMEM : DV_EDEVICE,
                   "%s: cuBLASLt status %d: %s", call, (int)status,
                   cublasLtGetStatusString(status));
}

/* ---- Devices ---- */

/* A version number of CUDA is 1000 major + 10 minor. */
static dv_status old_driver(void)
{
    int driver = 0, runtime = 0;
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return DV_FAIL(
            DV_EDEVICE,
            "there is no NVIDIA driver, and this build needs one for CUDA %d.%d or later",
            runtime / 1000, runtime % 1000 / 10);
    return DV_FAIL(DV_EDEVICE,
                   "the NVIDIA driver is too old: it is made for CUDA %d.%d, and this build needs "
                   "CUDA %d.%d: install a newer driver",
                   driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
}

static dv_status count_devices(int *count)
{
    *count = 0;
    cudaError_t error = cudaGetDeviceCount(count);
    if (error == cudaErrorInsufficientDriver)
        return old_driver();
    if (error == cudaErrorNoDevice || (error == cudaSuccess && *count == 0))
        return DV_FAIL(DV_EDEVICE, "the NVIDIA driver sees no GPU");
    return dv_cuda_check((int)error, "cudaGetDeviceCount(count)");
}

static dv_status check_index(int index)
{
    int count;
    DV_TRY(count_devices(&count));
    if (index >= count)
        return DV_FAIL(DV_EDEVICE, "there is no CUDA device %d: the driver sees %d, from 0 to %d",
                       index, count, count - 1);
    return DV_OK;
}

static dv_status describe(int index, char *text, size_t size, int *count)
{
    DV_TRY(count_devices(count));
    DV_TRY(check_index(index));
    struct cudaDeviceProp device;
    DV_CUDA(cudaGetDeviceProperties(&device, index));
    snprintf(text, size, "%s, compute capability %d.%d, %d multiprocessors, %zu MiB", device.name,
             device.major, device.minor, device.multiProcessorCount, device.totalGlobalMem >> 20);
    return DV_OK;
}

static const char *version(void)
{
    static _Thread_local char text[192];
    int runtime = 0, cufft = 0;
    (void)cudaRuntimeGetVersion(&runtime);
    (void)cufftGetVersion(&cufft);
    size_t cudnn = cudnnGetVersion(), cublas = cublasLtGetVersion();
    snprintf(text, sizeof text,
             "CUDA %d.%d, cuDNN %zu.%zu.%zu, cuBLASLt %zu.%zu.%zu, cuFFT %d.%d.%d", runtime / 1000,
             runtime % 1000 / 10, cudnn / 10000, cudnn % 10000 / 100, cudnn % 100, cublas / 10000,
             cublas % 10000 / 100, cublas % 100, cufft / 1000, cufft % 1000 / 100, cufft % 100);
    return text;
}

/* ---- Open and close ---- */

static void close_device(dv_context *context)
{
    dv_cuda_device *device = context->device;
    (void)cudaSetDevice(device->index);
    if (device->cublas != NULL)
        (void)cublasLtDestroy(device->cublas);
    if (device->cudnn != NULL)
        (void)cudnnDestroy(device->cudnn);
    (void)cudaFree(device->partial);
    (void)cudaFreeHost(device->pinned);
    if (device->stream != NULL)
        (void)cudaStreamDestroy(device->stream);
    free(device);
    context->device = NULL;
}

static dv_status start(dv_cuda_device *device)
{
    DV_TRY(check_index(device->index));
    DV_CUDA(cudaSetDevice(device->index));
    DV_CUDA(cudaDeviceGetAttribute(&device->multiprocessors, cudaDevAttrMultiProcessorCount,
                                   device->index));
    DV_CUDA(cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking));
    DV_CUDNN(cudnnCreate(&device->cudnn));
    DV_CUDNN(cudnnSetStream(device->cudnn, device->stream));
    DV_CUBLAS(cublasLtCreate(&device->cublas));
    DV_CUDA(cudaMalloc(&device->partial, DV_CUDA_PARTIAL));
    DV_CUDA(cudaMallocHost(&device->pinned, DV_CUDA_PINNED));
    return DV_OK;
}

static dv_status open_device(dv_context *context)
{
    dv_cuda_device *device;
    DV_TRY(dv_calloc(1, sizeof *device, &device));
    device->index = context->device_index;
    device->workspace = WORKSPACE_BYTES;
    context->device = device;
    dv_status status = start(device);
    if (status != DV_OK)
        close_device(context);
    return status;
}

/* ---- Memory. Each thread has its own current device, and another thread than the one that opened
   a context may use it. So every plan and every run begins with one of these functions. ---- */

static dv_status enter(dv_context *context)
{
    DV_CUDA(cudaSetDevice(dv_cuda_device_of(context)->index));
    return DV_OK;
}

static dv_status out_of_memory(const dv_context *context, size_t bytes)
{
    size_t available = 0, total = 0;
    (void)cudaGetLastError();
    (void)cudaMemGetInfo(&available, &total);
    return DV_FAIL(DV_ENOMEM,
                   "out of memory on CUDA device %d: %zu bytes asked for, %zu of %zu free",
                   dv_cuda_device_of(context)->index, bytes, available, total);
}

static void release(dv_context *context, void *memory)
{
    if (memory == NULL || enter(context) != DV_OK)
        return;
    (void)cudaFree(memory);
}

/* Waits for the stream, because other contexts use the parameters on streams of their own. */
static dv_status synchronize(dv_context *context)
{
    DV_CUDA(cudaStreamSynchronize(dv_cuda_device_of(context)->stream));
    return DV_OK;
}

static dv_status zero(dv_context *context, void *memory, size_t bytes)
{
    DV_CUDA(cudaMemsetAsync(memory, 0, bytes, dv_cuda_device_of(context)->stream));
    return synchronize(context);
}

static dv_status allocate(dv_context *context, size_t bytes, void **out)
{
    *out = NULL;
    DV_TRY(enter(context));
    void *memory = NULL;
    size_t size = bytes > 0 ? bytes : 1;
    cudaError_t error = cudaMalloc(&memory, size);
    if (error == cudaErrorMemoryAllocation)
        return out_of_memory(context, bytes);
    DV_TRY(dv_cuda_check((int)error, "cudaMalloc(&memory, size)"));
    dv_status status = zero(context, memory, size);
    if (status != DV_OK) {
        release(context, memory);
        return status;
    }
    *out = memory;
    return DV_OK;
}

static dv_status transfer(dv_context *context, void *destination, const void *source, size_t bytes,
                          enum cudaMemcpyKind kind)
{
    DV_TRY(enter(context));
    DV_CUDA(cudaMemcpyAsync(destination, source, bytes, kind, dv_cuda_device_of(context)->stream));
    return DV_OK;
}

static dv_status upload(dv_context *context, void *device, const void *host, size_t bytes)
{
    DV_TRY(transfer(context, device, host, bytes, cudaMemcpyHostToDevice));
    return synchronize(context);
}

/* Small downloads, such as the metrics of a run, are frequent and go through pinned memory. */
static dv_status download(dv_context *context, void *host, const void *device, size_t bytes)
{
    bool pinned = bytes <= DV_CUDA_PINNED;
    void *to = pinned ? dv_cuda_device_of(context)->pinned : host;
    DV_TRY(transfer(context, to, device, bytes, cudaMemcpyDeviceToHost));
    DV_TRY(synchronize(context));
    if (pinned)
        memcpy(host, to, bytes);
    return DV_OK;
}

static dv_status copy(dv_context *context, void *destination, const void *source, size_t bytes)
{
    return transfer(context, destination, source, bytes, cudaMemcpyDeviceToDevice);
}

static dv_status pin(dv_context *context, size_t bytes, void **out)
{
    *out = NULL;
    DV_TRY(enter(context));
    DV_CUDA(cudaMallocHost(out, bytes));
    memset(*out, 0, bytes);
    return DV_OK;
}

static void unpin(dv_context *context, void *pinned)
{
    if (enter(context) == DV_OK)
        (void)cudaFreeHost(pinned);
}

static dv_status send(dv_context *context, void *device, const void *pinned, size_t bytes)
{
    return transfer(context, device, pinned, bytes, cudaMemcpyHostToDevice);
}

static dv_status fetch(dv_context *context, void *pinned, const void *device, size_t bytes)
{
    return transfer(context, pinned, device, bytes, cudaMemcpyDeviceToHost);
}

static dv_status fill(dv_context *context, void *destination, double value, int64_t count)
{
    DV_TRY(enter(context));
    const dv_cuda_device *device = dv_cuda_device_of(context);
    DV_CUDA(dv_launch_fill(destination, value, count, device->stream));
    return DV_OK;
}

static dv_status accumulate(dv_context *context, dv_dtype dtype, void *into, const void *from,
                            int64_t count)
{
    const dv_cuda_device *device = dv_cuda_device_of(context);
    DV_CUDA(dv_launch_accumulate(dtype, into, from, count, device->stream));
    return DV_OK;
}

static dv_status convert(dv_context *context, const dv_conversion *conversion)
{
    size_t bytes = (size_t)conversion->count * dv_dtype_size(conversion->to.dtype);
    if (dv_conversion_copies(conversion))
        return copy(context, conversion->into, conversion->source, bytes);
    DV_TRY(enter(context));
    DV_CUDA(dv_launch_convert(conversion, dv_cuda_device_of(context)->stream));
    return DV_OK;
}

/* ---- Recording into a CUDA graph. With ThreadLocal, other threads may use the device meanwhile.
   ---- */

static dv_status capture(dv_context *context)
{
    DV_TRY(enter(context));
    DV_CUDA(cudaStreamBeginCapture(dv_cuda_device_of(context)->stream,
                                   cudaStreamCaptureModeThreadLocal));
    return DV_OK;
}

/* Keeps the graph beside the executable, because only the graph tells its nodes. */
typedef struct cuda_captured {
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    size_t nodes;
} cuda_captured;

static void drop_captured(cuda_captured *captured)
{
    if (captured->executable != NULL)
        (void)cudaGraphExecDestroy(captured->executable);
    if (captured->graph != NULL)
        (void)cudaGraphDestroy(captured->graph);
    free(captured);
}

static dv_status finish_capture(dv_context *context, cuda_captured *captured)
{
    DV_CUDA(cudaStreamEndCapture(dv_cuda_device_of(context)->stream, &captured->graph));
    DV_CUDA(cudaGraphGetNodes(captured->graph, NULL, &captured->nodes));
    DV_CUDA(cudaGraphInstantiate(&captured->executable, captured->graph, 0));
    dv_log_write(&context->log, DV_LOG_DEBUG, "recorded: %zu nodes", captured->nodes);
    return DV_OK;
}

static dv_status end_capture(dv_context *context, void **out)
{
    cuda_captured *captured;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *captured, &captured));
    dv_status status = finish_capture(context, captured);
    if (status != DV_OK)
        drop_captured(captured);
    else
        *out = captured;
    return status;
}

static dv_status replay(dv_context *context, void *captured)
{
    const cuda_captured *self = captured;
    DV_TRY(enter(context));
    DV_CUDA(cudaGraphLaunch(self->executable, dv_cuda_device_of(context)->stream));
    return DV_OK;
}

static void release_captured(dv_context *context, void *captured)
{
    if (captured != NULL && enter(context) == DV_OK)
        drop_captured(captured);
}

static size_t captured_nodes(const void *captured)
{
    return ((const cuda_captured *)captured)->nodes;
}

static dv_status captured_dot(dv_context *context, const void *captured, const char *path)
{
    const cuda_captured *self = captured;
    DV_TRY(enter(context));
    dv_status status =
        dv_cuda_check((int)cudaGraphDebugDotPrint(self->graph, path, cudaGraphDebugDotFlagsVerbose),
                      "cudaGraphDebugDotPrint(graph, path, verbose)");
    return status == DV_OK ? DV_OK : dv_fail_within(status, "%s", path);
}

/* ---- The table ---- */

static const dv_impl *const impls[DV_OP_COUNT] = {
#define DV_OP(name) [DV_OP_##name] = &dv_##name##_cuda,
#include "engine/ops/ops.def"
#undef DV_OP
};

static const dv_backend backend_cuda = {
    .name = BACKEND_NAME,
    .real_size = sizeof(float),
    .host_memory = false,
    .values = 1U << DV_F32 | 1U << DV_F16 | 1U << DV_BF16,
    .tf32 = true,
    .open = open_device,
    .close = close_device,
    .enter = enter,
    .version = version,
    .describe = describe,
    .impls = impls,
    .optimizer = &dv_optimizer_cuda,
    .allocate = allocate,
    .release = release,
    .upload = upload,
    .download = download,
    .wait = synchronize,
    .copy = copy,
    .pin = pin,
    .unpin = unpin,
    .send = send,
    .fetch = fetch,
    .fill = fill,
    .accumulate = accumulate,
    .convert = convert,
    .capture = capture,
    .end_capture = end_capture,
    .replay = replay,
    .release_captured = release_captured,
    .write_choices = dv_cuda_choices_write,
    .read_choices = dv_cuda_choices_read,
    .captured_nodes = captured_nodes,
    .captured_dot = captured_dot,
};

DV_API const dv_backend *dv_module_open(const dv_module_host *host);

const dv_backend *dv_module_open(const dv_module_host *host)
{
    return dv__module_bind(host) ? &backend_cuda : NULL;
}
