/* Kernels of the loss with a teacher. A warp has a row of classes. */
#include "kernels/distillation.h"

#include "kernels/classes.cuh"
#include "kernels/formulas/scalar_math.h"

/* The attributes for the kernels. */
struct distilling {
    float weight, temperature, inverse;
};

/* A row's largest logit and the sum of exp((x - largest) / temperature), in all lanes. Both are NaN
   if the row has a NaN. */
struct scale_of {
    float largest, sum;
};

template <class T>
static __device__ __forceinline__ scale_of scale_row(const T *x, float inverse, int classes)
{
    float largest = dv_largest_of(x, classes), sum = 0.0F;
    for (int k = dv_lane(); k < classes; k += DV_WARP)
        sum += dv_exp_negative((dv_to_float(x[k]) - largest) * inverse);
    return {largest, dv_warp_sum(sum)};
}

template <class T>
__global__ void distill(distilling how, const T *logits, const T *teacher, const float *targets,
                        const float *loss, float *losses, int rows, int classes)
{
    for (int row = dv_first_int() / DV_WARP; row < rows; row += dv_stride_int() / DV_WARP) {
        const T *x = logits + row * classes, *z = teacher + row * classes;
        scale_of p = scale_row(x, how.inverse, classes), q = scale_row(z, how.inverse, classes);
        float total = dv_sum_of(targets + row * classes, classes), inner = 0.0F;
        for (int k = dv_lane(); k < classes; k += DV_WARP) {
            float below = (dv_to_float(z[k]) - q.largest) * how.inverse;
            inner += dv_exp_negative(below) *
                     (below - (dv_to_float(x[k]) - p.largest) * how.inverse);
        }
        inner = dv_warp_sum(inner);
        if (dv_lane() == 0)
            losses[row] = (1.0F - how.weight) * loss[row] +
                          how.weight * how.temperature * how.temperature * total *
                              (inner / q.sum + logf(p.sum / q.sum));
    }
}

/* d loss = (1 - weight) dy; d logits_k = weight temperature sum(targets) (p_k - q_k) dy. */
template <class T>
__global__ void distill_backward(distilling how, const T *logits, const T *teacher,
                                 const float *targets, const float *dy, float *dloss, T *dlogits,
                                 int rows, int classes)
{
    for (int row = dv_first_int() / DV_WARP; row < rows; row += dv_stride_int() / DV_WARP) {
        const T *x = logits + row * classes, *z = teacher + row * classes;
        if (dloss != nullptr && dv_lane() == 0)
            dloss[row] = (1.0F - how.weight) * dy[row];
        if (dlogits == nullptr)
            continue;
        scale_of p = scale_row(x, how.inverse, classes), q = scale_row(z, how.inverse, classes);
        float scale = how.weight * how.temperature * dv_sum_of(targets + row * classes, classes) *
                      dy[row];
        for (int k = dv_lane(); k < classes; k += DV_WARP) {
            float of_logits = dv_exp_negative((dv_to_float(x[k]) - p.largest) * how.inverse);
            float of_teacher = dv_exp_negative((dv_to_float(z[k]) - q.largest) * how.inverse);
            dlogits[row * classes + k] =
                dv_from_float<T>(scale * (of_logits / p.sum - of_teacher / q.sum));
        }
    }
}

static distilling attributes_of(const dv_distillation *call)
{
    return {(float)call->weight, (float)call->temperature, (float)(1.0 / call->temperature)};
}

int dv_launch_distillation(dv_dtype dtype, const dv_distillation *call, const float *loss,
                           float *losses, void *stream)
{
    if (!dv_fits(call->rows * call->classes) || !dv_fits(call->rows * DV_WARP))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(call->rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(distill<T>, grid, DV_THREADS, 0, stream, attributes_of(call),
                            (const T *)call->logits, (const T *)call->teacher, call->targets, loss,
                            losses, (int)call->rows, (int)call->classes));
    return dv_launch_status();
}

int dv_launch_distillation_backward(dv_dtype dtype, const dv_distillation *call, const float *dy,
                                    float *dloss, void *dlogits, void *stream)
{
    if (!dv_fits(call->rows * call->classes) || !dv_fits(call->rows * DV_WARP))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(call->rows * DV_WARP, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(distill_backward<T>, grid, DV_THREADS, 0, stream, attributes_of(call),
                            (const T *)call->logits, (const T *)call->teacher, call->targets, dy,
                            dloss, (T *)dlogits, (int)call->rows, (int)call->classes));
    return dv_launch_status();
}
