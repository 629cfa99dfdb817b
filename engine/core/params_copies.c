/* Places the copies of parameters that products read, and rounds values to them. */
#include "engine/core/context.h"
#include "engine/core/params_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* ---- Places ---- */

static bool is_common(const dv_params *params, const dv_param *param)
{
    return param->operand == params->precision.operands;
}

/* Copies in the precision's operand type have the places of the values, so that one pass makes all
   of them. The other copies follow one by one. */
void dv__params_place_copies(dv_params *params)
{
    size_t size = dv_dtype_size(params->precision.operands);
    bool common = params->precision.operands != DV_F32;
    params->copy_bytes = common ? (size_t)params->value_elements * size : 0;
    params->scale_count = 0;
    for (int i = 0; i < params->count; i++) {
        dv_param *param = &params->items[i];
        if (param->operand == DV_F32)
            continue;
        param->copy_at =
            is_common(params, param) ? (size_t)param->offset * size : params->copy_bytes;
        param->scales_at = params->scale_count;
        if (!is_common(params, param))
            params->copy_bytes += (size_t)dv__param_places(param) * dv_dtype_size(param->operand);
        if (dv_dtype_scaled(param->operand))
            params->scale_count += param->dim[0];
    }
}

static dv_status allocate(dv_params *params, size_t bytes, void **memory)
{
    if (*memory != NULL || bytes == 0)
        return DV_OK;
    return params->context->backend->allocate(params->context, bytes, memory);
}

dv_status dv__params_allocate_copies(dv_params *params, dv_buffer buffer)
{
    void *scales = params->scales[buffer];
    if (buffer != DV_BUFFER_VALUES && buffer != DV_BUFFER_AVERAGE)
        return DV_OK;
    DV_TRY(allocate(params, params->copy_bytes, &params->copies[buffer]));
    dv_status status = allocate(params, (size_t)params->scale_count * sizeof(float), &scales);
    params->scales[buffer] = scales;
    return status;
}

void *dv_params_operand(const dv_params *params, int index, dv_buffer buffer)
{
    const dv_param *param = &params->items[index];
    if (param->operand == DV_F32)
        return dv_params_address(params, index, buffer);
    return (char *)params->copies[buffer] + param->copy_at;
}

const float *dv_params_scales(const dv_params *params, int index, dv_buffer buffer)
{
    const dv_param *param = &params->items[index];
    return dv_dtype_scaled(param->operand) ? params->scales[buffer] + param->scales_at : NULL;
}

/* ---- Rounding ---- */

/* Finds the scales of a parameter's rows (in PyTorch's order) of floats or doubles. A row whose
   numbers are zero or too small gets the scale 1. */
static void find_scales(const dv_param *param, const void *values, size_t real_size, float *scales)
{
    int64_t columns = param->count / param->dim[0];
    for (int64_t row = 0; row < param->dim[0]; row++) {
        double largest = 0;
        for (int64_t i = row * columns; i < (row + 1) * columns; i++) {
            double value = real_size == sizeof(double) ? ((const double *)values)[i]
                                                       : (double)((const float *)values)[i];
            largest = fabs(value) > largest ? fabs(value) : largest;
        }
        float scale = (float)largest / 127.0F;
        scales[row] = scale >= FLT_MIN ? scale : 1.0F;
    }
}

static dv_status write_scales(dv_params *params, int index, dv_buffer buffer)
{
    const dv_param *param = &params->items[index];
    const dv_backend *backend = params->context->backend;
    void *values;
    float *scales;
    DV_TRY(dv_calloc((size_t)param->count, backend->real_size, &values));
    dv_status status = dv_calloc((size_t)param->dim[0], sizeof *scales, &scales);
    if (status == DV_OK)
        status = dv_params_read(params, index, buffer, values);
    if (status == DV_OK) {
        find_scales(param, values, backend->real_size, scales);
        status = backend->upload(params->context, params->scales[buffer] + param->scales_at, scales,
                                 (size_t)param->dim[0] * sizeof *scales);
    }
    free(scales);
    free(values);
    return status;
}

static dv_status round_one(dv_params *params, int index, dv_buffer buffer)
{
    const dv_param *param = &params->items[index];
    if (param->operand == DV_F32)
        return DV_OK;
    if (dv_dtype_scaled(param->operand))
        DV_TRY(write_scales(params, index, buffer));
    dv_conversion conversion = {.source = dv_params_address(params, index, buffer),
                                .into = dv_params_operand(params, index, buffer),
                                .count = dv__param_elements(param),
                                .to = {.dtype = param->operand},
                                .to_scales = dv_params_scales(params, index, buffer),
                                .per_scale = param->count / param->dim[0]};
    return params->context->backend->convert(params->context, &conversion);
}

static dv_status round_all(dv_params *params, dv_buffer buffer)
{
    dv_conversion common = {.source = params->buffers[buffer],
                            .into = params->copies[buffer],
                            .count = params->value_elements,
                            .to = {.dtype = params->precision.operands}};
    if (common.to.dtype != DV_F32)
        DV_TRY(params->context->backend->convert(params->context, &common));
    for (int i = 0; i < params->count; i++) {
        if (!is_common(params, &params->items[i]))
            DV_TRY(round_one(params, i, buffer));
    }
    return DV_OK;
}

static dv_status wait(const dv_params *params)
{
    const dv_backend *backend = params->context->backend;
    return backend->wait != NULL ? backend->wait(params->context) : DV_OK;
}

dv_status dv_params_round(dv_params *params, dv_buffer buffer)
{
    if (params->copies[buffer] == NULL)
        return DV_OK;
    DV_TRY(round_all(params, buffer));
    return wait(params);
}

dv_status dv__params_round_one(dv_params *params, int index, dv_buffer buffer)
{
    DV_TRY(round_one(params, index, buffer));
    return wait(params);
}
