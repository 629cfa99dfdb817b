/* Computes the products by cuBLASLt. If it has no such product, plain kernels compute a convolution
   of single positions. cuBLASLt's matrices are column-major: the tensor x (rows, in) is the matrix
   (in, rows), the weight (out, in) is (in, out), and y (rows, out) is (out, rows). */
#include "engine/gemm/cuda_dense.h"
#include "engine/core/graph.h"
#include "engine/gemm/cuda_product.h"
#include "kernels/bias.h"
#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/formulas/scalar_math.h"

#include <stdlib.h>

/* ---- The plan ---- */

struct dv_cuda_dense {
    dv_cuda_dense_layer layer;
    dv_cuda_product forward, data, weights;
    bool fused; /* forward adds the bias and applies a ReLU itself */
    bool plain; /* uses plain kernels instead of the products */
};

void dv_cuda_dense_drop(dv_cuda_dense *self)
{
    dv_cuda_product_drop(&self->forward);
    dv_cuda_product_drop(&self->data);
    dv_cuda_product_drop(&self->weights);
    free(self);
}

static cublasLtEpilogue_t epilogue_of(const dv_cuda_dense_layer *attr)
{
    if (attr->activation == DV_ACT_RELU)
        return attr->bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    return attr->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

static dv_status plan_product(const dv_node_step *s, const dv_cuda_product_form *form,
                              dv_cuda_product *self)
{
    bool found;
    DV_TRY(dv_cuda_product_find(s, form, self, &found));
    if (found)
        return DV_OK;
    return DV_FAIL(DV_EUNSUPPORTED,
                   "%s '%s': cuBLASLt has no algorithm for %s -> %s in %s with at most %zu "
                   "bytes of workspace",
                   s->node->op->name, s->node->name, dv_shape_format(s->in[0]).text,
                   dv_shape_format(s->node->shape).text, dv_products_name(s->context, s->w_type[0]),
                   dv_cuda_device_of(s->context)->workspace);
}

/* Plans a product with a fused bias, whose type must be the operands'. If there is none for this
   shape (kernels for tensor cores want lines of 16 bytes), plans a product without it. */
static dv_status plan_forward(const dv_node_step *s, dv_cuda_product_form form, dv_cuda_dense *self)
{
    form.epilogue = epilogue_of(&self->layer);
    DV_TRY(dv_cuda_product_find(s, &form, &self->forward, &self->fused));
    if (self->fused)
        return DV_OK;
    form.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    return plan_product(s, &form, &self->forward);
}

/* Plans all products. The gradient of the weights is float in every type, as the parameter is. */
static dv_status plan_products(const dv_node_step *s, dv_cuda_dense *self)
{
    cudaDataType_t type = dv_cuda_data_type(s->x_type[0].dtype);
    int64_t rows = dv_shape_rows(s->in[0]), in = s->in[0].c, units = self->layer.units;
    dv_cuda_extents x = {in, rows}, w = {in, units}, y = {units, rows};
    dv_cuda_product_form forward = {.a = w, .b = x, .d = y, .transpose_a = true, .type_d = type};
    dv_cuda_product_form data = {
        .a = w, .b = y, .d = x, .type_d = type, .epilogue = CUBLASLT_EPILOGUE_DEFAULT};
    dv_cuda_product_form weights = {.a = x,
                                    .b = y,
                                    .d = w,
                                    .transpose_b = true,
                                    .type_d = CUDA_R_32F,
                                    .epilogue = CUBLASLT_EPILOGUE_DEFAULT};
    DV_TRY(plan_forward(s, forward, self));
    if (!s->training)
        return DV_OK;
    if (s->wants_dx[0])
        DV_TRY(plan_product(s, &data, &self->data));
    return plan_product(s, &weights, &self->weights);
}

/* Bytes of the gradient before the activation, which begins the scratch in backward. cuBLASLt's
   workspace follows it. */
static size_t gradient_bytes(const dv_node_step *s, const dv_cuda_dense *self)
{
    if (self->layer.activation == DV_ACT_NONE)
        return 0;
    return dv_cuda_aligned((size_t)dv_shape_count(s->node->shape) *
                           dv_dtype_size(s->x_type[0].dtype));
}

dv_status dv_cuda_dense_plan(dv_planner *planner, const dv_node_step *s,
                             const dv_cuda_dense_layer *layer, dv_cuda_dense **out)
{
    dv_cuda_dense *self;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->layer = *layer;
    dv_status status = plan_products(s, self);
    if (status != DV_OK) {
        dv_cuda_dense_drop(self);
        return status;
    }
    size_t backward = self->data.workspace;
    backward = backward > self->weights.workspace ? backward : self->weights.workspace;
    dv_planner_scratch(planner, self->forward.workspace);
    if (s->training)
        dv_planner_scratch(planner, gradient_bytes(s, self) + backward);
    *out = self;
    return DV_OK;
}

dv_status dv_cuda_dense_plan_plain(dv_planner *planner, const dv_node_step *s,
                                   const dv_cuda_dense_layer *layer, dv_cuda_dense **out)
{
    dv_cuda_dense *self;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->layer = *layer;
    self->plain = true;
    if (s->training)
        dv_planner_scratch(planner, gradient_bytes(s, self));
    *out = self;
    return DV_OK;
}

/* ---- Running ---- */

/* The products as a convolution: each row is an image of one position. */
static dv_convolution plain_shape(const dv_node_step *s, const dv_cuda_dense_layer *attr)
{
    return (dv_convolution){.images = dv_shape_rows(s->in[0]),
                            .height = 1,
                            .width = 1,
                            .channels = s->in[0].c,
                            .out_height = 1,
                            .out_width = 1,
                            .filters = attr->units,
                            .groups = 1,
                            .kernel = {1, 1},
                            .stride = {1, 1},
                            .dilation = {1, 1}};
}

static dv_status run_forward(const dv_node_step *s, const dv_cuda_dense *self)
{
    if (!self->plain)
        return dv_cuda_product_run(dv_cuda_device_of(s->context), &self->forward, s->w_operand[0],
                                   s->x[0], s->y, s->scratch);
    dv_convolution shape = plain_shape(s, &self->layer);
    DV_CUDA(dv_launch_convolution(s->x_type[0].dtype, &shape, s->x[0], s->w_operand[0], s->y,
                                  dv_cuda_stream(s)));
    return DV_OK;
}

static dv_status run_backward(const dv_node_step *s, const dv_cuda_dense *self, const void *dz,
                              void *workspace)
{
    if (!self->plain) {
        DV_TRY(dv_cuda_product_run(dv_cuda_device_of(s->context), &self->weights, s->x[0], dz,
                                   s->dw[0], workspace));
        if (s->dx[0] == NULL)
            return DV_OK;
        return dv_cuda_product_run(dv_cuda_device_of(s->context), &self->data, s->w_operand[0], dz,
                                   s->dx[0], workspace);
    }
    dv_convolution shape = plain_shape(s, &self->layer);
    DV_CUDA(dv_launch_convolution_weights_to_float(s->x_type[0].dtype, &shape, s->x[0], dz,
                                                   s->dw[0], dv_cuda_stream(s)));
    if (s->dx[0] != NULL)
        DV_CUDA(dv_launch_convolution_data(s->x_type[0].dtype, &shape, dz, s->w_operand[0],
                                           s->dx[0], dv_cuda_stream(s)));
    return DV_OK;
}

/* Adds the bias and applies the activation, if the product has not done so. */
static dv_status finish(const dv_node_step *s, const dv_cuda_dense_layer *attr, bool add_bias,
                        bool activate)
{
    dv_dtype dtype = s->x_type[0].dtype;
    if (add_bias)
        DV_CUDA(dv_launch_bias(dtype, s->y, s->w[1], dv_shape_rows(s->in[0]), attr->units,
                               dv_cuda_stream(s)));
    if (activate)
        DV_CUDA(dv_launch_activation(dtype, attr->activation, s->y, s->y,
                                     dv_shape_count(s->node->shape), dv_cuda_stream(s)));
    return DV_OK;
}

dv_status dv_cuda_dense_forward(const dv_node_step *s, dv_cuda_dense *self)
{
    const dv_cuda_dense_layer *attr = &self->layer;
    if (attr->bias && self->fused)
        DV_CUBLAS(cublasLtMatmulDescSetAttribute(self->forward.operation,
                                                 CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                 &s->w_operand[1], sizeof s->w_operand[1]));
    DV_TRY(run_forward(s, self));
    bool activated =
        attr->activation == DV_ACT_NONE || (self->fused && attr->activation == DV_ACT_RELU);
    return finish(s, attr, attr->bias && !self->fused, !activated);
}

dv_status dv_cuda_dense_backward(const dv_node_step *s, const dv_cuda_dense *self)
{
    const dv_cuda_device *device = dv_cuda_device_of(s->context);
    const dv_cuda_dense_layer *attr = &self->layer;
    bool activated = attr->activation != DV_ACT_NONE;
    const void *dz = activated ? s->scratch : s->dy;
    void *workspace = s->scratch != NULL ? (char *)s->scratch + gradient_bytes(s, self) : NULL;
    if (activated) /* the slope is a function of the output, which stands for the input too */
        DV_CUDA(dv_launch_activation_backward(s->x_type[0].dtype, attr->activation, s->y, s->y,
                                              s->dy, s->scratch, dv_shape_count(s->node->shape),
                                              device->stream));
    if (attr->bias)
        DV_CUDA(dv_launch_column_sums(s->x_type[0].dtype, dz, s->dw[1], dv_shape_rows(s->in[0]),
                                      attr->units, device->stream));
    return run_backward(s, self, dz, workspace);
}
