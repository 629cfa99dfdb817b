/* Shared by the files of the simulator. */
#ifndef CUDASIM_INTERNAL_H
#define CUDASIM_INTERNAL_H

#include "tests/cudasim/interface.h"

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>

namespace cudasim
{
/* Held by the one thread of the program that is in the simulator. */
using Lock = std::lock_guard<std::recursive_mutex>;
std::recursive_mutex &simulator();

/* Remembers an error for cudaGetLastError and returns it; success is not remembered. */
cudaError_t fail(cudaError_t error);

/* A setting from the environment, by default `otherwise`. */
std::string setting(const char *name, const char *otherwise);

/* ---- guards.cpp, the bytes beside an allocation that nobody may touch ---- */

/* AddressSanitizer reports any access to a guarded range at once. Without it, the next is_intact
   finds a write. */
void guard(void *range, std::size_t bytes);
void unguard(void *range, std::size_t bytes);
bool is_intact(const void *range, std::size_t bytes);
/* Forbids access without writing a pattern, for freed memory. */
void forbid(void *range, std::size_t bytes);
/* Fills with 0xFF, which is a NaN as float, FP16 and BF16, and -1 as an integer. */
void fill_nan(void *range, std::size_t bytes);

/* ---- memory.cpp ---- */

cudaError_t device_allocate(void **out, std::size_t bytes);
cudaError_t device_release(void *memory);
std::size_t device_memory_total();
std::size_t device_memory_used();
/* Ends the program if a guard of device memory was overwritten. `what` names the last work. */
void check_device_guards(const char *what);

cudaError_t pinned_allocate(void **out, std::size_t bytes);
cudaError_t pinned_release(void *memory);
bool is_pinned(const void *pointer, std::size_t bytes);

/* ---- shared.cpp, the shared memory of the running block ---- */

constexpr std::size_t shared_default = 48 * 1024; /* limit without cudaFuncSetAttribute */
constexpr std::size_t shared_most = 99 * 1024;    /* limit with it, on the smallest devices */

void shared_begin_kernel(std::size_t dynamic_bytes, std::size_t limit);
void shared_begin_block();
void shared_end_block();
void shared_end_kernel();

/* ---- launch.cpp ---- */

/* "kernel NAME, block x,y,z, thread x,y,z", or the part of it that exists. */
std::string running_place();
void allow_shared(const void *kernel, std::size_t bytes);

/* ---- streams.cpp ---- */

/* For calls that a capture forbids: breaks a capture in progress and returns its error, or else
   success. */
cudaError_t refuse_in_capture();
/* The same for work of one stream: breaks the stream's capture and returns `error`. */
cudaError_t break_capture(cudaStream_t stream, cudaError_t error);
void finish(cudaStream_t stream);
/* Makes every later wait fail with this error, as after a wrong access. */
void break_device(cudaError_t error);
void finish_all();
} // namespace cudasim

#endif
