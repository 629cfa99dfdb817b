/*
 * The CPU device: oneDNN's engine and stream, and helpers for its primitives. Only cpu_dnnl.c
 * depends on the differences between oneDNN 2 and 3.
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
    /* Least multiply-adds, and least input channels of a convolution, for which rounding the
       operands to BF16 pays. */
    int64_t bf16_products, bf16_channels;
} dv_cpu_device;

static inline const dv_cpu_device *dv_cpu_device_of(const dv_context *context)
{
    return context->device;
}

/* Returns DV_EDEVICE from the calling function if a call of oneDNN fails. */
#define DV_DNNL(call)                                                                              \
    do {                                                                                           \
        dnnl_status_t dv_dnnl_status_ = (call);                                                    \
        if (dv_dnnl_status_ != dnnl_success)                                                       \
            return dv__dnnl_failed(dv_dnnl_status_, #call);                                        \
    } while (0)

dv_status dv__dnnl_failed(dnnl_status_t status, const char *call);

/* Bytes rounded up to whole cache lines, so that parts of scratch memory are aligned. */
static inline size_t dv_cpu_aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* ---- Memory descriptors ---- */

/* A layout with the given strides in elements. A `stride` of NULL is row-major. */
dv_status dv_md_plain(int rank, const int64_t *dim, const int64_t *stride, dnnl_memory_desc_t *out);

/* A layout that oneDNN chooses. */
dv_status dv_md_any(int rank, const int64_t *dim, dnnl_memory_desc_t *out);

/* The same layout with another element type. */
dnnl_memory_desc_t dv_md_of_type(dnnl_memory_desc_t md, dnnl_data_type_t type);

/* Panels of DV_CPU_PANEL filters. Rank 4, (filters, C, KH, KW), has the memory order
   (filters / DV_CPU_PANEL, KH, KW, C, DV_CPU_PANEL). Rank 5, (groups, 1, 1, KH, KW), has the memory
   order (groups / DV_CPU_PANEL, KH, KW, DV_CPU_PANEL). */
enum { DV_CPU_PANEL = 16 };
dv_status dv_md_panels(int rank, const int64_t *dim, dnnl_memory_desc_t *out);

bool dv_md_equal(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b);
size_t dv_md_bytes(const dnnl_memory_desc_t *md);

/* The descriptor that a primitive expects for its argument DNNL_ARG_..., with the layout chosen. */
dnnl_memory_desc_t dv_md_argument(const_dnnl_primitive_desc_t description, int argument);

/* ---- The operands of large products ---- */

/* Whether the processor multiplies BF16. */
bool dv_cpu_has_bf16(void);

/* The type to which a product of `products` multiply-adds rounds its operands: the operand type of
   the first parameter, or DV_F32 if rounding does not pay. */
dv_dtype dv_cpu_operands(const dv_node_step *step, int64_t products);

/* into[i] = from[i] in BF16, with the rounding of dv_convert. */
void dv_cpu_round(const float *from, uint16_t *into, int64_t count);

/* The same in the calling thread alone. */
void dv_cpu_round_part(const float *from, uint16_t *into, int64_t count);

/* dv_backend.convert. */
dv_status dv_cpu_convert(dv_context *context, const dv_conversion *conversion);

/* Bytes of `count` BF16 elements in scratch memory. */
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
    int64_t dilation[2]; /* 1 is a dense kernel */
} dv_dnnl_convolution;

dv_status dv_dnnl_forward(const dv_cpu_device *device, const dv_dnnl_convolution *convolution,
                          dnnl_primitive_desc_t *out);
/* `forward` is the description of their forward pass. */
dv_status dv_dnnl_backward_data(const dv_cpu_device *device, const dv_dnnl_convolution *convolution,
                                const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *out);
dv_status dv_dnnl_backward_weights(const dv_cpu_device *device,
                                   const dv_dnnl_convolution *convolution,
                                   const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *out);

/* Whether the primitive is none of oneDNN's slow fallbacks. */
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
    dnnl_primitive_t primitive; /* NULL if there is none */
    int count;
    dnnl_exec_arg_t arguments[DV_CPU_ARGUMENTS]; /* the last is the scratchpad */
    const void *addresses[DV_CPU_ARGUMENTS];     /* memory of the arguments */
    size_t scratchpad;                           /* bytes */
} dv_cpu_primitive;

/* Makes a primitive with `count` arguments DNNL_ARG_..., in the order of the addresses for run. On
   failure there is nothing to drop. */
dv_status dv_cpu_primitive_create(const dv_cpu_device *device,
                                  const_dnnl_primitive_desc_t description, const int *arguments,
                                  int count, dv_cpu_primitive *out);
void dv_cpu_primitive_drop(dv_cpu_primitive *primitive);

/* Runs the primitive. `scratchpad` has primitive->scratchpad bytes and is 64-byte aligned. */
dv_status dv_cpu_primitive_run(const dv_cpu_device *device, dv_cpu_primitive *primitive,
                               const void *const *addresses, void *scratchpad);

/* A matrix product with the arguments a, b, c [, bias]. */
dv_status dv_cpu_matmul_create(const dv_cpu_device *device, const dv_dnnl_matmul *matmul,
                               dv_cpu_primitive *out);

/* A change of layout with the arguments from, to. If both layouts are equal there is no
   primitive. */
dv_status dv_cpu_reorder_create(const dv_cpu_device *device, const dnnl_memory_desc_t *from,
                                const dnnl_memory_desc_t *to, dv_cpu_primitive *out);

/* ---- Layouts of parameters ---- */

/* Makes the layout `packed` of a parameter whose layout on the host is `canonical`. */
dv_status dv_cpu_layout_create(const dv_cpu_device *device, const dnnl_memory_desc_t *canonical,
                               const dnnl_memory_desc_t *packed, dv_layout **out);

/* Makes the layout of dv_md_panels for a parameter. It needs no primitives. */
dv_status dv_cpu_panels_create(int rank, const int64_t *dim, dv_layout **out);

/* The descriptor of a layout that one of these functions made. */
const dnnl_memory_desc_t *dv_cpu_layout_md(const dv_layout *layout);

#endif
