/*
 * A convolution of one group as a matrix product by cuBLASLt. Each output position has a row in
 * `columns` (positions, taps channels), which holds the inputs of its sum:
 *
 *     y = columns w'        w (filters, taps channels)
 *     dw = dy' columns
 *     dx = the columns' gradient dy w, summed over overlapping rows
 *
 * cuBLASLt's matrices are column-major, so y (positions, filters) is the matrix (filters,
 * positions). The workspace holds the columns, then cuBLASLt's workspace.
 */
#include "engine/ops/conv2d/cuda_conv2d.h"

static int64_t positions_of(const dv_convolution *shape)
{
    return shape->images * shape->out_height * shape->out_width;
}

static int64_t patch_of(const dv_convolution *shape)
{
    return shape->kernel[0] * shape->kernel[1] * shape->channels;
}

/* Bytes of the columns. Their gradient is float, so that each sum is rounded only once. */
static size_t columns_bytes(const dv_cuda_convolution *self, dv_convolution_direction direction)
{
    dv_dtype dtype = direction == DV_CONVOLUTION_DATA ? DV_F32 : self->dtype;
    int64_t count = positions_of(&self->shape) * patch_of(&self->shape);
    return dv_cuda_aligned((size_t)count * dv_dtype_size(dtype));
}

/* Describes the product of a direction with column-major matrices. Only the gradient of the columns
   is always float. */
static dv_cuda_product_form form_of(const dv_cuda_convolution *self,
                                    dv_convolution_direction direction)
{
    const dv_convolution *shape = &self->shape;
    cudaDataType_t type = dv_cuda_data_type(self->dtype);
    dv_cuda_extents columns = {patch_of(shape), positions_of(shape)};
    dv_cuda_extents w = {patch_of(shape), shape->filters};
    dv_cuda_extents y = {shape->filters, positions_of(shape)};
    dv_cuda_product_form form = {.epilogue = CUBLASLT_EPILOGUE_DEFAULT, .type_d = type};
    switch (direction) {
    case DV_CONVOLUTION_FORWARD:
        form.a = w;
        form.b = columns;
        form.d = y;
        form.transpose_a = true;
        break;
    case DV_CONVOLUTION_DATA:
        form.a = w;
        form.b = y;
        form.d = columns;
        form.type_d = CUDA_R_32F;
        break;
    default:
        form.a = columns;
        form.b = y;
        form.d = w;
        form.transpose_b = true;
        break;
    }
    return form;
}

dv_status dv__cuda_im2col_plan(const dv_node_step *s, dv_cuda_convolution *self,
                               dv_convolution_direction direction, bool *found, size_t *bytes)
{
    const dv_cuda_device *device = dv_cuda_device_of(s->context);
    dv_cuda_product *product = &self->product[direction];
    *found = false;
    *bytes = columns_bytes(self, direction);
    if (self->shape.groups != 1 || *bytes > device->workspace)
        return DV_OK;
    if (product->operation == NULL) {
        dv_cuda_product_form form = form_of(self, direction);
        DV_TRY(dv_cuda_product_find(s, &form, product, found));
    }
    *bytes += product->workspace;
    *found = product->operation != NULL && *bytes <= device->workspace;
    return DV_OK;
}

dv_status dv__cuda_im2col_run(const dv_cuda_device *device, const dv_cuda_convolution *self,
                              dv_convolution_direction direction, const dv_convolution_operands *to)
{
    const dv_cuda_product *product = &self->product[direction];
    void *columns = to->workspace;
    void *rest = (char *)to->workspace + columns_bytes(self, direction);
    if (direction == DV_CONVOLUTION_DATA) {
        DV_TRY(dv_cuda_product_run(device, product, to->w, to->y, columns, rest));
        DV_CUDA(dv_launch_col2im(self->dtype, &self->shape, columns, to->out, device->stream));
        return DV_OK;
    }
    DV_CUDA(dv_launch_im2col(self->dtype, &self->shape, to->x, columns, device->stream));
    return direction == DV_CONVOLUTION_FORWARD
               ? dv_cuda_product_run(device, product, to->w, columns, to->out, rest)
               : dv_cuda_product_run(device, product, columns, to->y, to->out, rest);
}
