/* The operations of the models, as cases like those of the tests: each with different attributes or
   shapes once. */
#ifndef DV_BENCHMARKS_MODEL_OPS_H
#define DV_BENCHMARKS_MODEL_OPS_H

#include "benchmarks/bench.h"
#include "tests/op_cases/cases.h"

typedef struct model_op {
    op_case item;      /* name: "conv2d/advanced/stem", by the first model that has it */
    unsigned unwanted; /* bit i: input i has no gradient in the model: the features */
    int uses;          /* in all models */
} model_op;

typedef struct model_ops {
    model_op *items; /* (count) */
    size_t count;
} model_ops;

/* Of all models in --models, for a batch of 13 x 32 features. */
dv_status model_ops_collect(const bench *b, int64_t batch, model_ops *out);
void model_ops_free(model_ops *ops);

#endif
