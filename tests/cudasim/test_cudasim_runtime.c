/* The simulated device's runtime: memory, streams, events, captures and graphs. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/cudasim/test_device.h"
#include "tests/cudasim/test_kernels.h"
#include "tests/support/scratch.h"

/* ---- Memory ---- */

static void copies_check_direction_and_range(void **state)
{
    fixture *f = *state;
    const size_t bytes = sizeof f->host;
    const enum cudaMemcpyKind up = cudaMemcpyHostToDevice, down = cudaMemcpyDeviceToHost;
    const cudaError_t wrong = cudaErrorInvalidValue;
    assert_int_equal(cudaMemcpyAsync(f->x, f->host, bytes, down, f->stream), wrong);
    assert_int_equal(cudaMemcpyAsync(f->host, f->x, bytes, up, f->stream), wrong);
    assert_int_equal(cudaMemcpyAsync(f->y, f->x, bytes, up, f->stream), wrong);
    assert_int_equal(cudaGetLastError(), wrong);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(f->x + 1, f->host, bytes, up, f->stream), wrong);
    assert_int_equal(cudaMemsetAsync(f->x, 0, bytes + 1, f->stream), wrong);
    assert_int_equal(cudaMemsetAsync(f->host, 0, bytes, f->stream), wrong);
    assert_int_equal(cudaFree(f->x + 1), wrong);
    assert_int_equal(cudaFreeHost(f->host), wrong);
    check((int)cudaMemcpyAsync(f->y, f->x, bytes, cudaMemcpyDeviceToDevice, f->stream));
    check((int)cudaMemcpyAsync(f->pinned, f->y, bytes, cudaMemcpyDefault, f->stream));
    check((int)cudaStreamSynchronize(f->stream));
    assert_memory_equal(f->pinned, f->host, bytes);
    assert_int_equal(cudaGetLastError(), wrong);
}

static void settings_make_other_devices(void **state)
{
    (void)state;
    size_t free_bytes = 0, total = 0;
    void *memory = NULL;
    int count = -1;
    setenv("DECAVOX_CUDASIM_MEMORY", "1", 1);
    check((int)cudaMemGetInfo(&free_bytes, &total));
    assert_int_equal(total, 1 << 20);
    assert_int_equal(total - free_bytes, 2 * COUNT * sizeof(float));
    assert_int_equal(cudaMalloc(&memory, total), cudaErrorMemoryAllocation);
    unsetenv("DECAVOX_CUDASIM_MEMORY");
    setenv("DECAVOX_CUDASIM_DEVICES", "0", 1);
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    unsetenv("DECAVOX_CUDASIM_DEVICES");
    setenv("DECAVOX_CUDASIM_DRIVER", "0", 1);
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
    unsetenv("DECAVOX_CUDASIM_DRIVER");
    assert_int_equal(cudaSetDevice(1), cudaErrorInvalidDevice);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidDevice);
    check((int)cudaGetDeviceCount(&count));
    assert_int_equal(count, 1);
}

/* ---- Streams ---- */

static void results_come_when_they_are_waited_for(void **state)
{
    fixture *f = *state;
    const size_t bytes = sizeof f->host;
    check((int)cudaMemsetAsync(f->x, 0, bytes, f->stream));
    check((int)cudaMemcpyAsync(f->pinned, f->x, bytes, cudaMemcpyDeviceToHost, f->stream));
    assert_true(f->pinned[0] == 1.0F);
    assert_int_equal(cudaStreamQuery(f->stream), cudaErrorNotReady);
    while (cudaStreamQuery(f->stream) == cudaErrorNotReady) {}
    assert_true(f->pinned[0] == 0.0F);
    /* A pinned source is read when the copy runs, a pageable one during the call. */
    check((int)cudaMemcpyAsync(f->x, f->pinned, bytes, cudaMemcpyHostToDevice, f->stream));
    check((int)cudaMemcpyAsync(f->y, f->host, bytes, cudaMemcpyHostToDevice, f->stream));
    f->pinned[0] = 7.0F;
    f->host[0] = 7.0F;
    download(f, f->host, f->x, bytes);
    assert_true(f->host[0] == 7.0F);
    download(f, f->host, f->y, bytes);
    assert_true(f->host[0] == 1.0F);
}

static void immediate_work_needs_no_waiting(void **state)
{
    fixture *f = *state;
    const size_t bytes = sizeof f->host;
    setenv("DECAVOX_CUDASIM_STREAMS", "immediate", 1);
    check((int)cudaMemsetAsync(f->x, 0, bytes, f->stream));
    check((int)cudaMemcpyAsync(f->pinned, f->x, bytes, cudaMemcpyDeviceToHost, f->stream));
    assert_true(f->pinned[0] == 0.0F);
    unsetenv("DECAVOX_CUDASIM_STREAMS");
}

static void events_order_streams(void **state)
{
    fixture *f = *state;
    const size_t bytes = sizeof f->host;
    cudaStream_t other = NULL;
    cudaEvent_t start = NULL, end = NULL;
    float milliseconds = -1.0F;
    check((int)cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    check((int)cudaEventCreate(&start));
    check((int)cudaEventCreate(&end));
    check((int)cudaEventRecord(start, f->stream));
    check(test_scale(DV_F32, f->y, f->x, 3.0F, COUNT, f->stream));
    check((int)cudaEventRecord(end, f->stream));
    assert_int_equal(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
    check((int)cudaStreamWaitEvent(other, end, 0));
    check((int)cudaMemcpyAsync(f->pinned, f->y, bytes, cudaMemcpyDeviceToHost, other));
    check((int)cudaStreamSynchronize(other));
    assert_true(f->pinned[1] == 6.0F);
    check((int)cudaEventSynchronize(end));
    check((int)cudaEventElapsedTime(&milliseconds, start, end));
    assert_true(milliseconds >= 0.0F);
    check((int)cudaEventDestroy(start));
    check((int)cudaEventDestroy(end));
    check((int)cudaStreamDestroy(other));
}

/* ---- Graphs ---- */

/* Submits y = softmax(x as 2 rows), then y = 5 y. */
static void submit_step(const fixture *f)
{
    check(test_softmax(f->y, f->x, 2, COUNT / 2, f->stream));
    check(test_scale(DV_F32, f->y, f->y, 5.0F, COUNT, f->stream));
}

/* Asserts that the file has a line for each node and each edge. */
static void check_dot(cudaGraph_t graph)
{
    void *folder;
    char path[SCRATCH_PATH_SIZE];
    size_t size;
    assert_int_equal(scratch_setup(&folder), 0);
    scratch_path(folder, "graph.dot", path);
    check((int)cudaGraphDebugDotPrint(graph, path, cudaGraphDebugDotFlagsVerbose));
    char *text = (char *)file_load(path, &size);
    text[size - 1] = '\0'; /* in place of the last newline */
    assert_non_null(strstr(text, "\"node_2\" [label=\"cudaMemcpyAsync\"]"));
    assert_non_null(strstr(text, "\"node_1\" -> \"node_2\""));
    free(text);
    scratch_path(folder, "none/graph.dot", path);
    assert_int_equal(cudaGraphDebugDotPrint(graph, path, 0), cudaErrorOperatingSystem);
    (void)cudaGetLastError();
    assert_int_equal(scratch_teardown(&folder), 0);
}

static void replay_equals_eager(void **state)
{
    fixture *f = *state;
    const size_t bytes = sizeof f->host;
    float eager[COUNT];
    cudaGraph_t graph = NULL;
    cudaGraphExec_t program = NULL;
    size_t nodes = 0;
    check((int)cudaStreamBeginCapture(f->stream, cudaStreamCaptureModeGlobal));
    submit_step(f);
    check((int)cudaMemcpyAsync(f->pinned, f->y, bytes, cudaMemcpyDeviceToHost, f->stream));
    check((int)cudaStreamEndCapture(f->stream, &graph));
    check((int)cudaGraphGetNodes(graph, NULL, &nodes));
    assert_int_equal(nodes, 3);
    check_dot(graph);
    check((int)cudaGraphInstantiate(&program, graph, 0));
    check((int)cudaGraphDestroy(graph));
    check((int)cudaStreamSynchronize(f->stream));
    assert_true(f->pinned[0] == 1.0F); /* nothing has run yet */
    for (int round = 0; round < 3; round++) {
        f->host[round] = -2.0F;
        upload(f, f->x, f->host, bytes);
        submit_step(f);
        download(f, eager, f->y, bytes);
        check((int)cudaMemsetAsync(f->y, 0, bytes, f->stream));
        check((int)cudaGraphLaunch(program, f->stream));
        check((int)cudaStreamSynchronize(f->stream));
        assert_memory_equal(f->pinned, eager, bytes);
    }
    check((int)cudaGraphExecDestroy(program));
}

typedef cudaError_t (*forbidden)(fixture *f);

static cudaError_t call_malloc(fixture *f)
{
    void *memory = NULL;
    (void)f;
    return cudaMalloc(&memory, 16);
}

static cudaError_t call_free(fixture *f)
{
    return cudaFree(f->y);
}

static cudaError_t call_malloc_host(fixture *f)
{
    void *memory = NULL;
    (void)f;
    return cudaMallocHost(&memory, 16);
}

static cudaError_t call_synchronize(fixture *f)
{
    return cudaStreamSynchronize(f->stream);
}

static cudaError_t call_device_synchronize(fixture *f)
{
    (void)f;
    return cudaDeviceSynchronize();
}

static cudaError_t call_pageable_copy(fixture *f)
{
    return cudaMemcpyAsync(f->host, f->x, sizeof f->host, cudaMemcpyDeviceToHost, f->stream);
}

static cudaError_t call_memcpy(fixture *f)
{
    return cudaMemcpy(f->pinned, f->x, sizeof f->host, cudaMemcpyDeviceToHost);
}

static void a_capture_forbids_what_a_graph_cannot_do(void **state)
{
    fixture *f = *state;
    const forbidden calls[] = {
        call_malloc,        call_free,  call_malloc_host, call_synchronize, call_device_synchronize,
        call_pageable_copy, call_memcpy};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        cudaGraph_t graph = NULL;
        check((int)cudaStreamBeginCapture(f->stream, cudaStreamCaptureModeGlobal));
        assert_int_equal(calls[i](f), cudaErrorStreamCaptureUnsupported);
        assert_int_equal(cudaGetLastError(), cudaErrorStreamCaptureUnsupported);
        assert_int_equal(test_empty_launch(f->y, 32, f->stream), cudaErrorStreamCaptureInvalidated);
        assert_int_equal(cudaStreamEndCapture(f->stream, &graph),
                         cudaErrorStreamCaptureInvalidated);
        assert_null(graph);
        cudaGetLastError();
    }
    check(test_empty_launch(f->y, 32, f->stream));
    assert_int_equal(cudaStreamBeginCapture(NULL, cudaStreamCaptureModeGlobal),
                     cudaErrorStreamCaptureUnsupported);
    cudaGetLastError();
}

/* Runs in a thread that captures nothing. */
static void *allocate_and_free(void *of_error)
{
    void *memory = NULL;
    cudaError_t *error = of_error;
    *error = cudaMalloc(&memory, 256);
    if (*error == cudaSuccess)
        *error = cudaFree(memory);
    cudaGetLastError();
    return NULL;
}

static void a_capture_may_forbid_to_its_thread_alone(void **state)
{
    fixture *f = *state;
    cudaGraph_t graph = NULL;
    const enum cudaStreamCaptureMode modes[] = {cudaStreamCaptureModeThreadLocal,
                                                cudaStreamCaptureModeRelaxed,
                                                cudaStreamCaptureModeGlobal};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const int global = modes[i] == cudaStreamCaptureModeGlobal;
        cudaError_t error = cudaErrorUnknown;
        pthread_t other;
        check((int)cudaStreamBeginCapture(f->stream, modes[i]));
        check(pthread_create(&other, NULL, allocate_and_free, &error));
        check(pthread_join(other, NULL));
        assert_int_equal(error, global ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
        assert_int_equal(cudaStreamEndCapture(f->stream, &graph),
                         global ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
        cudaGetLastError();
        if (!global)
            check((int)cudaGraphDestroy(graph));
    }
}

static void a_capture_spans_joined_streams(void **state)
{
    fixture *f = *state;
    cudaGraph_t graph = NULL;
    cudaStream_t other = NULL;
    cudaEvent_t fork_event = NULL, join_event = NULL;
    check((int)cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    check((int)cudaEventCreateWithFlags(&fork_event, cudaEventDisableTiming));
    check((int)cudaEventCreateWithFlags(&join_event, cudaEventDisableTiming));
    for (int joined = 0; joined < 2; joined++) {
        check((int)cudaStreamBeginCapture(f->stream, cudaStreamCaptureModeThreadLocal));
        check((int)cudaEventRecord(fork_event, f->stream));
        check((int)cudaStreamWaitEvent(other, fork_event, 0));
        check(test_empty_launch(f->y, 32, other));
        if (joined) {
            check((int)cudaEventRecord(join_event, other));
            check((int)cudaStreamWaitEvent(f->stream, join_event, 0));
        }
        assert_int_equal(cudaStreamEndCapture(f->stream, &graph),
                         joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
        cudaGetLastError();
    }
    check((int)cudaGraphDestroy(graph));
    check((int)cudaEventDestroy(fork_event));
    check((int)cudaEventDestroy(join_event));
    check((int)cudaStreamDestroy(other));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(copies_check_direction_and_range),
        CASE(settings_make_other_devices),
        CASE(results_come_when_they_are_waited_for),
        CASE(immediate_work_needs_no_waiting),
        CASE(events_order_streams),
        CASE(replay_equals_eager),
        CASE(a_capture_forbids_what_a_graph_cannot_do),
        CASE(a_capture_may_forbid_to_its_thread_alone),
        CASE(a_capture_spans_joined_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
