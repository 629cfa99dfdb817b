/* Conversion on the reference. */
#include "engine/ops/convert/convert_step.h"
#include "engine/ops/ref.h"

const dv_impl DV_REF(convert) = DV_CONVERT_IMPL;
