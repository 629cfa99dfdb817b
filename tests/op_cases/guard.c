#include "tests/op_cases/guard.h"
#include "engine/ops/ops.h"

#include "engine/core/plan.h"
#include "tests/op_cases/vector_state.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZONE_ELEMENTS = 64 };

/* Quiet NaNs as float, and twice in a row as double. Written and read memory have different ones:
   a copy from behind an input to behind the output must not restore the zone. */
static const uint32_t poison_read = 0x7FF8A5A5U;
static const uint32_t poison_written = 0x7FF9C3C3U;

/* The guard whose operation is planning, for the wrapped calls below. */
static _Thread_local guard *planning;

void __real_dv_planner_save(dv_planner *planner, size_t bytes);
void __wrap_dv_planner_save(dv_planner *planner, size_t bytes);
void __real_dv_planner_scratch(dv_planner *planner, size_t bytes);
void __wrap_dv_planner_scratch(dv_planner *planner, size_t bytes);

void __wrap_dv_planner_save(dv_planner *planner, size_t bytes)
{
    if (planning != NULL)
        planning->saved_bytes = bytes;
    __real_dv_planner_save(planner, bytes);
}

void __wrap_dv_planner_scratch(dv_planner *planner, size_t bytes)
{
    if (planning != NULL && bytes > planning->scratch_bytes)
        planning->scratch_bytes = bytes;
    __real_dv_planner_scratch(planner, bytes);
}

/* ---- Memory between two zones ---- */

static size_t zone_bytes(const guard *guarded)
{
    return ZONE_ELEMENTS * guarded->real->real_size;
}

static void fill_poison(char *memory, size_t bytes, uint32_t poison)
{
    for (size_t i = 0; i < bytes; i++)
        memory[i] = (char)(poison >> (8 * (i % 4)));
}

/* Poisoned memory of `bytes`, aligned to 64 bytes, with a zone on both sides. */
static char *zoned(const guard *guarded, size_t bytes, uint32_t poison)
{
    size_t zone = zone_bytes(guarded), total = (bytes + 2 * zone + 63) / 64 * 64;
    char *memory = aligned_alloc(64, total);
    DV_ASSERT(memory != NULL);
    fill_poison(memory, total, poison);
    return memory + zone;
}

static bool is_poison(const char *memory, size_t bytes, size_t phase, uint32_t poison)
{
    for (size_t i = 0; i < bytes; i++) {
        if (memory[i] != (char)(poison >> (8 * ((i + phase) % 4))))
            return false;
    }
    return true;
}

static void note(guard *guarded, const dv_node_step *step, const char *what, const char *name,
                 int index)
{
    if (guarded->problem[0] == '\0')
        snprintf(guarded->problem, sizeof guarded->problem, "%s on %s: %s %s%d",
                 step->node->op->name, guarded->real->name, what, name, index);
}

/* ---- One call ---- */

enum { MAX_BLOCKS = 4 + 2 * DV_MAX_INPUTS + 5 * DV_MAX_PARAMS };

typedef struct guarded_block {
    char *memory;         /* the copy that the implementation gets */
    const char *original; /* NULL if there is none */
    char *result;         /* receives the copy afterwards; NULL if the copy must not change */
    size_t bytes;
    bool free;
    const char *name;
    int index;
} guarded_block;

typedef struct guarded_call {
    guard *guarded;
    dv_node_step step; /* with pointers to the blocks */
    guarded_block blocks[MAX_BLOCKS];
    int count;
} guarded_call;

static uint32_t poison_of(const guarded_block *block)
{
    return block->original != NULL && block->result == NULL ? poison_read : poison_written;
}

static char *add_block(guarded_call *call, guarded_block block)
{
    if (block.memory == NULL) {
        block.memory = zoned(call->guarded, block.bytes, poison_of(&block));
        block.free = true;
    }
    if (block.original != NULL)
        memcpy(block.memory, block.original, block.bytes);
    call->blocks[call->count++] = block;
    return block.memory;
}

static size_t bytes_of(const guard *guarded, dv_shape shape, dv_type type)
{
    return (size_t)dv_shape_count(shape) * dv_backend_size(guarded->real, type.dtype);
}

static size_t input_bytes(const guard *guarded, const dv_node_step *step, int i)
{
    return bytes_of(guarded, step->in[i], step->x_type[i]);
}

static size_t output_bytes(const guard *guarded, const dv_node_step *step)
{
    return bytes_of(guarded, step->node->shape, step->node->type);
}

static int64_t parameter_elements(const guard *guarded, int index)
{
    const dv_param *param = &guarded->params->items[index];
    return param->layout != NULL ? param->layout->elements : param->count;
}

static size_t parameter_bytes(const guard *guarded, int index)
{
    return (size_t)parameter_elements(guarded, index) * guarded->real->real_size;
}

/* Adds blocks for the rounded parameters, and their scales, that products read. */
static void add_operands(guarded_call *call, const dv_node_step *step)
{
    const guard *guarded = call->guarded;
    for (int i = 0; i < step->node->param_count; i++) {
        int index = step->node->params[i];
        size_t size = dv_dtype_size(step->w_type[i]);
        guarded_block operand = {.original = step->w_operand[i],
                                 .name = "rounded parameter ",
                                 .index = i,
                                 .bytes = (size_t)parameter_elements(guarded, index) * size};
        guarded_block scales = {.original = (const char *)step->w_scales[i],
                                .name = "scales of parameter ",
                                .index = i,
                                .bytes =
                                    (size_t)guarded->params->items[index].dim[0] * sizeof(float)};
        call->step.w_operand[i] = step->w_type[i] != DV_F32 ? add_block(call, operand)
                                                            : (char *)(uintptr_t)call->step.w[i];
        if (step->w_scales[i] != NULL)
            call->step.w_scales[i] = (const float *)(void *)add_block(call, scales);
    }
}

static void begin(guarded_call *call, guard *guarded, const dv_node_step *step)
{
    memset(call, 0, sizeof *call);
    call->guarded = guarded;
    call->step = *step;
    for (int i = 0; i < step->node->param_count; i++)
        call->step.w[i] = add_block(
            call, (guarded_block){.original = step->w[i],
                                  .name = "parameter ",
                                  .index = i,
                                  .bytes = parameter_bytes(guarded, step->node->params[i])});
    add_operands(call, step);
    if (guarded->scratch_bytes > 0)
        call->step.scratch =
            add_block(call, (guarded_block){.bytes = guarded->scratch_bytes, .name = "scratch "});
    if (guarded->saved_bytes > 0) {
        if (guarded->saved == NULL)
            guarded->saved = zoned(guarded, guarded->saved_bytes, poison_written);
        call->step.saved = add_block(call, (guarded_block){.memory = guarded->saved,
                                                           .bytes = guarded->saved_bytes,
                                                           .name = "saved "});
    }
}

/* Checks zones and inputs, copies the results and frees the blocks. */
static void finish(guarded_call *call, dv_node_step *step)
{
    guard *guarded = call->guarded;
    size_t zone = zone_bytes(guarded);
    for (int i = 0; i < call->count; i++) {
        const guarded_block *b = &call->blocks[i];
        if (!is_poison(b->memory - zone, zone, 0, poison_of(b)))
            note(guarded, step, "wrote before", b->name, b->index);
        if (!is_poison(b->memory + b->bytes, zone, b->bytes % 4, poison_of(b)))
            note(guarded, step, "wrote behind", b->name, b->index);
        if (b->result != NULL)
            memcpy(b->result, b->memory, b->bytes);
        else if (b->original != NULL && memcmp(b->original, b->memory, b->bytes) != 0)
            note(guarded, step, "changed", b->name, b->index);
        if (b->free)
            free(b->memory - zone);
    }
    step->self = call->step.self;
}

/* Calls `pass`, forward or backward of the operation; its vector registers must end cleared. */
static dv_status watched(guarded_call *call, const dv_node_step *step,
                         dv_status (*pass)(dv_node_step *step))
{
    guard *guarded = call->guarded;
    if (guarded->watches_registers)
        vector_state_clear();
    dv_status status = pass(&call->step);
    int in_use = guarded->watches_registers ? vector_state_in_use() : 0;
    if (in_use != 0)
        note(guarded, step, "left vector registers in use:", "state ", in_use);
    return status;
}

static dv_status guarded_plan(dv_planner *planner, dv_node_step *step)
{
    guard *guarded = (guard *)(uintptr_t)step->context->backend;
    guarded->saved_bytes = guarded->scratch_bytes = 0;
    planning = guarded;
    dv_status status = guarded->real->impls[guarded->op]->plan(planner, step);
    planning = NULL;
    return status;
}

static dv_status guarded_forward(dv_node_step *step)
{
    guard *guarded = (guard *)(uintptr_t)step->context->backend;
    guarded_call call;
    begin(&call, guarded, step);
    for (int i = 0; i < step->node->input_count; i++)
        call.step.x[i] = add_block(&call, (guarded_block){.original = step->x[i],
                                                          .name = "input ",
                                                          .index = i,
                                                          .bytes = input_bytes(guarded, step, i)});
    for (int i = 0; i < step->node->state_count; i++)
        call.step.state[i] = add_block(
            &call, (guarded_block){.original = step->state[i],
                                   .result = step->pass->training ? step->state[i] : NULL,
                                   .name = "state ",
                                   .index = i,
                                   .bytes = parameter_bytes(guarded, step->node->states[i])});
    call.step.y = add_block(&call, (guarded_block){.result = step->y,
                                                   .name = "output ",
                                                   .bytes = output_bytes(guarded, step)});
    call.step.dy = NULL;
    memset(call.step.dx, 0, sizeof call.step.dx);
    memset(call.step.dw, 0, sizeof call.step.dw);
    if (call.step.saved != NULL)
        fill_poison(call.step.saved, guarded->saved_bytes, poison_written);
    dv_status status = watched(&call, step, guarded->real->impls[guarded->op]->forward);
    finish(&call, step);
    return status;
}

/* Fills a gradient with NaN, except for a layout's gaps, which must stay zero. */
static void poison_gradient(const guard *guarded, const dv_param *param, void *packed)
{
    if (param->layout == NULL)
        return;
    char *canonical = malloc((size_t)param->count * guarded->real->real_size);
    DV_ASSERT(canonical != NULL);
    fill_poison(canonical, (size_t)param->count * guarded->real->real_size, poison_written);
    memset(packed, 0, (size_t)param->layout->elements * guarded->real->real_size);
    param->layout->pack(param->layout, canonical, packed);
    free(canonical);
}

/* Checks that gaps are zero. Packing ones finds them: they stay zero. Only float backends have
   layouts. */
static void check_gaps(guard *guarded, const dv_node_step *step, int i, const float *packed)
{
    const dv_param *param = &guarded->params->items[step->node->params[i]];
    if (param->layout == NULL)
        return;
    float *ones = malloc((size_t)param->count * sizeof *ones);
    float *used = calloc((size_t)param->layout->elements, sizeof *used);
    DV_ASSERT(ones != NULL && used != NULL);
    for (int64_t k = 0; k < param->count; k++)
        ones[k] = 1;
    param->layout->pack(param->layout, ones, used);
    for (int64_t k = 0; k < param->layout->elements; k++) {
        if (used[k] == 0 && packed[k] != 0)
            note(guarded, step, "left a number in a gap of the gradient of", "parameter ", i);
    }
    free(ones);
    free(used);
}

static void backward_inputs(guarded_call *call, const dv_node_step *step)
{
    guard *guarded = call->guarded;
    unsigned reads = dv_node_backward_reads(step->node);
    for (int i = 0; i < step->node->input_count; i++) {
        bool kept = (reads & DV_READS_INPUT(i)) != 0;
        call->step.x[i] = add_block(call, (guarded_block){.original = kept ? step->x[i] : NULL,
                                                          .name = "input ",
                                                          .index = i,
                                                          .bytes = input_bytes(guarded, step, i)});
    }
    bool kept = (reads & DV_READS_OUTPUT) != 0;
    call->step.y = add_block(call, (guarded_block){.original = kept ? step->y : NULL,
                                                   .name = "output ",
                                                   .bytes = output_bytes(guarded, step)});
    call->step.dy = add_block(call, (guarded_block){.original = step->dy,
                                                    .name = "output gradient ",
                                                    .bytes = output_bytes(guarded, step)});
    for (int i = 0; i < step->node->state_count; i++)
        call->step.state[i] = add_block(
            call, (guarded_block){.original = step->state[i],
                                  .name = "state ",
                                  .index = i,
                                  .bytes = parameter_bytes(guarded, step->node->states[i])});
}

static dv_status guarded_backward(dv_node_step *step)
{
    guard *guarded = (guard *)(uintptr_t)step->context->backend;
    guarded_call call;
    begin(&call, guarded, step);
    backward_inputs(&call, step);
    for (int i = 0; i < step->node->input_count; i++) {
        if (step->dx[i] != NULL)
            call.step.dx[i] =
                add_block(&call, (guarded_block){.result = step->dx[i],
                                                 .name = "input gradient ",
                                                 .index = i,
                                                 .bytes = input_bytes(guarded, step, i)});
    }
    for (int i = 0; i < step->node->param_count; i++) {
        int index = step->node->params[i];
        call.step.dw[i] =
            add_block(&call, (guarded_block){.result = step->dw[i],
                                             .name = "parameter gradient ",
                                             .index = i,
                                             .bytes = parameter_bytes(guarded, index)});
        poison_gradient(guarded, &guarded->params->items[index], call.step.dw[i]);
    }
    dv_status status = watched(&call, step, guarded->real->impls[guarded->op]->backward);
    finish(&call, step);
    for (int i = 0; i < step->node->param_count; i++)
        check_gaps(guarded, step, i, step->dw[i]);
    return status;
}

static void guarded_drop(dv_node_step *step)
{
    guard *guarded = (guard *)(uintptr_t)step->context->backend;
    guarded->real->impls[guarded->op]->drop(step);
}

void guard_init(guard *out, const dv_backend *real, dv_op_id op)
{
    const dv_impl *impl = real->impls[op];
    memset(out, 0, sizeof *out);
    out->backend = *real;
    out->real = real;
    out->op = op;
    out->watches_registers = real->host_memory && vector_state_unknown() == NULL;
    out->impl = (dv_impl){
        .plan = impl->plan != NULL ? guarded_plan : NULL,
        .forward = guarded_forward,
        .backward = impl->backward != NULL ? guarded_backward : NULL,
        .drop = impl->drop != NULL ? guarded_drop : NULL,
        .computes = impl->computes,
    };
    memcpy(out->impls, real->impls, sizeof out->impls);
    out->impls[op] = &out->impl;
    out->backend.impls = out->impls;
}

void guard_free(guard *guarded)
{
    if (guarded->saved != NULL)
        free(guarded->saved - zone_bytes(guarded));
    guarded->saved = NULL;
}
