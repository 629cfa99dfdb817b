/* The names of the optimisers, and the rate of an update with Adam's corrections. */
#include "engine/optimizer/optimizer.h"

#include <stddef.h>

const char *const dv_optimizer_names[] = {
    [DV_ADAMW] = "adamw",
    [DV_ADAM] = "adam",
    [DV_SGD] = "sgd",
    [DV_OPTIMIZER_COUNT] = NULL,
};

dv_rate dv_rate_make(double learning_rate, double beta1, double beta2, uint64_t t)
{
    return (dv_rate){.learning_rate = learning_rate,
                     .correction1 = 1 - pow(beta1, (double)t),
                     .correction2 = 1 - pow(beta2, (double)t)};
}
