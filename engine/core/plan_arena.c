/* Places the values, gradients and buffers of a plan. Blocks whose lifetimes do not overlap share
   memory. */
#include "engine/core/plan_internal.h"

#include <stdlib.h>

/* Bytes. cuBLASLt asks for this alignment of a workspace; other blocks need a cache line. */
enum { ARENA_ALIGNMENT = 256 };

/* Collects the blocks that need a place, and returns their number. */
static int collect(dv_plan *plan, dv_block **blocks)
{
    int count = 0;
    for (int i = 0; i < plan->count; i++) {
        dv_planned *planned = &plan->steps[i];
        dv_block *all[3 + DV_MAX_INPUTS] = {&planned->value, &planned->gradient, &planned->saved};
        for (int k = 0; k < DV_MAX_INPUTS; k++)
            all[3 + k] = &planned->term[k];
        for (int k = 0; k < 3 + DV_MAX_INPUTS; k++) {
            if (all[k]->bytes > 0)
                blocks[count++] = all[k];
        }
    }
    if (plan->scratch.bytes > 0)
        blocks[count++] = &plan->scratch;
    return count;
}

static int by_size(const void *left, const void *right)
{
    const dv_block *a = *(dv_block *const *)left, *b = *(dv_block *const *)right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->first - b->first;
}

static size_t aligned(size_t bytes)
{
    return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

/* Gives `block` the lowest place that overlaps no placed block of an overlapping lifetime. */
static void place(dv_block *block, dv_block *const *placed, int count)
{
    block->offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const dv_block *other = placed[i];
            bool together = other->first <= block->last && block->first <= other->last;
            bool overlap = block->offset < other->offset + aligned(other->bytes) &&
                           other->offset < block->offset + aligned(block->bytes);
            if (together && overlap) {
                block->offset = other->offset + aligned(other->bytes);
                moved = true;
            }
        }
    }
}

/* Places blocks greedily by size: large ones first, each at the lowest free place. */
dv_status dv__plan_arena(dv_plan *plan)
{
    dv_block **blocks;
    size_t most = (size_t)plan->count * (3 + DV_MAX_INPUTS) + 1;
    DV_TRY(dv_calloc(most, sizeof(dv_block *), &blocks));
    int count = collect(plan, blocks);
    for (int i = 0; i < count && plan->options.keep_all; i++) {
        blocks[i]->first = 0;
        blocks[i]->last = dv__end_of_time(plan);
    }
    qsort(blocks, (size_t)count, sizeof *blocks, by_size);
    for (int i = 0; i < count; i++) {
        place(blocks[i], blocks, i);
        plan->memory.tensors += aligned(blocks[i]->bytes);
        size_t end = blocks[i]->offset + aligned(blocks[i]->bytes);
        plan->memory.arena = end > plan->memory.arena ? end : plan->memory.arena;
    }
    plan->memory.tensor_count = count;
    free(blocks);
    void *arena;
    DV_TRY(plan->context->backend->allocate(plan->context, plan->memory.arena, &arena));
    plan->arena = arena;
    return DV_OK;
}
