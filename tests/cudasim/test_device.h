/* Shared by the tests of the simulated device: a stream, a little memory, and checked calls. */
#ifndef CUDASIM_TEST_DEVICE_H
#define CUDASIM_TEST_DEVICE_H

#include <cuda_runtime_api.h>
#include <stddef.h>

enum { COUNT = 64 };

typedef struct fixture {
    cudaStream_t stream;
    float *x, *y;      /* (COUNT) in device memory; x holds 1, 2, ... */
    float host[COUNT]; /* 1, 2, ... in pageable memory */
    float *pinned;     /* (COUNT) 1, 2, ... in pinned memory */
} fixture;

/* cmocka's setup and teardown of each test. *state is the fixture. */
int setup(void **state);
int teardown(void **state);

/* Fails the test with the error's name if `status`, a cudaError_t, is an error. */
void check(int status);

/* Allocates device memory, which the caller frees. */
void *allocate(size_t bytes);

void upload(const fixture *f, void *to, const void *from, size_t bytes);

/* Waits for the stream. */
void download(const fixture *f, void *to, const void *from, size_t bytes);

#endif
