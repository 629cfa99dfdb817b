/*
 * The open CUDA device and the checks of library calls. Only files of the CUDA module include it
 * (backend_cuda.c, engine/ops/<op>/cuda.c). The module is built against the real libraries or
 * against the tests' simulated device.
 *
 * All work of a context goes to its one stream. After plan, implementations neither allocate nor
 * synchronise.
 */
#ifndef DV_DEVICE_CUDA_DEVICE_H
#define DV_DEVICE_CUDA_DEVICE_H

#include "engine/core/context.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

enum {
    DV_CUDA_PARTIAL = 1 << 16, /* bytes of dv_cuda_device.partial */
    DV_CUDA_PINNED = 1 << 12,  /* bytes of dv_cuda_device.pinned */
    DV_CUDA_CHOICES = 512,
    DV_CUDA_CHOICE_KEY = 18,
};

/* An algorithm that was chosen by trying. */
typedef struct dv_cuda_choice {
    int32_t key[DV_CUDA_CHOICE_KEY]; /* the problem in numbers */
    int32_t algorithm, math;
} dv_cuda_choice;

typedef struct dv_cuda_device {
    int index; /* N of cuda:N */
    cudaStream_t stream;
    cudnnHandle_t cudnn; /* bound to the stream */
    cublasLtHandle_t cublas;
    int multiprocessors;
    size_t workspace;                        /* largest scratch of a library call, in bytes */
    void *partial;                           /* device memory for reductions over whole buffers */
    void *pinned;                            /* host memory for small downloads */
    dv_cuda_choice choices[DV_CUDA_CHOICES]; /* see cuda_choices.h */
    int choice_count; /* choices ever made; beyond DV_CUDA_CHOICES the oldest are overwritten */
} dv_cuda_device;

static inline dv_cuda_device *dv_cuda_device_of(const dv_context *context)
{
    return context->device;
}

static inline cudaStream_t dv_cuda_stream(const dv_node_step *step)
{
    return dv_cuda_device_of(step->context)->stream;
}

/* Bytes rounded up to a multiple of 256, where parts of scratch or saved memory begin. */
static inline size_t dv_cuda_aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/* Check the status of a library call. Out of memory is DV_ENOMEM, any other failure DV_EDEVICE. The
   message has the text of the call, its status and the status's meaning. `error` is a cudaError_t,
   which launchers return too. */
dv_status dv_cuda_check(int error, const char *call);
dv_status dv_cudnn_check(cudnnStatus_t status, const char *call);
dv_status dv_cublas_check(cublasStatus_t status, const char *call);

/* Return from the calling function if the call fails, in every build type. The message names the
   call. dv_plan_forward or dv_fail_within adds op, layer and shapes. */
#define DV_CUDA(call) DV_TRY(dv_cuda_check((int)(call), #call))
#define DV_CUDNN(call) DV_TRY(dv_cudnn_check((call), #call))
#define DV_CUBLAS(call) DV_TRY(dv_cublas_check((call), #call))

#endif
