/* Finds the precision that a backend can give to a network. */
#include "engine/core/precision.h"
#include "engine/core/context.h"

const char *const dv_precision_names[] = {[DV_ARITHMETIC_FP32] = "fp32",
                                          [DV_ARITHMETIC_FP16] = "fp16",
                                          [DV_ARITHMETIC_BF16] = "bf16",
                                          [DV_ARITHMETIC_TF32] = "tf32",
                                          NULL};

dv_status dv_precision_in(dv_context *context, dv_dtype dtype, dv_precision *out)
{
    const dv_backend *backend = context->backend;
    bool whole = dv_backend_has(backend, dtype);
    if (!whole && backend->check_operands == NULL)
        return DV_FAIL(DV_EUNSUPPORTED, "%s computes in fp32 alone, not in %s", backend->name,
                       dv_dtype_name(dtype));
    if (!whole)
        DV_TRY(backend->check_operands(context, dtype));
    *out = (dv_precision){.values = whole ? dtype : DV_F32, .operands = dtype};
    return DV_OK;
}

dv_dtype dv_arithmetic_dtype(dv_arithmetic arithmetic)
{
    static const dv_dtype dtypes[DV_ARITHMETIC_COUNT] = {
        [DV_ARITHMETIC_FP16] = DV_F16, [DV_ARITHMETIC_BF16] = DV_BF16};
    return dtypes[arithmetic]; /* others have DV_F32 */
}

dv_status dv_precision_choose(dv_context *context, dv_arithmetic arithmetic, dv_precision *out)
{
    DV_TRY(dv_context_set_tf32(context, arithmetic == DV_ARITHMETIC_TF32));
    return dv_precision_in(context, dv_arithmetic_dtype(arithmetic), out);
}
