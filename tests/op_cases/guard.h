/*
 * A backend with one operation under guard. The implementation gets private copies of every tensor,
 * each between two zones of 64 elements of NaN that are checked afterwards. Inputs must come back
 * unchanged. Outputs, gradients, saved memory and scratch memory begin as NaN, so that elements
 * that are left out, read too early or read outside show in the results. In backward, forward
 * values that the operation does not declare in backward_reads are NaN as well, because in a plan
 * other tensors may lie there by then. The operation must leave the vector registers cleared
 * (tests/op_cases/vector_state.h).
 *
 * Programs link with --wrap for dv_planner_save and dv_planner_scratch, which tell the sizes that
 * an operation asks for.
 */
#ifndef TESTS_OPS_GUARD_H
#define TESTS_OPS_GUARD_H

#include "engine/core/context.h"
#include "engine/core/graph.h"
#include "engine/ops/ops.h"

typedef struct guard {
    dv_backend backend; /* must be first: context->backend is cast back to the guard */
    const dv_backend *real;
    const dv_impl *impls[DV_OP_COUNT];
    dv_impl impl;
    dv_op_id op;
    bool watches_registers;  /* the state of the vector registers can be read */
    const dv_params *params; /* give the layouts; set before the first run */
    size_t saved_bytes, scratch_bytes;
    char *saved;       /* saved memory, kept from forward to backward */
    char problem[256]; /* the first problem found, empty without one */
} guard;

/* Makes `out->backend` a copy of the backend `real` with `op` under guard. */
void guard_init(guard *out, const dv_backend *real, dv_op_id op);
void guard_free(guard *guarded);

#endif
