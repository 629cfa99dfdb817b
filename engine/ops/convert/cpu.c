/* Conversion on the CPU. */
#include "engine/ops/convert/convert_step.h"
#include "engine/ops/cpu.h"

const dv_impl dv_convert_cpu = DV_CONVERT_IMPL;
