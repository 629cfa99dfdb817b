/* The conversion between types: a kernel for each pair of them. */
#include "kernels/convert.h"

#include "kernels/formulas/quantize.h"
#include "kernels/index.cuh"

/* One scale for all elements, or a scale for every `count` elements. */
struct scales {
    const float *each;
    int64_t count;
    float all;

    __device__ __forceinline__ float at(int64_t i) const
    {
        return each != nullptr ? each[i / count] : all;
    }
};

/* Element i as a number. */
template <class T>
static __device__ __forceinline__ float load(const T *from, const scales & /*by*/, int64_t i)
{
    return dv_to_float(from[i]);
}

static __device__ __forceinline__ float load(const int8_t *from, const scales &by, int64_t i)
{
    return by.at(i) * static_cast<float>(from[i]);
}

template <class T>
static __device__ __forceinline__ void store(float value, T *into, const scales & /*by*/, int64_t i)
{
    into[i] = dv_from_float<T>(value);
}

static __device__ __forceinline__ void store(float value, int8_t *into, const scales &by, int64_t i)
{
    into[i] = dv_quantize(value, by.at(i));
}

template <class From, class To>
__global__ void convert(const From *from, scales from_scales, To *into, scales to_scales,
                        int64_t count)
{
    for (int64_t i = dv_first(); i < count; i += dv_stride())
        store(load(from, from_scales, i), into, to_scales, i);
}

/* DV_WITH_DTYPE for all types, DV_I8 included. */
#define WITH_ANY_DTYPE(dtype, T, ...)                                                              \
    do {                                                                                           \
        if ((dtype) == DV_I8) {                                                                    \
            using T = int8_t;                                                                      \
            __VA_ARGS__;                                                                           \
        } else {                                                                                   \
            DV_WITH_DTYPE(dtype, T, __VA_ARGS__);                                                  \
        }                                                                                          \
    } while (0)

int dv_launch_convert(const dv_conversion *c, void *stream)
{
    const scales from_scales = {c->from_scales, c->per_scale, c->from.scale};
    const scales to_scales = {c->to_scales, c->per_scale, c->to.scale};
    const dim3 grid = dv_blocks_for(c->count, DV_THREADS);
    WITH_ANY_DTYPE(c->from.dtype, From,
                   WITH_ANY_DTYPE(c->to.dtype, To,
                                  DV_LAUNCH((convert<From, To>), grid, DV_THREADS, 0, stream,
                                            (const From *)c->source, from_scales, (To *)c->into,
                                            to_scales, c->count)));
    return dv_launch_status();
}
