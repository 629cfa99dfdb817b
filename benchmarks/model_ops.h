/* The operations of the models as cases like those of the tests. Operations with the same
   attributes and shapes become one case. */
#ifndef DV_BENCHMARKS_MODEL_OPS_H
#define DV_BENCHMARKS_MODEL_OPS_H

#include "benchmarks/bench.h"
#include "tests/op_cases/cases.h"

typedef struct model_op {
    op_case item;      /* named after the first model that has it: "conv2d/advanced/stem" */
    unsigned unwanted; /* bit i is set if input i is the features, which need no gradient */
    int uses;          /* number of nodes in all models */
} model_op;

typedef struct model_ops {
    model_op *items; /* (count) */
    size_t count;
} model_ops;

/* Collects the operations of all models in --models for a batch of 13 x 32 features. The caller
   frees them with model_ops_free. */
dv_status model_ops_collect(const bench *b, int64_t batch, model_ops *out);
void model_ops_free(model_ops *ops);

#endif
