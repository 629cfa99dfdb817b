/*
 * The element types of activations on a device. Parameters, statistics and reductions are always
 * float.
 */
#ifndef DV_FORMULAS_DTYPE_H
#define DV_FORMULAS_DTYPE_H

#include <stddef.h>

typedef enum dv_dtype {
    DV_F32,
    DV_F16,  /* IEEE 754 half */
    DV_BF16, /* the upper half of a float */
    DV_DTYPE_COUNT
} dv_dtype;

/* Bytes of an element; 0 for what is no dv_dtype. */
static inline size_t dv_dtype_size(dv_dtype dtype)
{
    switch (dtype) {
    case DV_F32:
        return 4;
    case DV_F16:
    case DV_BF16:
        return 2;
    default:
        return 0;
    }
}

/* As the configuration writes it. */
static inline const char *dv_dtype_name(dv_dtype dtype)
{
    switch (dtype) {
    case DV_F32:
        return "fp32";
    case DV_F16:
        return "fp16";
    case DV_BF16:
        return "bf16";
    default:
        return "unknown";
    }
}

#endif
