/* Parameters in layouts of oneDNN: blocks of channels, with zeros at the end of the last block. Our
   own code packs panels, because a program that answers one clip would spend most of its time on
   generating oneDNN's code for that. */
#include "engine/device/cpu_device.h"

#include <stdlib.h>

typedef struct layout {
    dv_layout base;
    const dv_cpu_device *device;
    dnnl_memory_desc_t packed;
    dv_cpu_primitive pack, unpack; /* empty if both layouts are equal */
    void *scratchpad;
    int64_t filters, channels, taps; /* sizes of panels; 0 for other layouts */
} layout;

/* Runs a reorder. It cannot fail, because its primitive and memory exist. */
static void reorder(const layout *self, const dv_cpu_primitive *primitive, const void *from,
                    void *to)
{
    dv_cpu_primitive copy = *primitive;
    DV_ASSERT(dv_cpu_primitive_run(self->device, &copy, (const void *[]){from, to},
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
    return dv_md_equal(dv_cpu_layout_md(a), dv_cpu_layout_md(b));
}

static void drop(dv_layout *base)
{
    layout *self = (layout *)base;
    dv_cpu_primitive_drop(&self->pack);
    dv_cpu_primitive_drop(&self->unpack);
    free(self->scratchpad);
    free(self);
}

/* ---- Panels ---- */

/* The offset in panels of row `filter` of the weight (filters, channels, taps). */
static int64_t panel_start(const layout *self, int64_t filter)
{
    int64_t panel = self->channels * self->taps * DV_CPU_PANEL;
    return filter / DV_CPU_PANEL * panel + filter % DV_CPU_PANEL;
}

/* Channels packed at a time, so that the lines shared by a panel's filters stay in the cache. */
enum { CHANNELS = 16 };

static void pack_panels(const dv_layout *base, const void *canonical, void *packed)
{
    const layout *self = (const layout *)base;
    int64_t channels = self->channels, taps = self->taps, step = channels * DV_CPU_PANEL;
    for (int64_t panel = 0; panel < self->filters; panel += DV_CPU_PANEL) {
        int64_t filters =
            self->filters < panel + DV_CPU_PANEL ? self->filters : panel + DV_CPU_PANEL;
        for (int64_t first = 0; first < channels; first += CHANNELS) {
            int64_t end = channels < first + CHANNELS ? channels : first + CHANNELS;
            for (int64_t filter = panel; filter < filters; filter++) {
                const float *from = (const float *)canonical + filter * channels * taps;
                float *to = (float *)packed + panel_start(self, filter);
                for (int64_t c = first; c < end; c++) {
                    for (int64_t tap = 0; tap < taps; tap++)
                        to[tap * step + c * DV_CPU_PANEL] = from[c * taps + tap];
                }
            }
        }
    }
}

static void unpack_panels(const dv_layout *base, const void *packed, void *canonical)
{
    const layout *self = (const layout *)base;
    int64_t channels = self->channels, taps = self->taps, step = channels * DV_CPU_PANEL;
    for (int64_t filter = 0; filter < self->filters; filter++) {
        const float *from = (const float *)packed + panel_start(self, filter);
        float *to = (float *)canonical + filter * channels * taps;
        for (int64_t c = 0; c < channels; c++) {
            for (int64_t tap = 0; tap < taps; tap++)
                to[c * taps + tap] = from[tap * step + c * DV_CPU_PANEL];
        }
    }
}

dv_status dv_cpu_panels_create(int rank, const int64_t *dim, dv_layout **out)
{
    layout *self;
    dnnl_memory_desc_t packed;
    DV_TRY(dv_md_panels(rank, dim, &packed));
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->base = (dv_layout){.elements = (int64_t)(dv_md_bytes(&packed) / sizeof(float)),
                             .pack = pack_panels,
                             .unpack = unpack_panels,
                             .equal = equal,
                             .drop = drop};
    self->packed = packed;
    self->filters = dim[0];
    self->channels = rank == 5 ? 1 : dim[1];
    self->taps = dim[rank - 2] * dim[rank - 1];
    *out = &self->base;
    return DV_OK;
}

const dnnl_memory_desc_t *dv_cpu_layout_md(const dv_layout *base)
{
    DV_ASSERT(base->pack == pack || base->pack == pack_panels);
    return &((const layout *)base)->packed;
}

/* Creates the reorders of both directions and their scratchpad, so that packing and unpacking
   cannot fail later. */
dv_status dv_cpu_layout_create(const dv_cpu_device *device, const dnnl_memory_desc_t *canonical,
                               const dnnl_memory_desc_t *packed, dv_layout **out)
{
    layout *self;
    dv_status status = DV_OK;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->base = (dv_layout){.elements = (int64_t)(dv_md_bytes(packed) / sizeof(float)),
                             .pack = pack,
                             .unpack = unpack,
                             .equal = equal,
                             .drop = drop};
    self->device = device;
    self->packed = *packed;
    DV_TRY_GOTO(dv_cpu_reorder_create(device, canonical, packed, &self->pack));
    DV_TRY_GOTO(dv_cpu_reorder_create(device, packed, canonical, &self->unpack));
    size_t most = self->pack.scratchpad > self->unpack.scratchpad ? self->pack.scratchpad
                                                                  : self->unpack.scratchpad;
    self->scratchpad = aligned_alloc(64, dv_cpu_aligned(most + 1));
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
