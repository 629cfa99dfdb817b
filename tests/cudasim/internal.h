/* What the files of the simulator share among themselves. */
#ifndef CUDASIM_INTERNAL_H
#define CUDASIM_INTERNAL_H

#include "tests/cudasim/interface.h"

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>

namespace cudasim
{
/* One thread of the program at a time is in the simulator. */
using Lock = std::lock_guard<std::recursive_mutex>;
std::recursive_mutex &simulator();

/* Remembers an error for cudaGetLastError and returns it; success is not remembered. */
cudaError_t fail(cudaError_t error);

/* A setting from the environment. */
std::string setting(const char *name, const char *otherwise);

/* ---- guards.cpp: bytes beside an allocation that nobody may touch ---- */

/* Under AddressSanitizer any access to a guarded range is reported at once; everywhere a write is
   found by the next is_intact. */
void guard(void *range, std::size_t bytes);
void unguard(void *range, std::size_t bytes);
bool is_intact(const void *range, std::size_t bytes);
/* No access, without a pattern: for freed memory. */
void forbid(void *range, std::size_t bytes);
/* 0xFF: a NaN as float, FP16 and BF16, -1 as an integer. */
void fill_nan(void *range, std::size_t bytes);

/* ---- memory.cpp ---- */

cudaError_t device_allocate(void **out, std::size_t bytes);
cudaError_t device_release(void *memory);
std::size_t device_memory_total();
std::size_t device_memory_used();
/* Dies where a guard of device memory was written over; `what` ran last. */
void check_device_guards(const char *what);

cudaError_t pinned_allocate(void **out, std::size_t bytes);
cudaError_t pinned_release(void *memory);
bool is_pinned(const void *pointer, std::size_t bytes);

/* ---- shared.cpp: the shared memory of the running block ---- */

constexpr std::size_t shared_default = 48 * 1024; /* without cudaFuncSetAttribute */
constexpr std::size_t shared_most = 99 * 1024;    /* with it, on the smallest devices */

void shared_begin_kernel(std::size_t dynamic_bytes, std::size_t limit);
void shared_begin_block();
void shared_end_block();
void shared_end_kernel();

/* ---- launch.cpp ---- */

/* "kernel NAME, block x,y,z, thread x,y,z", as far as there is one. */
std::string running_place();
void allow_shared(const void *kernel, std::size_t bytes);

/* ---- streams.cpp ---- */

/* Error of a call that a capture in progress forbids, and breaks it; else success. */
cudaError_t refuse_in_capture();
/* The same for work of one stream, where the stream is being captured. */
cudaError_t break_capture(cudaStream_t stream, cudaError_t error);
void finish(cudaStream_t stream);
/* As after a wrong access: from here on every wait fails, with this error. */
void break_device(cudaError_t error);
void finish_all();
} // namespace cudasim

#endif
