/* What params.c and params_copies.c share. */
#ifndef DV_CORE_PARAMS_INTERNAL_H
#define DV_CORE_PARAMS_INTERNAL_H

#include "engine/core/params.h"

/* Elements of a parameter in its buffer, the gaps of its layout included. */
static inline int64_t dv__param_elements(const dv_param *param)
{
    return param->layout != NULL ? param->layout->elements : param->count;
}

/* The same up to where the next one begins: 64 bytes of float are 16 elements. */
static inline int64_t dv__param_places(const dv_param *param)
{
    return (dv__param_elements(param) + 15) / 16 * 16;
}

/* Gives places to the copies of all parameters, which have theirs. */
void dv__params_place_copies(dv_params *params);

/* Allocates the copies of a buffer that forward may read. */
dv_status dv__params_allocate_copies(dv_params *params, dv_buffer buffer);

/* Makes the copy of one parameter anew, where it has one; complete when it returns. */
dv_status dv__params_round_one(dv_params *params, int index, dv_buffer buffer);

#endif
