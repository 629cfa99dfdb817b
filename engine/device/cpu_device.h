/*
 * The CPU device: oneDNN's engine and stream, and its primitives as the operations use them. What
 * changed between oneDNN 2 and 3 is in cpu_dnnl.c alone.
 */
#ifndef DV_DEVICE_CPU_DEVICE_H
#define DV_DEVICE_CPU_DEVICE_H

#include "engine/core/context.h"
#include "engine/core/params.h"

#include <dnnl.h>

/* dv_context.device of the CPU backend. */
typedef struct dv_cpu_device {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    /* From so many multiply-adds, and channels of a convolution's input, on rounding the operands
       to BF16 pays. */
    int64_t bf16_products, bf16_channels;
} dv_cpu_device;

static inline const dv_cpu_device *dv_cpu_device_of(const dv_context *context)
{
    return context->device;
}

/* Passes a failure of oneDNN on as DV_EDEVICE. */
#define DV_DNNL(call)                                                                              \
    do {                                                                                           \
        dnnl_status_t dv_dnnl_status_ = (call);                                                    \
        if (dv_dnnl_status_ != dnnl_success)                                                       \
            return dv__dnnl_failed(dv_dnnl_status_, #call);                                        \
    } while (0)

dv_status dv__dnnl_failed(dnnl_status_t status, const char *call);

/* Bytes rounded up to whole cache lines: parts of scratch memory follow one another so. */
static inline size_t dv_cpu_aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* ---- Memory descriptors ---- */

/* Row-major, or with the given distance between neighbours of each dimension, in elements. */
dv_status dv_md_plain(int rank, const int64_t *dim, const int64_t *stride, dnnl_memory_desc_t *out);

/* A layout of oneDNN's choice. */
dv_status dv_md_any(int rank, const int64_t *dim, dnnl_memory_desc_t *out);

/* The same in another type of elements. */
dnnl_memory_desc_t dv_md_of_type(dnnl_memory_desc_t md, dnnl_data_type_t type);

/* Panels of DV_CPU_PANEL filters: of rank 4 (filters, C, KH, KW), in memory
   (filters / DV_CPU_PANEL, KH, KW, C, DV_CPU_PANEL); of rank 5 (groups, 1, 1, KH, KW), in memory
   (groups / DV_CPU_PANEL, KH, KW, DV_CPU_PANEL). */
enum { DV_CPU_PANEL = 16 };
dv_status dv_md_panels(int rank, const int64_t *dim, dnnl_memory_desc_t *out);

bool dv_md_equal(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b);
size_t dv_md_bytes(const dnnl_memory_desc_t *md);

/* What a primitive expects as its argument DNNL_ARG_...: with layouts chosen. */
dnnl_memory_desc_t dv_md_argument(const_dnnl_primitive_desc_t description, int argument);

/* ---- The operands of large products ---- */

/* Whether the processor multiplies BF16. */
bool dv_cpu_has_bf16(void);

/* What the operands of a product of so many multiply-adds are rounded to: what the first parameter
   is read in, or DV_F32 where rounding does not pay. */
dv_dtype dv_cpu_operands(const dv_node_step *step, int64_t products);

/* into[i] = from[i] in BF16, as dv_convert rounds. */
void dv_cpu_round(const float *from, uint16_t *into, int64_t count);

/* The same by the calling thread alone. */
void dv_cpu_round_part(const float *from, uint16_t *into, int64_t count);

/* dv_backend.convert. */
dv_status dv_cpu_convert(dv_context *context, const dv_conversion *conversion);

/* Bytes of so many elements of BF16 in scratch memory. */
static inline size_t dv_cpu_bf16_bytes(int64_t count)
{
    return dv_cpu_aligned((size_t)count * sizeof(uint16_t));
}

/* ---- Descriptions of primitives; freed with dnnl_primitive_desc_destroy ---- */

typedef struct dv_dnnl_convolution {
    dnnl_memory_desc_t x, w, y; /* (N,C,H,W), ([groups,] filters, C, KH, KW), (N,filters,OH,OW) */
    dnnl_memory_desc_t bias;
    bool has_bias;
    int64_t stride[2], padding[2];
    int64_t dilation[2]; /* 1: dense */
} dv_dnnl_convolution;

dv_status dv_dnnl_forward(const dv_cpu_device *device, const dv_dnnl_convolution *convolution,
                          dnnl_primitive_desc_t *out);
/* `forward`: the description of the forward pass that they belong to. */
dv_status dv_dnnl_backward_data(const dv_cpu_device *device, const dv_dnnl_convolution *convolution,
                                const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *out);
dv_status dv_dnnl_backward_weights(const dv_cpu_device *device,
                                   const dv_dnnl_convolution *convolution,
                                   const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *out);

/* True unless the primitive is one of oneDNN's slow fallbacks. */
bool dv_dnnl_is_fast(const_dnnl_primitive_desc_t description);

typedef struct dv_dnnl_matmul {
    dnnl_memory_desc_t a, b, c; /* (M,K) (K,N) (M,N), any strides */
    dnnl_memory_desc_t bias;    /* (1,N) */
    bool has_bias;
    bool accumulates; /* c += a b */
} dv_dnnl_matmul;

dv_status dv__dnnl_matmul(const dv_cpu_device *device, const dv_dnnl_matmul *matmul,
                          dnnl_primitive_desc_t *out);

dv_status dv__dnnl_reorder(const dv_cpu_device *device, const dnnl_memory_desc_t *from,
                           const dnnl_memory_desc_t *to, dnnl_primitive_desc_t *out);

/* ---- Primitives ---- */

enum { DV_CPU_ARGUMENTS = 6 };

typedef struct dv_cpu_primitive {
    dnnl_primitive_t primitive; /* NULL: there is none */
    int count;
    dnnl_exec_arg_t arguments[DV_CPU_ARGUMENTS]; /* the last is the scratchpad */
    const void *addresses[DV_CPU_ARGUMENTS];     /* what the arguments point to */
    size_t scratchpad;                           /* bytes */
} dv_cpu_primitive;

/* A primitive with `count` arguments DNNL_ARG_... in the order in which run will give them. On
   failure there is nothing to drop. */
dv_status dv_cpu_primitive_create(const dv_cpu_device *device,
                                  const_dnnl_primitive_desc_t description, const int *arguments,
                                  int count, dv_cpu_primitive *out);
void dv_cpu_primitive_drop(dv_cpu_primitive *primitive);

/* `scratchpad`: primitive->scratchpad bytes, 64-byte aligned. */
dv_status dv_cpu_primitive_run(const dv_cpu_device *device, dv_cpu_primitive *primitive,
                               const void *const *addresses, void *scratchpad);

/* Multiplies matrices: arguments a, b, c [, bias]. */
dv_status dv_cpu_matmul_create(const dv_cpu_device *device, const dv_dnnl_matmul *matmul,
                               dv_cpu_primitive *out);

/* Changes the layout: arguments from, to. Where both are equal there is no primitive. */
dv_status dv_cpu_reorder_create(const dv_cpu_device *device, const dnnl_memory_desc_t *from,
                                const dnnl_memory_desc_t *to, dv_cpu_primitive *out);

/* ---- Layouts of parameters ---- */

/* The layout `packed` of a parameter that is `canonical` on the host. */
dv_status dv_cpu_layout_create(const dv_cpu_device *device, const dnnl_memory_desc_t *canonical,
                               const dnnl_memory_desc_t *packed, dv_layout **out);

/* The layout dv_md_panels of a parameter; it needs no primitives. */
dv_status dv_cpu_panels_create(int rank, const int64_t *dim, dv_layout **out);

/* The descriptor of a layout that one of these made. */
const dnnl_memory_desc_t *dv_cpu_layout_md(const dv_layout *layout);

#endif
