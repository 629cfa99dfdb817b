/*
 * The interface of the simulated device for the simulated libraries (cuBLASLt, cuDNN, cuFFT) and
 * the kernels. A library's call checks its arguments at once, as the real one does, and submits the
 * work itself to a stream:
 *
 *     float alpha = *static_cast<const float *>(alpha_pointer); // host memory: read it now
 *     if (!cudasim::is_device(y, bytes)) {
 *         return SOME_STATUS_BAD_PARAM;
 *     }
 *     cudasim::submit(handle->stream, "cublasLtMatmul", [=] { ...reads and writes y... });
 *
 * The work runs later, at a synchronisation or at each launch of the graph into which it was
 * captured. It may run many times, so it captures by value all that it needs, descriptors included,
 * and never host pointers. Device memory can be read and written only while work runs.
 *
 * Several threads may make calls; the simulator runs one call at a time.
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
 * Queues work on a stream, or records it if the stream is being captured. `what`, a literal, names
 * the work in messages. Returns the error of the real call: work on a stream whose capture is
 * broken is refused, and cudaGetLastError then returns the error, too.
 */
cudaError_t submit(cudaStream_t stream, const char *what, std::function<void()> work);

/* Whether the stream is being captured, which forbids allocation and synchronisation. */
bool is_capturing(cudaStream_t stream);

/* Whether [pointer, pointer + bytes) lies inside one live allocation of the device. */
bool is_device(const void *pointer, std::size_t bytes);

/* Whether the pointer lies anywhere in the device's address range, allocated or not. */
bool in_device_range(const void *pointer);

/*
 * Makes device memory accessible during its lifetime; may be nested. Submitted work has access
 * already. The class is for code that reads device memory outside of a stream, which a real program
 * cannot do.
 */
class DeviceAccess
{
  public:
    DeviceAccess();
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess &) = delete;
    DeviceAccess &operator=(const DeviceAccess &) = delete;
};

/* Access to elements of CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF and CUDA_R_64F arrays. Any other type
   ends the program. */
std::size_t element_size(cudaDataType_t type);
float load(const void *array, cudaDataType_t type, std::size_t index);
void store(void *array, cudaDataType_t type, std::size_t index, float value);

/*
 * Fills device memory with NaN. Work does so to its workspace at its end, and to outputs that a
 * real library leaves undefined, so that no program relies on their content.
 */
void scribble(void *device, std::size_t bytes);

/* Prints "cudasim: ..." with the running kernel, block and thread, and aborts. For faults that are
   undefined on a device and so have no error code. */
[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
} // namespace cudasim

#endif
