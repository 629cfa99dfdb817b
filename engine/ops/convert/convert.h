/* Conversion to another type: ONNX's Cast, QuantizeLinear and DequantizeLinear. */
#ifndef DV_OPS_CONVERT_H
#define DV_OPS_CONVERT_H

#include "engine/core/op.h"

/* x -> y of the same shape in `dtype`, by the rules of dv_conversion. The gradient is converted
   back, as if nothing had been rounded. There is no gradient if either type is scaled. */
typedef struct dv_convert_attr {
    int dtype;    /* dv_dtype */
    double scale; /* scale of y, above 0, if its type is scaled; otherwise 0 */
} dv_convert_attr;

#endif
