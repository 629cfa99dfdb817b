/* Conversion on a CUDA device. */
#include "engine/ops/convert/convert_step.h"
#include "engine/ops/cuda.h"

const dv_impl dv_convert_cuda = DV_CONVERT_IMPL;
