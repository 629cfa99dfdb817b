/*
 * The types of elements, for the values of a network and for rounded operands of products.
 * Parameters, their gradients, statistics and reductions are always DV_F32.
 */
#ifndef DV_FORMULAS_DTYPE_H
#define DV_FORMULAS_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one list: type, bytes of an element, whether the numbers are multiples of a scale, name. */
#define DV_DTYPES(X)                                                                               \
    X(DV_F32, 4, false, "fp32")                                                                    \
    X(DV_F16, 2, false, "fp16")  /* IEEE 754 binary16 */                                           \
    X(DV_BF16, 2, false, "bf16") /* the upper 16 bits of a float */                                \
    X(DV_I8, 1, true, "int8")    /* a number is scale * q, q from -127 to 127 */

typedef enum dv_dtype {
#define DV_DTYPE(dtype, bytes, scaled, name) dtype,
    DV_DTYPES(DV_DTYPE)
#undef DV_DTYPE
        DV_DTYPE_COUNT
} dv_dtype;

/* Bytes of an element; 0 for an unknown type. */
static inline size_t dv_dtype_size(dv_dtype dtype)
{
    switch (dtype) {
#define DV_DTYPE(dtype, bytes, scaled, name)                                                       \
    case dtype:                                                                                    \
        return bytes;
        DV_DTYPES(DV_DTYPE)
#undef DV_DTYPE
    default:
        return 0;
    }
}

/* Whether a number is a multiple of a scale. Such a type is for inference: it has no gradients. */
static inline bool dv_dtype_scaled(dv_dtype dtype)
{
    switch (dtype) {
#define DV_DTYPE(dtype, bytes, scaled, name)                                                       \
    case dtype:                                                                                    \
        return scaled;
        DV_DTYPES(DV_DTYPE)
#undef DV_DTYPE
    default:
        return false;
    }
}

/* The name in the configuration and in messages. */
static inline const char *dv_dtype_name(dv_dtype dtype)
{
    switch (dtype) {
#define DV_DTYPE(dtype, bytes, scaled, name)                                                       \
    case dtype:                                                                                    \
        return name;
        DV_DTYPES(DV_DTYPE)
#undef DV_DTYPE
    default:
        return "unknown";
    }
}

/* The type of a tensor. */
typedef struct dv_type {
    dv_dtype dtype;
    float scale; /* scale of all elements, above 0; 0 if the dtype is not scaled */
} dv_type;

static inline bool dv_type_equal(dv_type a, dv_type b)
{
    return a.dtype == b.dtype && !(a.scale < b.scale) && !(a.scale > b.scale);
}

/*
 * A conversion of `count` numbers from one type to another. Both pointers are memory of one kind
 * and do not overlap. Each number becomes a float, which is rounded to the nearest number of the
 * other type, ties to even. A number that is too large becomes infinite, or in a scaled type the
 * largest number. A NaN stays a NaN, or becomes 0 in a scaled type. Equal types are copied.
 */
typedef struct dv_conversion {
    const void *source;
    void *into;
    int64_t count;
    dv_type from, to;
    /* A scale for every `per_scale` consecutive elements of a scaled type, in the same kind of
       memory as the numbers. If NULL, dv_type.scale is the scale of all elements. */
    const float *from_scales, *to_scales;
    int64_t per_scale;
} dv_conversion;

/* Whether the types are equal. Then bits are copied, also those of a NaN. */
static inline bool dv_conversion_copies(const dv_conversion *c)
{
    return dv_type_equal(c->from, c->to) && c->from_scales == NULL && c->to_scales == NULL;
}

#endif
