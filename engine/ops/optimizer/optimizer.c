#include "engine/ops/optimizer/optimizer.h"

#include <stddef.h>

const char *const dv_optimizer_names[] = {
    [DV_ADAMW] = "adamw",
    [DV_ADAM] = "adam",
    [DV_SGD] = "sgd",
    [DV_OPTIMIZER_COUNT] = NULL,
};
