/* Maximum over windows, padded with minus infinity. */
#ifndef DV_OPS_MAXPOOL_H
#define DV_OPS_MAXPOOL_H

#include "engine/core/op.h"

/* x (N,H,W,C) -> y (N,OH,OW,C), with the sizes of a convolution. The gradient goes to the first
   maximum of a window in row order, as in PyTorch. */
typedef struct dv_pool_attr {
    int64_t kernel[2];
    int64_t stride[2];  /* infer() replaces 0 by the kernel's size */
    int64_t padding[2]; /* at most half the kernel */
} dv_pool_attr;

/* Shared by maxpool and avgpool: checks the attributes and sets the output shape. */
dv_status dv__pool_infer(dv_graph *graph, dv_node *node);
extern const dv_field dv__pool_fields[];

#endif
