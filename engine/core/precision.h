/* The precision of a network: the types of its numbers. Parameters, their gradients, moments and
   statistics are float in every precision. */
#ifndef DV_CORE_PRECISION_H
#define DV_CORE_PRECISION_H

#include "engine/base/status.h"
#include "kernels/formulas/dtype.h"

typedef struct dv_context dv_context;

typedef struct dv_precision {
    dv_dtype values;   /* type of activations and their gradients, except DV_F32 ones (dv_op) */
    dv_dtype operands; /* type to which the operands of large products are rounded */
} dv_precision;

/* All types are DV_F32. */
#define DV_FULL_PRECISION ((dv_precision){DV_F32, DV_F32})

/* The precision of a network in `dtype`: all values, or only the operands of large products if the
   backend cannot do more. Fails with DV_EUNSUPPORTED if it can do neither; the message says why. */
dv_status dv_precision_in(dv_context *context, dv_dtype dtype, dv_precision *out);

/* The arithmetic that a user may choose. */
typedef enum dv_arithmetic {
    DV_ARITHMETIC_FP32,
    DV_ARITHMETIC_FP16,
    DV_ARITHMETIC_BF16,
    DV_ARITHMETIC_TF32, /* values are DV_F32 */
    DV_ARITHMETIC_COUNT
} dv_arithmetic;

/* "fp32", "fp16", "bf16", "tf32", NULL */
extern const char *const dv_precision_names[];

/* The type of the values. */
dv_dtype dv_arithmetic_dtype(dv_arithmetic arithmetic);

/* Sets the context's TF32, and gives the precision of a network in this arithmetic. Fails with
   DV_EUNSUPPORTED. */
dv_status dv_precision_choose(dv_context *context, dv_arithmetic arithmetic, dv_precision *out);

#endif
