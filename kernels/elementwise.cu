/* Kernels on single elements. Threads go through the elements in steps of the whole grid. */
#include "kernels/elementwise.h"

#include "kernels/formulas/scalar_math.h"
#include "kernels/index.cuh"

static __global__ void fill(float *out, float value, int64_t count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride())
        out[i] = value;
}

template <class T> __global__ void accumulate(T *into, const T *from, int64_t count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride())
        into[i] = dv_from_float<T>(dv_to_float(into[i]) + dv_to_float(from[i]));
}

template <class T> __global__ void add(const T *a, const T *b, T *y, int64_t count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride())
        y[i] = dv_from_float<T>(dv_to_float(a[i]) + dv_to_float(b[i]));
}

template <class T> __global__ void add_backward(const T *dy, T *da, T *db, int64_t count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride()) {
        T gradient = dy[i];
        if (da != nullptr)
            da[i] = gradient;
        if (db != nullptr)
            db[i] = gradient;
    }
}

template <class T> __global__ void activation(int kind, const T *x, T *y, int64_t count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride())
        y[i] = dv_from_float<T>(dv_activate(kind, dv_to_float(x[i])));
}

template <class T>
__global__ void activation_backward(int kind, const T *x, const T *y, const T *dy, T *dx,
                                    int64_t count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride()) {
        float slope = dv_activation_slope(kind, dv_to_float(x[i]), dv_to_float(y[i]));
        dx[i] = dv_from_float<T>(dv_to_float(dy[i]) * slope);
    }
}

int dv_launch_fill(float *out, double value, int64_t count, void *stream)
{
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_LAUNCH(fill, grid, DV_THREADS, 0, stream, out, (float)value, count);
    return dv_launch_status();
}

int dv_launch_accumulate(dv_dtype dtype, void *into, const void *from, int64_t count, void *stream)
{
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(
        dtype, T,
        DV_LAUNCH(accumulate<T>, grid, DV_THREADS, 0, stream, (T *)into, (const T *)from, count));
    return dv_launch_status();
}

int dv_launch_add(dv_dtype dtype, const void *a, const void *b, void *y, int64_t count,
                  void *stream)
{
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(
        dtype, T,
        DV_LAUNCH(add<T>, grid, DV_THREADS, 0, stream, (const T *)a, (const T *)b, (T *)y, count));
    return dv_launch_status();
}

int dv_launch_add_backward(dv_dtype dtype, const void *dy, void *da, void *db, int64_t count,
                           void *stream)
{
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(add_backward<T>, grid, DV_THREADS, 0, stream, (const T *)dy, (T *)da,
                            (T *)db, count));
    return dv_launch_status();
}

int dv_launch_activation(dv_dtype dtype, int kind, const void *x, void *y, int64_t count,
                         void *stream)
{
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(
        dtype, T,
        DV_LAUNCH(activation<T>, grid, DV_THREADS, 0, stream, kind, (const T *)x, (T *)y, count));
    return dv_launch_status();
}

int dv_launch_activation_backward(dv_dtype dtype, int kind, const void *x, const void *y,
                                  const void *dy, void *dx, int64_t count, void *stream)
{
    dim3 grid = dv_blocks_for(count, DV_THREADS);
    DV_WITH_DTYPE(dtype, T,
                  DV_LAUNCH(activation_backward<T>, grid, DV_THREADS, 0, stream, kind, (const T *)x,
                            (const T *)y, (const T *)dy, (T *)dx, count));
    return dv_launch_status();
}
