/* Finds the fastest algorithm for a direction of a convolution by trying the candidates. */
#include "engine/ops/conv2d/cuda_conv2d.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
#ifdef DV_CUDASIM
    REPETITIONS = 1,
    SAMPLES = 1,
#else
    REPETITIONS = 20, /* runs in one sample */
    SAMPLES = 5,      /* samples; the shortest counts, because disturbances only add time */
#endif
    BLOCK = 1 << 16, /* random words, which are repeated to fill the operands */
};

/* A later candidate must need less than this share of an earlier one's time. So the heuristics'
   order, not noise, decides between equals. */
static const float worth = 0.95F;

typedef struct bench {
    const dv_cuda_device *device;
    const dv_cuda_convolution *convolution;
    dv_convolution_direction direction;
    bool timed; /* false takes the first candidate that works */
    char *memory;
    dv_convolution_operands operands;
    cudaEvent_t start, end;
} bench;

/* ---- Operands ---- */

/* A word of one float or two 16-bit numbers in +-[0.5, 1), with random sign and fraction. Zeros
   would be multiplied faster. */
static uint32_t random_word(dv_dtype dtype, uint32_t *state)
{
    static const uint32_t kept[DV_DTYPE_COUNT] = {
        [DV_F32] = 0x807fffff, [DV_F16] = 0x83ff83ff, [DV_BF16] = 0x807f807f};
    static const uint32_t exponent[DV_DTYPE_COUNT] = {
        [DV_F32] = 0x3f000000, [DV_F16] = 0x38003800, [DV_BF16] = 0x3f003f00};
    *state ^= *state << 13; /* Marsaglia, Xorshift RNGs, 2003 */
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return (*state & kept[dtype]) | exponent[dtype];
}

/* Fills memory with repeated copies of a block of random words. */
static dv_status fill(const dv_cuda_device *device, dv_dtype dtype, char *memory, size_t bytes)
{
    size_t block = BLOCK * sizeof(uint32_t), first = bytes < block ? bytes : block;
    uint32_t *words, state = 1;
    DV_TRY(dv_calloc(BLOCK, sizeof *words, &words));
    for (int i = 0; i < BLOCK; i++)
        words[i] = random_word(dtype, &state);
    dv_status status = dv_cuda_check(
        (int)cudaMemcpyAsync(memory, words, first, cudaMemcpyHostToDevice, device->stream),
        "cudaMemcpyAsync(memory, words, first, host to device, stream)");
    if (status == DV_OK)
        status = dv_cuda_check((int)cudaStreamSynchronize(device->stream),
                               "cudaStreamSynchronize(device->stream)");
    free(words);
    DV_TRY(status);
    for (size_t filled = first; filled < bytes; filled *= 2) {
        size_t more = bytes - filled < filled ? bytes - filled : filled;
        DV_CUDA(cudaMemcpyAsync(memory + filled, memory, more, cudaMemcpyDeviceToDevice,
                                device->stream));
    }
    return DV_OK;
}

static void bench_close(bench *b)
{
    if (b->end != NULL)
        (void)cudaEventDestroy(b->end);
    if (b->start != NULL)
        (void)cudaEventDestroy(b->start);
    (void)cudaFree(b->memory);
}

/* Allocates x, w, y and the largest workspace in one piece, and fills the tensors with random
   numbers. `out` becomes the direction's result. bench_close frees everything, also after a
   failure. */
static dv_status bench_open(const dv_convolution_candidates *list, bench *b)
{
    const dv_convolution *shape = &b->convolution->shape;
    size_t size = dv_dtype_size(b->convolution->dtype), workspace = 0;
    int64_t taps = shape->kernel[0] * shape->kernel[1];
    int64_t inputs = shape->images * shape->height * shape->width * shape->channels;
    int64_t weights = shape->filters * taps * shape->channels / shape->groups;
    int64_t outputs = shape->images * shape->out_height * shape->out_width * shape->filters;
    size_t x = dv_cuda_aligned((size_t)inputs * size);
    size_t w = dv_cuda_aligned((size_t)weights * size);
    size_t y = dv_cuda_aligned((size_t)outputs * size);
    for (int i = 0; i < list->count; i++)
        workspace = list->items[i].workspace > workspace ? list->items[i].workspace : workspace;
    DV_CUDA(cudaMalloc((void **)&b->memory, x + w + y + workspace));
    DV_TRY(fill(b->device, b->convolution->dtype, b->memory, x + w + y));
    DV_CUDA(cudaEventCreate(&b->start));
    DV_CUDA(cudaEventCreate(&b->end));
    char *out[DV_CONVOLUTION_DIRECTIONS] = {b->memory + x + w, b->memory, b->memory + x};
    b->operands = (dv_convolution_operands){.x = b->memory,
                                            .w = b->memory + x,
                                            .y = b->memory + x + w,
                                            .out = out[b->direction],
                                            .workspace = b->memory + x + w + y};
    return DV_OK;
}

/* ---- Time ---- */

static dv_status run(const bench *b)
{
    return dv__cuda_convolution_run(b->device, b->convolution, b->direction, &b->operands);
}

static dv_status repeat(const bench *b)
{
    for (int i = 0; i < REPETITIONS; i++)
        DV_TRY(run(b));
    return DV_OK;
}

/* Captures the repetitions into a CUDA graph, as training does, so that cuDNN's work on the host is
   not timed. Returns NULL if they cannot be captured. */
static cudaGraphExec_t capture(const bench *b)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t executable = NULL;
    cudaStream_t stream = b->device->stream;
    if (cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess) {
        dv_status status = repeat(b);
        if (cudaStreamEndCapture(stream, &graph) == cudaSuccess && status == DV_OK &&
            cudaGraphInstantiate(&executable, graph, 0) != cudaSuccess)
            executable = NULL;
    }
    if (graph != NULL)
        (void)cudaGraphDestroy(graph);
    (void)cudaGetLastError(); /* a refused capture is no failure here */
    return executable;
}

/* Times the second of two launches. The first keeps the device busy until the second is there. */
static dv_status sample(const bench *b, cudaGraphExec_t graph, float *milliseconds)
{
    DV_CUDA(cudaGraphLaunch(graph, b->device->stream));
    DV_CUDA(cudaEventRecord(b->start, b->device->stream));
    DV_CUDA(cudaGraphLaunch(graph, b->device->stream));
    DV_CUDA(cudaEventRecord(b->end, b->device->stream));
    DV_CUDA(cudaEventSynchronize(b->end));
    DV_CUDA(cudaEventElapsedTime(milliseconds, b->start, b->end));
#ifdef DV_CUDASIM
    *milliseconds = 0; /* simulated times mean nothing */
#endif
    return DV_OK;
}

static dv_status shortest_sample(const bench *b, cudaGraphExec_t graph, float *milliseconds)
{
    *milliseconds = INFINITY;
    for (int i = 0; i < SAMPLES; i++) {
        float one;
        DV_TRY(sample(b, graph, &one));
        *milliseconds = one < *milliseconds ? one : *milliseconds;
    }
    return DV_OK;
}

/* Tries a candidate. The first call shows that it works, and loads it. A candidate that cannot be
   captured is left out even if nothing will be recorded, so that results with and without a
   recording are the same. *milliseconds is the time of the repetitions, or 0 if nothing is timed.
 */
static dv_status try_one(const bench *b, float *milliseconds)
{
    *milliseconds = 0;
    DV_TRY(run(b));
    DV_CUDA(cudaStreamSynchronize(b->device->stream));
    cudaGraphExec_t graph = capture(b);
    if (graph == NULL)
        return DV_FAIL(DV_EDEVICE, "the algorithm cannot be captured into a CUDA graph");
    dv_status status = b->timed ? shortest_sample(b, graph, milliseconds) : DV_OK;
    (void)cudaGraphExecDestroy(graph);
    return status;
}

/* ---- The choice ---- */

static void append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list values;
    va_start(values, format);
    vsnprintf(text + used, size - used, format, values);
    va_end(values);
}

static void tell(const dv_convolution_algorithm *algorithm, dv_status status, float milliseconds,
                 char *times, size_t size)
{
    append(times, size, "%s", times[0] != '\0' ? "; " : "");
    if (algorithm->number == DV_CONVOLUTION_IM2COL)
        append(times, size, "im2col ");
    else
        append(times, size, "%d/%d ", algorithm->number, (int)algorithm->math);
    if (status != DV_OK)
        append(times, size, "left out: %.100s", dv_error_message());
    else
        append(times, size, "%.2f us", 1e3 * (double)milliseconds / REPETITIONS);
}

/* Tries all candidates. One that fails is left out, because cuDNN may offer algorithms that it does
   not have. A failure of the device itself, as after an illegal access, is returned. */
static dv_status find_best(const bench *b, dv_cuda_convolution *self,
                           const dv_convolution_candidates *list, int *best, char *times,
                           size_t size)
{
    float shortest = INFINITY;
    *best = -1;
    for (int i = 0; i < list->count && (b->timed || *best < 0); i++) {
        float milliseconds;
        DV_TRY(dv__cuda_convolution_set(self, b->direction, &list->items[i]));
        dv_status status = try_one(b, &milliseconds);
        if (b->timed || status != DV_OK)
            tell(&list->items[i], status, milliseconds, times, size);
        if (status != DV_OK)
            DV_CUDA(cudaStreamSynchronize(b->device->stream));
        else if (*best < 0 || milliseconds < worth * shortest) {
            shortest = milliseconds;
            *best = i;
        }
    }
    return DV_OK;
}

dv_status dv__cuda_convolution_measure(const dv_node_step *s, dv_cuda_convolution *self,
                                       dv_convolution_direction direction,
                                       const dv_convolution_candidates *list, int *best,
                                       char *times, size_t size)
{
    bench b = {.device = dv_cuda_device_of(s->context),
               .convolution = self,
               .direction = direction,
               .timed = list->count > 1 && (s->context->algorithms == DV_ALGORITHMS_MEASURED ||
                                            s->context->algorithms == DV_ALGORITHMS_ANY)};
    dv_status status = bench_open(list, &b);
    *best = 0;
    times[0] = '\0';
    if (status == DV_OK)
        status = find_best(&b, self, list, best, times, size);
    else if (status == DV_ENOMEM)
        status = DV_OK;
    bench_close(&b);
    return status;
}
