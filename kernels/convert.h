/* The launcher of the conversion between types; see kernels/elementwise.h. */
#ifndef DV_KERNELS_CONVERT_H
#define DV_KERNELS_CONVERT_H

#include "kernels/formulas/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers and scales are in device memory. Between different types a NaN may lose bits. */
int dv_launch_convert(const dv_conversion *conversion, void *stream);

#ifdef __cplusplus
}
#endif

#endif
