/* Parameters in a layout of oneDNN's: blocks of channels, the last block filled up with zeros. */
#include "engine/core/cpu_device.h"

#include <stdlib.h>

typedef struct layout {
    dv_layout base;
    const dv_cpu_device *device;
    dnnl_memory_desc_t packed;
    dv_cpu_primitive pack, unpack; /* none where both layouts are equal */
    void *scratchpad;
} layout;

/* The primitives exist and the memory is there, so that nothing is left that could fail. */
static void reorder(const layout *self, const dv_cpu_primitive *primitive, const void *from,
                    void *to)
{
    dv_cpu_primitive copy = *primitive;
    DV_ASSERT(dv__cpu_primitive_run(self->device, &copy, (const void *[]){from, to},
                                    self->scratchpad) == DV_OK);
}

static void pack(const dv_layout *base, const void *canonical, void *packed)
{
    const layout *self = (const layout *)base;
    reorder(self, &self->pack, canonical, packed);
}

static void unpack(const dv_layout *base, const void *packed, void *canonical)
{
    const layout *self = (const layout *)base;
    reorder(self, &self->unpack, packed, canonical);
}

static bool equal(const dv_layout *a, const dv_layout *b)
{
    return dv__md_equal(dv__cpu_layout_md(a), dv__cpu_layout_md(b));
}

static void drop(dv_layout *base)
{
    layout *self = (layout *)base;
    dv__cpu_primitive_drop(&self->pack);
    dv__cpu_primitive_drop(&self->unpack);
    free(self->scratchpad);
    free(self);
}

const dnnl_memory_desc_t *dv__cpu_layout_md(const dv_layout *base)
{
    DV_ASSERT(base->pack == pack);
    return &((const layout *)base)->packed;
}

dv_status dv__cpu_layout_create(const dv_cpu_device *device, const dnnl_memory_desc_t *canonical,
                                const dnnl_memory_desc_t *packed, dv_layout **out)
{
    layout *self;
    dv_status status = DV_OK;
    DV_TRY(dv__calloc(1, sizeof *self, &self));
    self->base = (dv_layout){.elements = (int64_t)(dv__md_bytes(packed) / sizeof(float)),
                             .pack = pack,
                             .unpack = unpack,
                             .equal = equal,
                             .drop = drop};
    self->device = device;
    self->packed = *packed;
    DV_TRY_GOTO(dv__cpu_reorder_create(device, canonical, packed, &self->pack));
    DV_TRY_GOTO(dv__cpu_reorder_create(device, packed, canonical, &self->unpack));
    size_t most = self->pack.scratchpad > self->unpack.scratchpad ? self->pack.scratchpad
                                                                  : self->unpack.scratchpad;
    self->scratchpad = aligned_alloc(64, dv__cpu_aligned(most + 1));
    if (self->scratchpad == NULL) {
        status = DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", most);
        goto fail;
    }
    *out = &self->base;
    return DV_OK;
fail:
    drop(&self->base);
    return status;
}
