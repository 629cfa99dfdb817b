/* Chooses the algorithm of a convolution. The candidates are those of cuDNN's heuristics that fit
   the workspace, then im2col. dv_algorithms decides between the first and the fastest. */
#include "engine/device/cuda_choices.h"
#include "engine/ops/conv2d/cuda_conv2d.h"

enum { MOST = DV_CONVOLUTION_CANDIDATES - 1 }; /* candidates of cuDNN */

static const char *direction_name(dv_convolution_direction direction)
{
    static const char *const names[DV_CONVOLUTION_DIRECTIONS] = {
        "forward algorithm", "backward algorithm of the input",
        "backward algorithm of the weights"};
    return names[direction];
}

/* ---- Candidates ---- */

/* A result of the heuristics. cuDNN has three types for it, which differ in the type of `algo`. */
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

static cudnnStatus_t ask_forward(const dv_cuda_device *device, const dv_cuda_convolution *self,
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

static cudnnStatus_t ask_data(const dv_cuda_device *device, const dv_cuda_convolution *self,
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

static cudnnStatus_t ask_weights(const dv_cuda_device *device, const dv_cuda_convolution *self,
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

static bool has(const dv_convolution_candidates *list, const dv_convolution_algorithm *algorithm)
{
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].number == algorithm->number && list->items[i].math == algorithm->math)
            return true;
    }
    return false;
}

dv_status dv__cuda_convolution_set(dv_cuda_convolution *self, dv_convolution_direction direction,
                                   const dv_convolution_algorithm *algorithm)
{
    self->algorithm[direction] = *algorithm;
    if (algorithm->number >= 0)
        DV_CUDNN(cudnnSetConvolutionMathType(self->convolution[direction], algorithm->math));
    return DV_OK;
}

/* Whether an algorithm uses a Fourier or Winograd transform, which rounds more than sums of
   products. */
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

/* Whether the context accepts the algorithm. Unless it accepts any, the algorithm must be
   repeatable and, in floats, as exact as sums of products. */
static bool is_wanted(const dv_node_step *s, dv_convolution_direction direction,
                      const found *result)
{
    if (s->context->algorithms == DV_ALGORITHMS_ANY)
        return true;
    return result->determinism == CUDNN_DETERMINISTIC &&
           (s->x_type[0].dtype != DV_F32 || !is_transformed(direction, result->algorithm));
}

/* Adds an algorithm to the candidates if it may be used and fits the workspace. It takes the
   heuristics' math type, which may differ from the descriptor's. Floats without TF32 keep FMA, so
   cuDNN is asked for the workspace again. */
static dv_status add_candidate(const dv_node_step *s, dv_cuda_convolution *self,
                               dv_convolution_direction direction, const found *result,
                               dv_convolution_candidates *list)
{
    const dv_cuda_device *device = dv_cuda_device_of(s->context);
    dv_convolution_algorithm algorithm = {.number = result->algorithm, .math = result->math};
    if (s->x_type[0].dtype == DV_F32 && !s->context->tf32)
        algorithm.math = CUDNN_FMA_MATH;
    if (result->status != CUDNN_STATUS_SUCCESS || !is_wanted(s, direction, result) ||
        has(list, &algorithm))
        return DV_OK;
    DV_TRY(dv__cuda_convolution_set(self, direction, &algorithm));
    if (dv__cudnn_workspace(device, self, direction, algorithm.number, &algorithm.workspace) &&
        algorithm.workspace <= device->workspace)
        list->items[list->count++] = algorithm;
    return DV_OK;
}

/* Adds algorithms that cuDNN documents for channels last but the heuristics may not return: for 16
   bits with tensor cores and, for sizes that do not suit these, without. */
static dv_status add_common(const dv_node_step *s, dv_cuda_convolution *self,
                            dv_convolution_direction direction, dv_convolution_candidates *list)
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

static dv_status add_im2col(const dv_node_step *s, dv_cuda_convolution *self,
                            dv_convolution_direction direction, dv_convolution_candidates *list)
{
    bool offered;
    dv_convolution_algorithm algorithm = {.number = DV_CONVOLUTION_IM2COL};
    DV_TRY(dv__cuda_im2col_plan(s, self, direction, &offered, &algorithm.workspace));
    if (offered)
        list->items[list->count++] = algorithm;
    return DV_OK;
}

static dv_status list_candidates(const dv_node_step *s, dv_cuda_convolution *self,
                                 dv_convolution_direction direction,
                                 dv_convolution_candidates *list)
{
    static cudnnStatus_t (*const ask[DV_CONVOLUTION_DIRECTIONS])(
        const dv_cuda_device *, const dv_cuda_convolution *, found *,
        int *) = {ask_forward, ask_data, ask_weights};
    found results[MOST];
    int count = 0;
    list->count = 0;
    if (ask[direction](dv_cuda_device_of(s->context), self, results, &count) !=
        CUDNN_STATUS_SUCCESS)
        count = 0; /* the heuristics have no answer */
    for (int i = 0; i < count; i++)
        DV_TRY(add_candidate(s, self, direction, &results[i], list));
    if (list->count == 0)
        DV_TRY(add_common(s, self, direction, list));
    return add_im2col(s, self, direction, list);
}

/* ---- The choice ---- */

/* Makes the key of a choice from the shape, the attributes, the direction and the context's
   arithmetic, with this rule of choosing. Its algorithm and math type are 0. */
static dv_cuda_choice choice_for(const dv_node_step *s, dv_convolution_direction direction,
                                 dv_algorithms rule)
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
                                             (int64_t)s->x_type[0].dtype,
                                             (int64_t)s->context->tf32,
                                             (int64_t)direction,
                                             (int64_t)rule};
    dv_cuda_choice choice = {{0}, 0, 0};
    for (int i = 0; i < DV_CUDA_CHOICE_KEY; i++)
        choice.key[i] = (int32_t)key[i];
    return choice;
}

static int find(const dv_convolution_candidates *list, const dv_cuda_choice *choice)
{
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].number == choice->algorithm &&
            (int32_t)list->items[i].math == choice->math)
            return i;
    }
    return -1;
}

/* Chooses our own kernels, which always work. */
static dv_status set_plain(const dv_node_step *s, dv_cuda_convolution *self,
                           dv_convolution_direction direction, const char *times)
{
    dv_log_write(
        &s->context->log, DV_LOG_WARNING,
        "conv2d '%s': there is no %s%s for %s -> %s in %s with at most %zu bytes of workspace; "
        "a plain kernel computes it, slowly%s%s",
        s->node->name, s->context->algorithms == DV_ALGORITHMS_ANY ? "" : "deterministic ",
        direction_name(direction), dv_shape_format(s->in[0]).text,
        dv_shape_format(s->node->shape).text, dv_products_name(s->context, s->w_type[0]),
        dv_cuda_device_of(s->context)->workspace, times[0] != '\0' ? "; tried: " : "", times);
    return dv__cuda_convolution_set(self, direction,
                                    &(dv_convolution_algorithm){.number = DV_CONVOLUTION_PLAIN});
}

static dv_status set_chosen(const dv_node_step *s, dv_cuda_convolution *self,
                            dv_convolution_direction direction,
                            const dv_convolution_algorithm *algorithm, const char *times)
{
    const char *what = direction_name(direction);
    const char *before = times[0] != '\0' ? " of " : "";
    if (algorithm->number == DV_CONVOLUTION_IM2COL)
        dv_log_write(&s->context->log, DV_LOG_DEBUG, "conv2d '%s': %s im2col%s%s", s->node->name,
                     what, before, times);
    else
        dv_log_write(&s->context->log, DV_LOG_DEBUG, "conv2d '%s': %s %d, math type %d%s%s",
                     s->node->name, what, algorithm->number, (int)algorithm->math, before, times);
    return dv__cuda_convolution_set(self, direction, algorithm);
}

/* Recalls an earlier choice. KEPT also accepts the choices of MEASURED. */
static bool recall(const dv_node_step *s, dv_convolution_direction direction,
                   dv_cuda_choice *choice)
{
    const dv_cuda_device *device = dv_cuda_device_of(s->context);
    if (s->context->algorithms == DV_ALGORITHMS_KEPT) {
        *choice = choice_for(s, direction, DV_ALGORITHMS_MEASURED);
        if (dv_cuda_choice_recall(device, choice))
            return true;
    }
    *choice = choice_for(s, direction, s->context->algorithms);
    return dv_cuda_choice_recall(device, choice);
}

/* Sets the remembered algorithm if it is among the candidates. Otherwise the candidates are
   measured, and the best one is remembered and set. If there is none, the plain kernels are set. */
dv_status dv__cuda_convolution_choose(const dv_node_step *s, dv_cuda_convolution *self,
                                      dv_convolution_direction direction)
{
    dv_cuda_device *device = dv_cuda_device_of(s->context);
    dv_convolution_candidates list;
    char times[512] = "";
    int chosen = -1;
    DV_TRY(list_candidates(s, self, direction, &list));
    if (list.count == 0)
        return set_plain(s, self, direction, times);
    dv_cuda_choice choice;
    if (recall(s, direction, &choice))
        chosen = find(&list, &choice);
    if (chosen < 0) {
        DV_TRY(
            dv__cuda_convolution_measure(s, self, direction, &list, &chosen, times, sizeof times));
        if (chosen < 0)
            return set_plain(s, self, direction, times);
        choice.algorithm = list.items[chosen].number;
        choice.math = (int32_t)list.items[chosen].math;
        dv_cuda_choice_remember(device, choice);
    }
    return set_chosen(s, self, direction, &list.items[chosen], times);
}
