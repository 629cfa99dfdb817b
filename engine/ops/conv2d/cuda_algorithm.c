/* Which of cuDNN's algorithms computes a convolution: of those that its heuristics name and that
   are content with the workspace, the first or the one that is fastest here; as dv_algorithms says.
 */
#include "engine/ops/conv2d/cuda_conv2d.h"

#include <math.h>
#include <string.h>

enum {
    MOST = 16, /* candidates that are asked for */
#ifdef DV_CUDASIM
    REPETITIONS = 1,
#else
    REPETITIONS = 20, /* of what is timed at once */
#endif
};

static const char *const names[DV_CONVOLUTION_DIRECTIONS] = {
    "forward algorithm", "backward algorithm of the input", "backward algorithm of the weights"};

/* A later candidate is taken where it needs less than this part of an earlier one's time. The
   heuristics' order decides between equals, so that noise does not. */
static const float worth = 0.95F;

typedef struct candidates {
    dv_cudnn_algorithm items[MOST]; /* in the order of the heuristics */
    int count;
} candidates;

/* ---- Candidates ---- */

/* What the heuristics' results have in common: three types, different in that of `algo`. */
typedef struct found {
    int algorithm;
    cudnnStatus_t status;
    cudnnDeterminism_t determinism;
    cudnnMathType_t math;
} found;

#define COPY_FOUND(results, count, out)                                                            \
    do {                                                                                           \
        for (int i = 0; i < (count); i++)                                                          \
            (out)[i] = (found){(int)(results)[i].algo, (results)[i].status,                        \
                               (results)[i].determinism, (results)[i].mathType};                   \
    } while (0)

static cudnnStatus_t ask_forward(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                                 found *out, int *count)
{
    cudnnConvolutionFwdAlgoPerf_t results[MOST];
    cudnnStatus_t status = cudnnGetConvolutionForwardAlgorithm_v7(
        device->cudnn, self->x, self->w, self->convolution[DV_CONVOLUTION_FORWARD], self->y, MOST,
        count, results);
    if (status == CUDNN_STATUS_SUCCESS)
        COPY_FOUND(results, *count, out);
    return status;
}

static cudnnStatus_t ask_data(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                              found *out, int *count)
{
    cudnnConvolutionBwdDataAlgoPerf_t results[MOST];
    cudnnStatus_t status = cudnnGetConvolutionBackwardDataAlgorithm_v7(
        device->cudnn, self->w, self->y, self->convolution[DV_CONVOLUTION_DATA], self->x, MOST,
        count, results);
    if (status == CUDNN_STATUS_SUCCESS)
        COPY_FOUND(results, *count, out);
    return status;
}

static cudnnStatus_t ask_weights(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                                 found *out, int *count)
{
    cudnnConvolutionBwdFilterAlgoPerf_t results[MOST];
    cudnnStatus_t status = cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        device->cudnn, self->x, self->y, self->convolution[DV_CONVOLUTION_WEIGHTS], self->w, MOST,
        count, results);
    if (status == CUDNN_STATUS_SUCCESS)
        COPY_FOUND(results, *count, out);
    return status;
}

static bool has(const candidates *list, const dv_cudnn_algorithm *algorithm)
{
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].number == algorithm->number && list->items[i].math == algorithm->math)
            return true;
    }
    return false;
}

static dv_status set_algorithm(dv_cudnn_convolution *self, dv_convolution_direction direction,
                               const dv_cudnn_algorithm *algorithm)
{
    self->algorithm[direction] = *algorithm;
    DV_CUDNN(cudnnSetConvolutionMathType(self->convolution[direction], algorithm->math));
    return DV_OK;
}

/* By way of Fourier's or Winograd's transformation, which round more than sums of products do. */
static bool is_transformed(dv_convolution_direction direction, int algorithm)
{
    static const unsigned sets[DV_CONVOLUTION_DIRECTIONS] = {
        1U << CUDNN_CONVOLUTION_FWD_ALGO_FFT | 1U << CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING |
            1U << CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD |
            1U << CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
        1U << CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT |
            1U << CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING |
            1U << CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD |
            1U << CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
        1U << CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT |
            1U << CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING |
            1U << CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD |
            1U << CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED};
    return (sets[direction] >> algorithm & 1U) != 0;
}

/* Repeatable, and in floats as exact as sums of products are; or all where that is wanted. */
static bool is_wanted(const dv_step *s, dv_convolution_direction direction, const found *result)
{
    if (s->context->algorithms == DV_ALGORITHMS_ANY)
        return true;
    return result->determinism == CUDNN_DETERMINISTIC &&
           (s->context->dtype != DV_F32 || !is_transformed(direction, result->algorithm));
}

/* Takes what may be used. Heuristics may answer with another math type than was asked for, which
   then has to be set; floats keep theirs, and cuDNN is asked for the workspace that this needs. */
static dv_status add_candidate(const dv_step *s, dv_cudnn_convolution *self,
                               dv_convolution_direction direction, const found *result,
                               candidates *list)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    dv_cudnn_algorithm algorithm = {.number = result->algorithm, .math = result->math};
    if (s->context->dtype == DV_F32)
        algorithm.math = CUDNN_FMA_MATH;
    if (result->status != CUDNN_STATUS_SUCCESS || !is_wanted(s, direction, result) ||
        has(list, &algorithm))
        return DV_OK;
    DV_TRY(set_algorithm(self, direction, &algorithm));
    if (dv__cudnn_convolution_workspace(device, self, direction, algorithm.number,
                                        &algorithm.workspace) &&
        algorithm.workspace <= device->workspace)
        list->items[list->count++] = algorithm;
    return DV_OK;
}

/* What the heuristics may not name: algorithms that cuDNN documents for channels last, for halves
   by tensor cores and, where sizes do not suit these, without. */
static dv_status add_common(const dv_step *s, dv_cudnn_convolution *self,
                            dv_convolution_direction direction, candidates *list)
{
    static const int common[DV_CONVOLUTION_DIRECTIONS][2] = {
        {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
         CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM},
        {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1},
        {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1}};
    static const cudnnMathType_t maths[2] = {CUDNN_TENSOR_OP_MATH, CUDNN_DEFAULT_MATH};
    for (int i = 0; i < 4; i++) {
        const found result = {common[direction][i % 2], CUDNN_STATUS_SUCCESS, CUDNN_DETERMINISTIC,
                              maths[i / 2]};
        DV_TRY(add_candidate(s, self, direction, &result, list));
    }
    return DV_OK;
}

/* Sets our own kernels, which always work. */
static dv_status set_none(const dv_step *s, dv_cudnn_convolution *self,
                          dv_convolution_direction direction)
{
    dv__log(&s->context->log, DV_LOG_WARNING,
            "conv2d '%s': cuDNN has no %s%s for %s -> %s in %s with at most %zu bytes of "
            "workspace; a plain kernel computes it",
            s->node->name, s->context->algorithms == DV_ALGORITHMS_ANY ? "" : "deterministic ",
            names[direction], dv_shape_format(s->in[0]).text, dv_shape_format(s->node->shape).text,
            dv_dtype_name(s->context->dtype), dv__cuda_device(s->context)->workspace);
    self->algorithm[direction] = (dv_cudnn_algorithm){.number = DV_CUDNN_NONE};
    return DV_OK;
}

static dv_status list_candidates(const dv_step *s, dv_cudnn_convolution *self,
                                 dv_convolution_direction direction, candidates *list)
{
    static cudnnStatus_t (*const ask[DV_CONVOLUTION_DIRECTIONS])(
        const dv_cuda_device *, const dv_cudnn_convolution *, found *,
        int *) = {ask_forward, ask_data, ask_weights};
    found results[MOST];
    int count = 0;
    list->count = 0;
    if (ask[direction](dv__cuda_device(s->context), self, results, &count) != CUDNN_STATUS_SUCCESS)
        count = 0; /* a refusal: they know nothing */
    for (int i = 0; i < count; i++)
        DV_TRY(add_candidate(s, self, direction, &results[i], list));
    return list->count > 0 ? DV_OK : add_common(s, self, direction, list);
}

/* ---- Measuring ---- */

typedef struct bench {
    char *memory;
    dv_convolution_operands operands;
    cudaEvent_t start, end;
} bench;

static void bench_close(bench *b)
{
    if (b->end != NULL)
        (void)cudaEventDestroy(b->end);
    if (b->start != NULL)
        (void)cudaEventDestroy(b->start);
    (void)cudaFree(b->memory);
}

/* Operands of zeros: the time does not depend on the numbers. */
static dv_status bench_open(const dv_step *s, dv_convolution_direction direction,
                            const candidates *list, bench *b)
{
    const dv_conv2d_attr *attr = s->node->attr;
    size_t size = dv_dtype_size(s->context->dtype), workspace = 0;
    int64_t weights =
        attr->filters * (s->in[0].c / attr->groups) * attr->kernel[0] * attr->kernel[1];
    size_t x = dv__cuda_aligned((size_t)dv_shape_count(s->in[0]) * size);
    size_t w = dv__cuda_aligned((size_t)weights * size);
    size_t y = dv__cuda_aligned((size_t)dv_shape_count(s->node->shape) * size);
    for (int i = 0; i < list->count; i++)
        workspace = list->items[i].workspace > workspace ? list->items[i].workspace : workspace;
    size_t bytes = x + w + y + workspace;
    DV_CUDA(cudaMalloc((void **)&b->memory, bytes));
    DV_CUDA(cudaMemsetAsync(b->memory, 0, bytes, dv__cuda_stream(s)));
    DV_CUDA(cudaEventCreate(&b->start));
    DV_CUDA(cudaEventCreate(&b->end));
    char *out[DV_CONVOLUTION_DIRECTIONS] = {b->memory + x + w, b->memory, b->memory + x};
    b->operands = (dv_convolution_operands){.x = b->memory,
                                            .w = b->memory + x,
                                            .y = b->memory + x + w,
                                            .out = out[direction],
                                            .workspace = b->memory + x + w + y};
    return DV_OK;
}

static dv_status repeat(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                        dv_convolution_direction direction, const bench *b)
{
    for (int i = 0; i < REPETITIONS; i++)
        DV_TRY(dv__cudnn_convolution_run(device, self, direction, &b->operands));
    return DV_OK;
}

/* The repetitions as a CUDA graph, which is how training runs them: what cuDNN does on the host in
   each call is not in their time. NULL where they cannot be captured. */
static cudaGraphExec_t capture(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                               dv_convolution_direction direction, const bench *b)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t executable = NULL;
    if (cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess) {
        dv_status status = repeat(device, self, direction, b);
        if (cudaStreamEndCapture(device->stream, &graph) == cudaSuccess && status == DV_OK &&
            cudaGraphInstantiate(&executable, graph, 0) != cudaSuccess)
            executable = NULL;
    }
    if (graph != NULL)
        (void)cudaGraphDestroy(graph);
    (void)cudaGetLastError(); /* a refusal, which is no failure here */
    return executable;
}

static dv_status launch(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                        dv_convolution_direction direction, const bench *b, cudaGraphExec_t graph)
{
    if (graph == NULL)
        return repeat(device, self, direction, b);
    DV_CUDA(cudaGraphLaunch(graph, device->stream));
    return DV_OK;
}

/* The second of two launches: the first keeps the device busy until the second is there. */
static dv_status time_launch(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                             dv_convolution_direction direction, const bench *b,
                             cudaGraphExec_t graph, float *milliseconds)
{
    DV_TRY(launch(device, self, direction, b, graph));
    DV_CUDA(cudaEventRecord(b->start, device->stream));
    DV_TRY(launch(device, self, direction, b, graph));
    DV_CUDA(cudaEventRecord(b->end, device->stream));
    DV_CUDA(cudaEventSynchronize(b->end));
    DV_CUDA(cudaEventElapsedTime(milliseconds, b->start, b->end));
#ifdef DV_CUDASIM
    *milliseconds = 0; /* means nothing there: all are equal */
#endif
    return DV_OK;
}

/* The first call shows that the algorithm works, and loads it. timed false: no more than that. */
static dv_status measure(const dv_cuda_device *device, const dv_cudnn_convolution *self,
                         dv_convolution_direction direction, const bench *b, bool timed,
                         float *milliseconds)
{
    *milliseconds = 0;
    DV_TRY(dv__cudnn_convolution_run(device, self, direction, &b->operands));
    DV_CUDA(cudaStreamSynchronize(device->stream));
    if (!timed)
        return DV_OK;
    cudaGraphExec_t graph = capture(device, self, direction, b);
    dv_status status = time_launch(device, self, direction, b, graph, milliseconds);
    if (graph != NULL)
        (void)cudaGraphExecDestroy(graph);
    return status;
}

/* A candidate that fails when it is tried is left out: cuDNN may promise what it does not have.
   Where the device itself has failed, as after a wrong access, nothing would work any more.
   `timed` false: the first that works. *best: -1 where none does. */
static dv_status find_best(const dv_step *s, dv_cudnn_convolution *self,
                           dv_convolution_direction direction, const candidates *list,
                           const bench *b, bool timed, int *best)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    float shortest = INFINITY;
    *best = -1;
    for (int i = 0; i < list->count && (timed || *best < 0); i++) {
        float milliseconds;
        DV_TRY(set_algorithm(self, direction, &list->items[i]));
        dv_status status = measure(device, self, direction, b, timed, &milliseconds);
        if (status != DV_OK) {
            DV_CUDA(cudaStreamSynchronize(device->stream));
            dv__log(&s->context->log, DV_LOG_DEBUG, "conv2d '%s': without %s %d: %s", s->node->name,
                    names[direction], list->items[i].number, dv_error_message());
        } else if (*best < 0 || milliseconds < worth * shortest) {
            shortest = milliseconds;
            *best = i;
        }
    }
    return DV_OK;
}

/* Where the memory for it is lacking nothing is tried: the heuristics decide. */
static dv_status try_all(const dv_step *s, dv_cudnn_convolution *self,
                         dv_convolution_direction direction, const candidates *list, int *best)
{
    bench b = {0};
    bool timed = list->count > 1 && s->context->algorithms != DV_ALGORITHMS_FIXED;
    dv_status status = bench_open(s, direction, list, &b);
    *best = 0;
    if (status == DV_OK)
        status = find_best(s, self, direction, list, &b, timed, best);
    else if (status == DV_ENOMEM)
        status = DV_OK;
    bench_close(&b);
    return status;
}

/* ---- What was chosen before ---- */

static dv_cuda_choice choice_for(const dv_step *s, dv_convolution_direction direction)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape x = s->in[0];
    const int64_t key[DV_CUDA_CHOICE_KEY] = {x.n,
                                             x.h,
                                             x.w,
                                             x.c,
                                             attr->filters,
                                             attr->kernel[0],
                                             attr->kernel[1],
                                             attr->stride[0],
                                             attr->stride[1],
                                             attr->padding[0],
                                             attr->padding[1],
                                             attr->dilation[0],
                                             attr->dilation[1],
                                             attr->groups,
                                             (int64_t)s->context->dtype,
                                             (int64_t)direction,
                                             (int64_t)s->context->algorithms};
    dv_cuda_choice choice = {{0}, 0, 0};
    for (int i = 0; i < DV_CUDA_CHOICE_KEY; i++)
        choice.key[i] = (int32_t)key[i];
    return choice;
}

static bool recall(const dv_cuda_device *device, dv_cuda_choice *choice)
{
    int count = device->choice_count < DV_CUDA_CHOICES ? device->choice_count : DV_CUDA_CHOICES;
    for (int i = 0; i < count; i++) {
        if (memcmp(device->choices[i].key, choice->key, sizeof choice->key) == 0) {
            *choice = device->choices[i];
            return true;
        }
    }
    return false;
}

static void remember(dv_cuda_device *device, dv_cuda_choice choice)
{
    device->choices[device->choice_count % DV_CUDA_CHOICES] = choice;
    device->choice_count++;
}

static int find(const candidates *list, const dv_cuda_choice *choice)
{
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].number == choice->algorithm &&
            (int32_t)list->items[i].math == choice->math)
            return i;
    }
    return -1;
}

dv_status dv__cudnn_choose(const dv_step *s, dv_cudnn_convolution *self,
                           dv_convolution_direction direction)
{
    dv_cuda_device *device = dv__cuda_device(s->context);
    candidates list;
    int chosen = -1;
    DV_TRY(list_candidates(s, self, direction, &list));
    if (list.count == 0)
        return set_none(s, self, direction);
    dv_cuda_choice choice = choice_for(s, direction);
    if (recall(device, &choice))
        chosen = find(&list, &choice);
    if (chosen < 0) {
        DV_TRY(try_all(s, self, direction, &list, &chosen));
        if (chosen < 0)
            return set_none(s, self, direction);
        choice.algorithm = list.items[chosen].number;
        choice.math = (int32_t)list.items[chosen].math;
        remember(device, choice);
    }
    dv__log(&s->context->log, DV_LOG_DEBUG, "conv2d '%s': %s %d, math type %d", s->node->name,
            names[direction], list.items[chosen].number, (int)list.items[chosen].math);
    return set_algorithm(self, direction, &list.items[chosen]);
}
