/* What the tests of the simulated device share: a stream and a little memory, and checked calls. */
#ifndef CUDASIM_TEST_DEVICE_H
#define CUDASIM_TEST_DEVICE_H

#include <cuda_runtime_api.h>
#include <stddef.h>

enum { COUNT = 64 };

typedef struct fixture {
    cudaStream_t stream;
    float *x, *y;      /* (COUNT) of the device; x holds 1, 2, ... */
    float host[COUNT]; /* pageable: 1, 2, ... */
    float *pinned;     /* (COUNT): 1, 2, ... */
} fixture;

/* cmocka's, for each test: *state is the fixture. */
int setup(void **state);
int teardown(void **state);

/* Fails the test with the error's name; a cudaError_t. */
void check(int status);

/* Device memory; the caller's to free. */
void *allocate(size_t bytes);

void upload(const fixture *f, void *to, const void *from, size_t bytes);

/* Waits for the stream. */
void download(const fixture *f, void *to, const void *from, size_t bytes);

#endif
