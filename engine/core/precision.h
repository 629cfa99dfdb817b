/* The precision of a network: which types its numbers have. Parameters, their gradients, moments
   and statistics are float in any of them. */
#ifndef DV_CORE_PRECISION_H
#define DV_CORE_PRECISION_H

#include "engine/base/status.h"
#include "kernels/formulas/dtype.h"

typedef struct dv_context dv_context;

typedef struct dv_precision {
    dv_dtype values;   /* activations and their gradients; some operations have DV_F32 (dv_op) */
    dv_dtype operands; /* what the operands of large products are rounded to */
} dv_precision;

/* Everything in DV_F32. */
#define DV_FULL_PRECISION ((dv_precision){DV_F32, DV_F32})

/* The precision of a network in `dtype`: of all its values, or where the backend can do no more, of
   the operands of large products alone. DV_EUNSUPPORTED: neither, and why. */
dv_status dv_precision_in(dv_context *context, dv_dtype dtype, dv_precision *out);

/* What can be asked for: "fp32", "fp16", "bf16", "tf32" and NULL. */
typedef enum dv_arithmetic {
    DV_ARITHMETIC_FP32,
    DV_ARITHMETIC_FP16,
    DV_ARITHMETIC_BF16,
    DV_ARITHMETIC_TF32, /* values are DV_F32 */
    DV_ARITHMETIC_COUNT
} dv_arithmetic;
extern const char *const dv_precision_names[];

/* Of the values. */
dv_dtype dv_arithmetic_dtype(dv_arithmetic arithmetic);

/* Sets the context's TF32, and gives the precision of a network in this arithmetic.
   DV_EUNSUPPORTED. */
dv_status dv_precision_choose(dv_context *context, dv_arithmetic arithmetic, dv_precision *out);

#endif
