/* Kernels that swap axes, and that join and split channels. A thread moves single elements. */
#include "kernels/shape.h"

#include "kernels/index.cuh"

template <class T> __global__ void swap_axes(const T *x, T *y, int count, int a, int b, int inner)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        int column = i % inner, at_a = i / inner % a, rest = i / inner / a;
        int at_b = rest % b, sample = rest / b;
        y[i] = x[((sample * a + at_a) * b + at_b) * inner + column];
    }
}

/* The place of a column of y: its part and the column there. */
struct part_place {
    int part, column;
};

static __device__ __forceinline__ part_place find_part(const dv_concat &call, int column)
{
    int part = 0;
    while (column >= (int)call.width[part])
        column -= (int)call.width[part++];
    return {part, column};
}

template <class T> __global__ void concat(dv_concat call, T *y, int count, int width)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        part_place at = find_part(call, i % width);
        const T *from = (const T *)call.from[at.part];
        y[i] = from[i / width * (int)call.width[at.part] + at.column];
    }
}

template <class T>
__global__ void concat_backward(dv_concat call, const T *dy, int count, int width)
{
    for (int i = dv_first_int(); i < count; i += dv_stride_int()) {
        part_place at = find_part(call, i % width);
        T *to = (T *)call.to[at.part];
        if (to != nullptr)
            to[i / width * (int)call.width[at.part] + at.column] = dy[i];
    }
}

static int64_t total_width(const dv_concat *call)
{
    int64_t width = 0;
    for (int k = 0; k < call->parts; k++)
        width += call->width[k];
    return width;
}

int dv_launch_swap_axes(dv_dtype dtype, const void *x, void *y, int64_t samples, int64_t a,
                        int64_t b, int64_t inner, void *stream)
{
    int64_t count = samples * a * b * inner;
    if (!dv_fits(count))
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(swap_axes<T>, grid, DV_THREADS, 0, stream, (const T *)x, (T *)y,
                            (int)count, (int)a, (int)b, (int)inner));
    return dv_launch_status();
}

int dv_launch_concat(dv_dtype dtype, const dv_concat *call, void *y, void *stream)
{
    int64_t width = total_width(call), count = call->rows * width;
    if (!dv_fits(count) || call->parts > DV_CONCAT_MAX)
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(
        dtype, T,
        DV_LAUNCH(concat<T>, grid, DV_THREADS, 0, stream, *call, (T *)y, (int)count, (int)width));
    return dv_launch_status();
}

int dv_launch_concat_backward(dv_dtype dtype, const dv_concat *call, const void *dy, void *stream)
{
    int64_t width = total_width(call), count = call->rows * width;
    if (!dv_fits(count) || call->parts > DV_CONCAT_MAX)
        return (int)cudaErrorInvalidValue;
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(concat_backward<T>, grid, DV_THREADS, 0, stream, *call, (const T *)dy,
                            (int)count, (int)width));
    return dv_launch_status();
}
