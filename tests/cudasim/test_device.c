#include "tests/cudasim/test_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

void check(int status)
{
    if (status != 0) {
        fail_msg("%s", cudaGetErrorName((cudaError_t)status));
    }
}

void *allocate(size_t bytes)
{
    void *memory = NULL;
    check((int)cudaMalloc(&memory, bytes));
    return memory;
}

void upload(const fixture *f, void *to, const void *from, size_t bytes)
{
    check((int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, f->stream));
}

void download(const fixture *f, void *to, const void *from, size_t bytes)
{
    check((int)cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, f->stream));
    check((int)cudaStreamSynchronize(f->stream));
}

int setup(void **state)
{
    fixture *f = test_calloc(1, sizeof *f);
    check((int)cudaStreamCreateWithFlags(&f->stream, cudaStreamNonBlocking));
    f->x = allocate(COUNT * sizeof(float));
    f->y = allocate(COUNT * sizeof(float));
    void *pinned = NULL;
    check((int)cudaMallocHost(&pinned, COUNT * sizeof(float)));
    f->pinned = pinned;
    for (int i = 0; i < COUNT; i++) {
        f->host[i] = (float)(i + 1);
        f->pinned[i] = (float)(i + 1);
    }
    upload(f, f->x, f->host, sizeof f->host);
    setenv("DECAVOX_CUDASIM_ORDER", "forward", 1);
    unsetenv("DECAVOX_CUDASIM_STREAMS");
    *state = f;
    return 0;
}

int teardown(void **state)
{
    fixture *f = *state;
    check((int)cudaFree(f->x));
    check((int)cudaFree(f->y));
    check((int)cudaFreeHost(f->pinned));
    check((int)cudaStreamDestroy(f->stream));
    test_free(f);
    return 0;
}
