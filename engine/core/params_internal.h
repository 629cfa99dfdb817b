/* Declarations shared by params.c and params_copies.c. */
#ifndef DV_CORE_PARAMS_INTERNAL_H
#define DV_CORE_PARAMS_INTERNAL_H

#include "engine/core/params.h"

/* Elements of a parameter in its buffer, the gaps of its layout included. */
static inline int64_t dv__param_elements(const dv_param *param)
{
    return param->layout != NULL ? param->layout->elements : param->count;
}

/* The same with the gap before the next parameter, which begins at a multiple of 64 bytes, 16
   floats. */
static inline int64_t dv__param_places(const dv_param *param)
{
    return (dv__param_elements(param) + 15) / 16 * 16;
}

/* Assigns places to the copies of all parameters. The parameters have their places already. */
void dv__params_place_copies(dv_params *params);

/* Allocates the copies for a buffer that forward may read. */
dv_status dv__params_allocate_copies(dv_params *params, dv_buffer buffer);

/* Updates the copy of one parameter, if it has one. The work is complete when this returns. */
dv_status dv__params_round_one(dv_params *params, int index, dv_buffer buffer);

#endif
