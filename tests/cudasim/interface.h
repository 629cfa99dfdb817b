/*
 * How the simulated libraries (cuBLASLt, cuDNN, cuFFT) and the kernels work with the simulated
 * device. A library's call checks its arguments at once, as the real one does, and submits the work
 * itself to a stream:
 *
 *     float alpha = *static_cast<const float *>(alpha_pointer); // host memory: read it now
 *     if (!cudasim::is_device(y, bytes)) {
 *         return SOME_STATUS_BAD_PARAM;
 *     }
 *     cudasim::submit(handle->stream, "cublasLtMatmul", [=] { ...reads and writes y... });
 *
 * The work runs later: at a synchronisation, or at each launch of the graph that it was captured
 * into. It may be run many times, so it captures by value all that it needs, descriptors included,
 * and never host pointers. Device memory can be read and written only while work runs.
 *
 * Calls may come from several threads; the simulator runs one at a time.
 */
#ifndef CUDASIM_INTERFACE_H
#define CUDASIM_INTERFACE_H

#include <cstddef>
#include <functional>

#include <cuda_runtime_api.h>
#include <library_types.h>

namespace cudasim
{
/*
 * Queues work on a stream, or records it where the stream is being captured. `what` names it in
 * messages and must live for ever (a literal). Returns what the real call would: work on a stream
 * whose capture is broken is refused; the error is then cudaGetLastError's, too.
 */
cudaError_t submit(cudaStream_t stream, const char *what, std::function<void()> work);

/* Whether the stream is being captured: allocation and synchronisation are then forbidden. */
bool is_capturing(cudaStream_t stream);

/* Whether [pointer, pointer + bytes) lies inside one live allocation of the device. */
bool is_device(const void *pointer, std::size_t bytes);

/* Whether the pointer lies anywhere in the device's address range, allocated or not. */
bool in_device_range(const void *pointer);

/*
 * Makes device memory accessible while it lives; may be nested. Submitted work has it already: this
 * is for what looks at device memory outside of a stream, which a real program cannot do.
 */
class DeviceAccess
{
  public:
    DeviceAccess();
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess &) = delete;
    DeviceAccess &operator=(const DeviceAccess &) = delete;
};

/* Elements of CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF and CUDA_R_64F arrays; any other type dies. */
std::size_t element_size(cudaDataType_t type);
float load(const void *array, cudaDataType_t type, std::size_t index);
void store(void *array, cudaDataType_t type, std::size_t index, float value);

/*
 * Writes NaN over device memory, for work to do to its workspace when it is done and to outputs
 * that a real library leaves undefined: nobody may come to rely on what is left there.
 */
void scribble(void *device, std::size_t bytes);

/* Prints "cudasim: ..." with the kernel, block and thread at work, and aborts: for what is
   undefined on a device and so has no error code. */
[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
} // namespace cudasim

#endif
