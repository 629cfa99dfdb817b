/* Kernels of the loss. A warp has a row of classes. */
#include "kernels/softmax.h"

#include "kernels/classes.cuh"
#include "kernels/formulas/scalar_math.h"

/* The smoothed targets are q = keep target + spread sum(target). */
struct smoothing_of {
    float keep, spread;
};

/* Computes sum_k q_k (log sum - x_k), with all logits relative to the largest. */
template <class T>
__global__ void cross_entropy(smoothing_of q, const T *logits, const float *targets, float *losses,
                              int rows, int classes)
{
    for (int row = dv_first_int() / DV_WARP; row < rows; row += dv_stride_int() / DV_WARP) {
        const T *x = logits + row * classes;
        const float *target = targets + row * classes;
        float largest = dv_largest_of(x, classes), spread = q.spread * dv_sum_of(target, classes);
        float sum = 0.0F, total = 0.0F, inner = 0.0F;
        for (int k = dv_lane(); k < classes; k += DV_WARP) {
            float below = dv_to_float(x[k]) - largest;
            float share = q.keep * target[k] + spread;
            sum += dv_exp_negative(below);
            total += share;
            inner += share * below;
        }
        sum = dv_warp_sum(sum);
        total = dv_warp_sum(total);
        inner = dv_warp_sum(inner);
        if (dv_lane() == 0)
            losses[row] = logf(sum) * total - inner;
    }
}

/* dx_k = dy (softmax_k sum(q) - q_k). */
template <class T>
__global__ void cross_entropy_backward(smoothing_of q, const T *logits, const float *targets,
                                       const float *dy, T *dx, int rows, int classes)
{
    for (int row = dv_first_int() / DV_WARP; row < rows; row += dv_stride_int() / DV_WARP) {
        const T *x = logits + row * classes;
        const float *target = targets + row * classes;
        float largest = dv_largest_of(x, classes), spread = q.spread * dv_sum_of(target, classes);
        float sum = 0.0F, total = 0.0F;
        for (int k = dv_lane(); k < classes; k += DV_WARP) {
            sum += dv_exp_negative(dv_to_float(x[k]) - largest);
            total += q.keep * target[k] + spread;
        }
        float scale = dv_warp_sum(total) / dv_warp_sum(sum), gradient = dy[row];
        for (int k = dv_lane(); k < classes; k += DV_WARP) {
            float softmax = dv_exp_negative(dv_to_float(x[k]) - largest) * scale;
            float share = q.keep * target[k] + spread;
            dx[row * classes + k] = dv_from_float<T>(gradient * (softmax - share));
        }
    }
}

static smoothing_of get_smoothing(double smoothing, int64_t classes)
{
    return {(float)(1.0 - smoothing), (float)(smoothing / (double)classes)};
}

int dv_launch_softmax_cross_entropy(dv_dtype dtype, double smoothing, const void *logits,
                                    const float *targets, float *losses, int64_t rows,
                                    int64_t classes, void *stream)
{
    if (!dv_fits(rows * classes) || !dv_fits(rows * DV_WARP))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(cross_entropy<T>, grid, DV_THREADS, 0, stream,
                            get_smoothing(smoothing, classes), (const T *)logits, targets, losses,
                            (int)rows, (int)classes));
    return dv_launch_status();
}

int dv_launch_softmax_cross_entropy_backward(dv_dtype dtype, double smoothing, const void *logits,
                                             const float *targets, const float *dy, void *dx,
                                             int64_t rows, int64_t classes, void *stream)
{
    if (!dv_fits(rows * classes) || !dv_fits(rows * DV_WARP))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(cross_entropy_backward<T>, grid, DV_THREADS, 0, stream,
                            get_smoothing(smoothing, classes), (const T *)logits, targets, dy,
                            (T *)dx, (int)rows, (int)classes));
    return dv_launch_status();
}
