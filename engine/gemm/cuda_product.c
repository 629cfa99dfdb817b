/* Describes a product to cuBLASLt, takes the first algorithm of the heuristics, and runs it. */
#include "engine/gemm/cuda_product.h"

void dv_cuda_product_drop(dv_cuda_product *self)
{
    if (self->d != NULL)
        (void)cublasLtMatrixLayoutDestroy(self->d);
    if (self->b != NULL)
        (void)cublasLtMatrixLayoutDestroy(self->b);
    if (self->a != NULL)
        (void)cublasLtMatrixLayoutDestroy(self->a);
    if (self->operation != NULL)
        (void)cublasLtMatmulDescDestroy(self->operation);
    *self = (dv_cuda_product){0};
}

cudaDataType_t dv_cuda_data_type(dv_dtype dtype)
{
    if (dtype == DV_F16)
        return CUDA_R_16F;
    return dtype == DV_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static dv_status describe_matrix(cudaDataType_t type, dv_cuda_extents matrix,
                                 cublasLtMatrixLayout_t *out)
{
    DV_CUBLAS(cublasLtMatrixLayoutCreate(out, type, (uint64_t)matrix.rows, (uint64_t)matrix.columns,
                                         matrix.rows));
    return DV_OK;
}

/* Sums are float. COMPUTE_32F does not round the operands of float products to TF32. */
static cublasComputeType_t compute_type(const dv_node_step *s)
{
    bool rounds = s->x_type[0].dtype == DV_F32 && s->context->tf32;
    return rounds ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

static dv_status describe(const dv_node_step *s, const dv_cuda_product_form *form,
                          dv_cuda_product *self)
{
    cudaDataType_t type = dv_cuda_data_type(s->x_type[0].dtype);
    cublasOperation_t a = form->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t b = form->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    DV_TRY(describe_matrix(type, form->a, &self->a));
    DV_TRY(describe_matrix(type, form->b, &self->b));
    DV_TRY(describe_matrix(form->type_d, form->d, &self->d));
    DV_CUBLAS(cublasLtMatmulDescCreate(&self->operation, compute_type(s), CUDA_R_32F));
    DV_CUBLAS(
        cublasLtMatmulDescSetAttribute(self->operation, CUBLASLT_MATMUL_DESC_TRANSA, &a, sizeof a));
    DV_CUBLAS(
        cublasLtMatmulDescSetAttribute(self->operation, CUBLASLT_MATMUL_DESC_TRANSB, &b, sizeof b));
    DV_CUBLAS(cublasLtMatmulDescSetAttribute(self->operation, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                             &form->epilogue, sizeof form->epilogue));
    return DV_OK;
}

/* Replaces defaults of cuBLASLt. It assumes that matrices begin at multiples of 256 bytes, but
   rounded parameters begin at multiples of 32. It may keep parts of a sum in the output's type, but
   they must be floats. */
static dv_status set_limits(const dv_cuda_device *device, cudaDataType_t type_d,
                            cublasLtMatmulPreference_t preference)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES};
    const uint32_t alignment = 32, reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const uint64_t most = device->workspace;
    for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++)
        DV_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &alignment,
                                                       sizeof alignment));
    if (type_d != CUDA_R_32F)
        DV_CUBLAS(cublasLtMatmulPreferenceSetAttribute(
            preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reduction, sizeof reduction));
    DV_CUBLAS(cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most));
    return DV_OK;
}

/* Asks the heuristics for their first algorithm. For a shape without one they return some failure
   or an empty list. */
static dv_status ask(const dv_node_step *s, cublasLtMatmulPreference_t preference,
                     dv_cuda_product *self, bool *found)
{
    const dv_cuda_device *device = dv_cuda_device_of(s->context);
    cublasLtMatmulHeuristicResult_t result;
    int count = 0;
    cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(device->cublas, self->operation, self->a, self->b, self->d,
                                       self->d, preference, 1, &result, &count);
    if (status == CUBLAS_STATUS_SUCCESS && count > 0)
        status = result.state;
    *found = status == CUBLAS_STATUS_SUCCESS && count > 0;
    if (*found) {
        self->algorithm = result.algo;
        self->workspace = result.workspaceSize;
    } else {
        dv_log_write(&s->context->log, DV_LOG_DEBUG,
                     "%s '%s': cuBLASLt has no algorithm for a product (status %d: %s)",
                     s->node->op->name, s->node->name, (int)status,
                     cublasLtGetStatusString(status));
    }
    return DV_OK;
}

static dv_status choose(const dv_node_step *s, const dv_cuda_product_form *form,
                        dv_cuda_product *self, bool *found)
{
    cublasLtMatmulPreference_t preference;
    DV_TRY(describe(s, form, self));
    DV_CUBLAS(cublasLtMatmulPreferenceCreate(&preference));
    dv_status status = set_limits(dv_cuda_device_of(s->context), form->type_d, preference);
    if (status == DV_OK)
        status = ask(s, preference, self, found);
    (void)cublasLtMatmulPreferenceDestroy(preference);
    return status;
}

dv_status dv_cuda_product_find(const dv_node_step *s, const dv_cuda_product_form *form,
                               dv_cuda_product *self, bool *found)
{
    *found = false;
    dv_status status = choose(s, form, self, found);
    if (status != DV_OK || !*found)
        dv_cuda_product_drop(self);
    return status;
}

dv_status dv_cuda_product_run(const dv_cuda_device *device, const dv_cuda_product *self,
                              const void *a, const void *b, void *d, void *workspace)
{
    static const float one = 1, zero = 0;
    DV_CUBLAS(cublasLtMatmul(device->cublas, self->operation, &one, a, self->a, b, self->b, &zero,
                             d, self->d, d, self->d, &self->algorithm, workspace, self->workspace,
                             device->stream));
    return DV_OK;
}
