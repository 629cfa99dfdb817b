/* By cuBLASLt, or where that has no such product as a convolution of single positions by plain
   kernels. cuBLASLt's matrices are column-major: the tensor x (rows, in) is the matrix (in, rows),
   the weight (out, in) is (in, out), y (rows, out) is (out, rows). */
#include "engine/ops/linear/cuda_dense.h"
#include "kernels/bias.h"
#include "kernels/convolution.h"
#include "kernels/elementwise.h"
#include "kernels/scalar_math.h"

#include <stdlib.h>

/* ---- One product d = op(a) op(b), planned ---- */

typedef struct product {
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace; /* bytes */
} product;

/* Extents of a matrix in memory, without gaps. */
typedef struct extents {
    int64_t rows, columns;
} extents;

typedef struct product_form {
    extents a, b, d;
    bool transpose_a, transpose_b;
    cublasLtEpilogue_t epilogue;
    cudaDataType_t type_d; /* a and b are of the context's dtype */
} product_form;

static void product_drop(product *self)
{
    if (self->d != NULL)
        (void)cublasLtMatrixLayoutDestroy(self->d);
    if (self->b != NULL)
        (void)cublasLtMatrixLayoutDestroy(self->b);
    if (self->a != NULL)
        (void)cublasLtMatrixLayoutDestroy(self->a);
    if (self->operation != NULL)
        (void)cublasLtMatmulDescDestroy(self->operation);
}

static cudaDataType_t data_type(dv_dtype dtype)
{
    if (dtype == DV_F16)
        return CUDA_R_16F;
    return dtype == DV_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static dv_status describe_matrix(cudaDataType_t type, extents matrix, cublasLtMatrixLayout_t *out)
{
    DV_CUBLAS(cublasLtMatrixLayoutCreate(out, type, (uint64_t)matrix.rows, (uint64_t)matrix.columns,
                                         matrix.rows));
    return DV_OK;
}

/* COMPUTE_32F: sums are float, and products of floats are not rounded to TF32. */
static dv_status describe(dv_dtype dtype, const product_form *form, product *self)
{
    cublasOperation_t a = form->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t b = form->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    DV_TRY(describe_matrix(data_type(dtype), form->a, &self->a));
    DV_TRY(describe_matrix(data_type(dtype), form->b, &self->b));
    DV_TRY(describe_matrix(form->type_d, form->d, &self->d));
    DV_CUBLAS(cublasLtMatmulDescCreate(&self->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    DV_CUBLAS(
        cublasLtMatmulDescSetAttribute(self->operation, CUBLASLT_MATMUL_DESC_TRANSA, &a, sizeof a));
    DV_CUBLAS(
        cublasLtMatmulDescSetAttribute(self->operation, CUBLASLT_MATMUL_DESC_TRANSB, &b, sizeof b));
    DV_CUBLAS(cublasLtMatmulDescSetAttribute(self->operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                             &form->epilogue, sizeof form->epilogue));
    return DV_OK;
}

/* By default cuBLASLt takes it that every matrix begins at a multiple of 256 bytes. Rounded
   parameters begin at one of 32. */
static dv_status set_limits(const dv_cuda_device *device, cublasLtMatmulPreference_t preference)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint32_t alignment = 32;
    const uint64_t most = device->workspace;
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++)
        DV_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &alignment,
                                                       sizeof alignment));
    DV_CUBLAS(cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most));
    return DV_OK;
}

static dv_status choose(const dv_step *s, cublasLtMatmulPreference_t preference, product *self,
                        bool *found)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    cublasLtMatmulHeuristicResult_t result;
    int count = 0;
    *found = false;
    DV_TRY(set_limits(device, preference));
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(device->cublas, self->operation, self->a, self->b, self->d,
                                       self->d, preference, 1, &result, &count);
    if (status == CUBLAS_STATUS_SUCCESS && count > 0)
        status = result.state;
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && count == 0))
        return DV_OK;
    DV_TRY(dv__cublas_check(status, "cublasLtMatmulAlgoGetHeuristic"));
    self->algorithm = result.algo;
    self->workspace = result.workspaceSize;
    *found = true;
    return DV_OK;
}

/* found: false where cuBLASLt has no such product. On failure `self` has to be dropped as well. */
static dv_status product_try(const dv_step *s, const product_form *form, product *self, bool *found)
{
    cublasLtMatmulPreference_t preference;
    DV_TRY(describe(s->context->dtype, form, self));
    DV_CUBLAS(cublasLtMatmulPreferenceCreate(&preference));
    dv_status status = choose(s, preference, self, found);
    (void)cublasLtMatmulPreferenceDestroy(preference);
    return status;
}

static dv_status product_plan(const dv_step *s, const product_form *form, product *self)
{
    bool found;
    DV_TRY(product_try(s, form, self, &found));
    if (found)
        return DV_OK;
    return DV_FAIL(DV_EUNSUPPORTED,
                   "%s '%s': cuBLASLt has no algorithm for %s -> %s in %s with at most %zu "
                   "bytes of workspace",
                   s->node->op->name, s->node->name, dv_shape_format(s->in[0]).text,
                   dv_shape_format(s->node->shape).text, dv_dtype_name(s->context->dtype),
                   dv__cuda_device(s->context)->workspace);
}

static dv_status product_run(const dv_step *s, const product *self, const void *a, const void *b,
                             void *d, void *workspace)
{
    static const float one = 1, zero = 0;
    const dv_cuda_device *device = dv__cuda_device(s->context);
    DV_CUBLAS(cublasLtMatmul(device->cublas, self->operation, &one, a, self->a, b, self->b, &zero,
                             d, self->d, d, self->d, &self->algorithm, workspace, self->workspace,
                             device->stream));
    return DV_OK;
}

/* ---- The plan ---- */

struct dv_cuda_dense {
    dv_linear_attr layer;
    product forward, data, weights;
    bool fused; /* forward adds the bias and applies a ReLU itself */
    bool plain; /* by plain kernels: the products are none */
};

void dv__cuda_dense_drop(dv_cuda_dense *self)
{
    product_drop(&self->forward);
    product_drop(&self->data);
    product_drop(&self->weights);
    free(self);
}

static cublasLtEpilogue_t epilogue_of(const dv_linear_attr *attr)
{
    if (attr->activation == DV_ACT_RELU)
        return attr->bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    return attr->bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

/* The bias of a product in halves is of its type: cuBLASLt takes no other. Where there is no fused
   product of this shape (kernels for tensor cores want lines of 16 bytes), one without. */
static dv_status plan_forward(const dv_step *s, product_form form, dv_cuda_dense *self)
{
    form.epilogue = epilogue_of(&self->layer);
    DV_TRY(product_try(s, &form, &self->forward, &self->fused));
    if (self->fused)
        return DV_OK;
    product_drop(&self->forward);
    self->forward = (product){0};
    form.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    return product_plan(s, &form, &self->forward);
}

/* The gradient of the weights is float whatever the dtype, as the parameter. */
static dv_status plan_products(const dv_step *s, dv_cuda_dense *self)
{
    cudaDataType_t type = data_type(s->context->dtype);
    int64_t rows = dv_shape_rows(s->in[0]), in = s->in[0].c, units = self->layer.units;
    extents x = {in, rows}, w = {in, units}, y = {units, rows};
    product_form forward = {.a = w, .b = x, .d = y, .transpose_a = true, .type_d = type};
    product_form data = {
        .a = w, .b = y, .d = x, .type_d = type, .epilogue = CUBLASLT_EPILOGUE_DEFAULT};
    product_form weights = {.a = x,
                            .b = y,
                            .d = w,
                            .transpose_b = true,
                            .type_d = CUDA_R_32F,
                            .epilogue = CUBLASLT_EPILOGUE_DEFAULT};
    DV_TRY(plan_forward(s, forward, self));
    if (!s->training)
        return DV_OK;
    if (s->wants_dx[0])
        DV_TRY(product_plan(s, &data, &self->data));
    return product_plan(s, &weights, &self->weights);
}

/* Scratch: in backward with an activation the gradient before it; then cuBLASLt's. */
static size_t gradient_bytes(const dv_step *s, const dv_cuda_dense *self)
{
    if (self->layer.activation == DV_ACT_NONE)
        return 0;
    return dv__cuda_aligned((size_t)dv_shape_count(s->node->shape) *
                            dv_dtype_size(s->context->dtype));
}

dv_status dv__cuda_dense_plan(dv_planner *planner, const dv_step *s, const dv_linear_attr *layer,
                              dv_cuda_dense **out)
{
    dv_cuda_dense *self;
    *out = NULL;
    DV_TRY(dv__calloc(1, sizeof *self, &self));
    self->layer = *layer;
    dv_status status = plan_products(s, self);
    if (status != DV_OK) {
        dv__cuda_dense_drop(self);
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

dv_status dv__cuda_dense_plan_plain(dv_planner *planner, const dv_step *s,
                                    const dv_linear_attr *layer, dv_cuda_dense **out)
{
    dv_cuda_dense *self;
    *out = NULL;
    DV_TRY(dv__calloc(1, sizeof *self, &self));
    self->layer = *layer;
    self->plain = true;
    if (s->training)
        dv_planner_scratch(planner, gradient_bytes(s, self));
    *out = self;
    return DV_OK;
}

/* ---- Running ---- */

/* Each row is an image of one position. */
static dv_convolution plain_shape(const dv_step *s, const dv_linear_attr *attr)
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

static dv_status run_forward(const dv_step *s, const dv_cuda_dense *self)
{
    if (!self->plain)
        return product_run(s, &self->forward, s->w_half[0], s->x[0], s->y, s->scratch);
    dv_convolution shape = plain_shape(s, &self->layer);
    DV_CUDA(dv_launch_convolution(s->context->dtype, &shape, s->x[0], s->w_half[0], s->y,
                                  dv__cuda_stream(s)));
    return DV_OK;
}

static dv_status run_backward(const dv_step *s, const dv_cuda_dense *self, const void *dz,
                              void *workspace)
{
    if (!self->plain) {
        DV_TRY(product_run(s, &self->weights, s->x[0], dz, s->dw[0], workspace));
        if (s->dx[0] == NULL)
            return DV_OK;
        return product_run(s, &self->data, s->w_half[0], dz, s->dx[0], workspace);
    }
    dv_convolution shape = plain_shape(s, &self->layer);
    DV_CUDA(dv_launch_convolution_weights_to_float(s->context->dtype, &shape, s->x[0], dz, s->dw[0],
                                                   dv__cuda_stream(s)));
    if (s->dx[0] != NULL)
        DV_CUDA(dv_launch_convolution_data(s->context->dtype, &shape, dz, s->w_half[0], s->dx[0],
                                           dv__cuda_stream(s)));
    return DV_OK;
}

/* What the product has not done itself. */
static dv_status finish(const dv_step *s, const dv_linear_attr *attr, bool add_bias, bool activate)
{
    dv_dtype dtype = s->context->dtype;
    if (add_bias)
        DV_CUDA(dv_launch_bias(dtype, s->y, s->w[1], dv_shape_rows(s->in[0]), attr->units,
                               dv__cuda_stream(s)));
    if (activate)
        DV_CUDA(dv_launch_activation(dtype, attr->activation, s->y, s->y,
                                     dv_shape_count(s->node->shape), dv__cuda_stream(s)));
    return DV_OK;
}

dv_status dv__cuda_dense_forward(const dv_step *s, dv_cuda_dense *self)
{
    const dv_linear_attr *attr = &self->layer;
    if (attr->bias && self->fused)
        DV_CUBLAS(cublasLtMatmulDescSetAttribute(self->forward.operation,
                                                 CUBLASLT_MATMUL_DESC_BIAS_POINTER, &s->w_half[1],
                                                 sizeof s->w_half[1]));
    DV_TRY(run_forward(s, self));
    bool activated =
        attr->activation == DV_ACT_NONE || (self->fused && attr->activation == DV_ACT_RELU);
    return finish(s, attr, attr->bias && !self->fused, !activated);
}

dv_status dv__cuda_dense_backward(const dv_step *s, const dv_cuda_dense *self)
{
    const dv_cuda_device *device = dv__cuda_device(s->context);
    const dv_linear_attr *attr = &self->layer;
    bool activated = attr->activation != DV_ACT_NONE;
    const void *dz = activated ? s->scratch : s->dy;
    void *workspace = s->scratch != NULL ? (char *)s->scratch + gradient_bytes(s, self) : NULL;
    if (activated) /* the slope follows from the output alone: it stands for the input too */
        DV_CUDA(dv_launch_activation_backward(s->context->dtype, attr->activation, s->y, s->y,
                                              s->dy, s->scratch, dv_shape_count(s->node->shape),
                                              device->stream));
    if (attr->bias)
        DV_CUDA(dv_launch_column_sums(s->context->dtype, dz, s->dw[1], dv_shape_rows(s->in[0]),
                                      attr->units, device->stream));
    return run_backward(s, self, dz, workspace);
}
