/*
 * What the CUDA implementations share: the opened device and the checks of library calls. Included
 * only by files of the CUDA module (backend_cuda.c, engine/ops/<op>/cuda.c), which is built against
 * the real libraries or against the simulated device of the tests.
 *
 * All work of a context goes to its one stream. Implementations allocate nothing and synchronise
 * nothing after plan.
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

/* An algorithm that was found by trying, and in numbers what for. */
typedef struct dv_cuda_choice {
    int32_t key[DV_CUDA_CHOICE_KEY];
    int32_t algorithm, math;
} dv_cuda_choice;

typedef struct dv_cuda_device {
    int index; /* N of cuda:N */
    cudaStream_t stream;
    cudnnHandle_t cudnn; /* bound to the stream */
    cublasLtHandle_t cublas;
    int multiprocessors;
    size_t workspace;                        /* bytes of scratch that a library call may ask for */
    void *partial;                           /* device memory for reductions over whole buffers */
    void *pinned;                            /* host memory for small downloads */
    dv_cuda_choice choices[DV_CUDA_CHOICES]; /* so that the same is measured once */
    int choice_count; /* ever made: beyond DV_CUDA_CHOICES the oldest are overwritten */
} dv_cuda_device;

static inline dv_cuda_device *dv_cuda_device_of(const dv_context *context)
{
    return context->device;
}

static inline cudaStream_t dv_cuda_stream(const dv_node_step *step)
{
    return dv_cuda_device_of(step->context)->stream;
}

/* Bytes that each sub-buffer of scratch or saved memory begins at a multiple of. */
static inline size_t dv_cuda_aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/* DV_OK, or a failure whose message has the text of the call, its status and what that means.
   The error of a CUDA call is a cudaError_t: also what launchers return. Out of memory is
   DV_ENOMEM, all else DV_EDEVICE. */
dv_status dv_cuda_check(int error, const char *call);
dv_status dv_cudnn_check(cudnnStatus_t status, const char *call);
dv_status dv_cublas_check(cublasStatus_t status, const char *call);

/* Leave the function where the call fails; in every build type. The message names the call; op,
   layer and shapes come from above (dv_plan_forward) or from dv_fail_within. */
#define DV_CUDA(call) DV_TRY(dv_cuda_check((int)(call), #call))
#define DV_CUDNN(call) DV_TRY(dv_cudnn_check((call), #call))
#define DV_CUBLAS(call) DV_TRY(dv_cublas_check((call), #call))

#endif
