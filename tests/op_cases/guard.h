/*
 * A backend with one operation under guard: its implementation sees private copies of every tensor,
 * each between two zones of 64 elements of NaN that are checked afterwards. Inputs must come back
 * unchanged. Outputs, gradients, saved and scratch memory begin as NaN, so whatever the operation
 * leaves out or reads too early or outside shows in the results. In backward even those forward
 * values are NaN that the operation does not declare in backward_reads, since in a plan other
 * tensors may lie there by then. The operation must leave the vector registers cleared
 * (tests/op_cases/vector_state.h).
 *
 * Linked with --wrap for dv_planner_save and dv_planner_scratch, which say how much was asked for.
 */
#ifndef TESTS_OPS_GUARD_H
#define TESTS_OPS_GUARD_H

#include "engine/core/context.h"
#include "engine/core/graph.h"
#include "engine/ops/ops.h"

typedef struct guard {
    dv_backend backend; /* must be first: found again from context->backend */
    const dv_backend *real;
    const dv_impl *impls[DV_OP_COUNT];
    dv_impl impl;
    dv_op_id op;
    bool watches_registers;  /* where their state can be told */
    const dv_params *params; /* for the layouts; set before the first run */
    size_t saved_bytes, scratch_bytes;
    char *saved;       /* from forward to backward */
    char problem[256]; /* the first one found; "" while all is well */
} guard;

/* Makes `out->backend` the backend `real` with `op` under guard. */
void guard_init(guard *out, const dv_backend *real, dv_op_id op);
void guard_free(guard *guarded);

#endif
