/* A value in another type: what ONNX calls Cast, QuantizeLinear and DequantizeLinear. */
#ifndef DV_OPS_CONVERT_H
#define DV_OPS_CONVERT_H

#include "engine/core/op.h"

/* x -> y of the same shape, of `dtype`; the rules are dv_conversion's. The gradient is converted
   back, as if nothing had been rounded; there is none where either type is scaled. */
typedef struct dv_convert_attr {
    int dtype;    /* dv_dtype */
    double scale; /* of all of y, where its type is scaled: above 0; else 0 */
} dv_convert_attr;

#endif
