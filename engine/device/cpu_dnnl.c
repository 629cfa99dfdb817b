/* The calls of oneDNN 2 that oneDNN 3 has replaced: operation descriptors and memory descriptors by
   value. */
#include "engine/device/cpu_device.h"

#include <string.h>

static void copy_dims(int rank, const int64_t *dim, dnnl_dims_t out)
{
    for (int d = 0; d < rank; d++)
        out[d] = dim[d];
}

/* ---- Memory descriptors ---- */

dv_status dv_md_plain(int rank, const int64_t *dim, const int64_t *stride, dnnl_memory_desc_t *out)
{
    dnnl_dims_t dims, strides;
    copy_dims(rank, dim, dims);
    int64_t next = 1;
    for (int d = rank - 1; d >= 0; d--) {
        strides[d] = stride != NULL ? stride[d] : next;
        next *= dim[d];
    }
    DV_DNNL(dnnl_memory_desc_init_by_strides(out, rank, dims, dnnl_f32, strides));
    return DV_OK;
}

dv_status dv_md_any(int rank, const int64_t *dim, dnnl_memory_desc_t *out)
{
    dnnl_dims_t dims;
    copy_dims(rank, dim, dims);
    DV_DNNL(dnnl_memory_desc_init_by_tag(out, rank, dims, dnnl_f32, dnnl_format_tag_any));
    return DV_OK;
}

dnnl_memory_desc_t dv_md_of_type(dnnl_memory_desc_t md, dnnl_data_type_t type)
{
    md.data_type = type;
    return md;
}

dv_status dv_md_panels(int rank, const int64_t *dim, dnnl_memory_desc_t *out)
{
    dnnl_dims_t dims;
    copy_dims(rank, dim, dims);
    DV_DNNL(dnnl_memory_desc_init_by_tag(out, rank, dims, dnnl_f32,
                                         rank == 5 ? dnnl_Abcde16a : dnnl_Acdb16a));
    return DV_OK;
}

bool dv_md_equal(const dnnl_memory_desc_t *a, const dnnl_memory_desc_t *b)
{
    return dnnl_memory_desc_equal(a, b) != 0;
}

size_t dv_md_bytes(const dnnl_memory_desc_t *md)
{
    return dnnl_memory_desc_get_size(md);
}

dnnl_memory_desc_t dv_md_argument(const_dnnl_primitive_desc_t description, int argument)
{
    const dnnl_memory_desc_t *md =
        dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, argument);
    return md != NULL ? *md : (dnnl_memory_desc_t){0};
}

/* ---- Descriptions of primitives ---- */

/* Describes a primitive whose scratchpad comes from the caller, so that a run allocates nothing. */
static dv_status describe(const dv_cpu_device *device, const_dnnl_op_desc_t operation,
                          dnnl_primitive_attr_t attributes, const_dnnl_primitive_desc_t forward,
                          dnnl_primitive_desc_t *out)
{
    DV_DNNL(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user));
    DV_DNNL(dnnl_primitive_desc_create(out, operation, attributes, device->engine, forward));
    return DV_OK;
}

static dv_status describe_plain(const dv_cpu_device *device, const_dnnl_op_desc_t operation,
                                const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attributes;
    DV_DNNL(dnnl_primitive_attr_create(&attributes));
    dv_status status = describe(device, operation, attributes, forward, out);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

typedef struct window {
    dnnl_dims_t stride, padding, dilation;
} window;

static window window_of(const dv_dnnl_convolution *convolution)
{
    window result;
    for (int axis = 0; axis < 2; axis++) {
        result.stride[axis] = convolution->stride[axis];
        result.padding[axis] = convolution->padding[axis];
        result.dilation[axis] = convolution->dilation[axis] - 1; /* oneDNN counts the gaps */
    }
    return result;
}

static const dnnl_memory_desc_t *bias_of(const dv_dnnl_convolution *convolution)
{
    return convolution->has_bias ? &convolution->bias : NULL;
}

dv_status dv_dnnl_forward(const dv_cpu_device *device, const dv_dnnl_convolution *c,
                          dnnl_primitive_desc_t *out)
{
    window w = window_of(c);
    dnnl_convolution_desc_t operation;
    DV_DNNL(dnnl_dilated_convolution_forward_desc_init(
        &operation, dnnl_forward_training, dnnl_convolution_direct, &c->x, &c->w, bias_of(c), &c->y,
        w.stride, w.dilation, w.padding, w.padding));
    return describe_plain(device, &operation, NULL, out);
}

dv_status dv_dnnl_backward_data(const dv_cpu_device *device, const dv_dnnl_convolution *c,
                                const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *out)
{
    window w = window_of(c);
    dnnl_convolution_desc_t operation;
    DV_DNNL(dnnl_dilated_convolution_backward_data_desc_init(&operation, dnnl_convolution_direct,
                                                             &c->x, &c->w, &c->y, w.stride,
                                                             w.dilation, w.padding, w.padding));
    return describe_plain(device, &operation, forward, out);
}

dv_status dv_dnnl_backward_weights(const dv_cpu_device *device, const dv_dnnl_convolution *c,
                                   const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *out)
{
    window w = window_of(c);
    dnnl_convolution_desc_t operation;
    DV_DNNL(dnnl_dilated_convolution_backward_weights_desc_init(
        &operation, dnnl_convolution_direct, &c->x, &c->w, bias_of(c), &c->y, w.stride, w.dilation,
        w.padding, w.padding));
    return describe_plain(device, &operation, forward, out);
}

bool dv_dnnl_is_fast(const_dnnl_primitive_desc_t description)
{
    const char *name = NULL;
    if (dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) != dnnl_success)
        return false;
    return strstr(name, "ref") == NULL && strstr(name, "gemm:") == NULL;
}

static dv_status accumulate(dnnl_primitive_attr_t attributes)
{
    dnnl_post_ops_t post_ops;
    DV_DNNL(dnnl_post_ops_create(&post_ops));
    dnnl_status_t failed = dnnl_post_ops_append_sum(post_ops, 1.0F);
    if (failed == dnnl_success)
        failed = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
    dnnl_post_ops_destroy(post_ops);
    DV_DNNL(failed);
    return DV_OK;
}

dv_status dv__dnnl_matmul(const dv_cpu_device *device, const dv_dnnl_matmul *matmul,
                          dnnl_primitive_desc_t *out)
{
    dnnl_matmul_desc_t operation;
    DV_DNNL(dnnl_matmul_desc_init(&operation, &matmul->a, &matmul->b,
                                  matmul->has_bias ? &matmul->bias : NULL, &matmul->c));
    dnnl_primitive_attr_t attributes;
    DV_DNNL(dnnl_primitive_attr_create(&attributes));
    dv_status status = matmul->accumulates ? accumulate(attributes) : DV_OK;
    if (status == DV_OK)
        status = describe(device, &operation, attributes, NULL, out);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

dv_status dv__dnnl_reorder(const dv_cpu_device *device, const dnnl_memory_desc_t *from,
                           const dnnl_memory_desc_t *to, dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attributes;
    DV_DNNL(dnnl_primitive_attr_create(&attributes));
    dnnl_status_t failed =
        dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (failed == dnnl_success)
        failed = dnnl_reorder_primitive_desc_create(out, from, device->engine, to, device->engine,
                                                    attributes);
    dnnl_primitive_attr_destroy(attributes);
    DV_DNNL(failed);
    return DV_OK;
}
