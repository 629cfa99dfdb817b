/* Maximum over windows; padding counts as minus infinity. */
#ifndef DV_OPS_MAXPOOL_H
#define DV_OPS_MAXPOOL_H

#include "engine/core/op.h"

/* x (N,H,W,C) -> y (N,OH,OW,C), sizes as convolution. The gradient goes to the first maximum of a
   window in row order, as PyTorch. */
typedef struct dv_pool_attr {
    int64_t kernel[2];
    int64_t stride[2];  /* 0: the kernel, by which a node's attribute replaces it */
    int64_t padding[2]; /* at most half the kernel */
} dv_pool_attr;

/* Shared by maxpool and avgpool: checks and the output's shape. */
dv_status dv__pool_infer(dv_graph *graph, dv_node *node);
extern const dv_field dv__pool_fields[];

#endif
