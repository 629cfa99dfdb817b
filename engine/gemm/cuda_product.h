/* One matrix product by cuBLASLt, d = op(a) op(b), planned once and run often. Matrices are
   column-major and without gaps. */
#ifndef DV_GEMM_CUDA_PRODUCT_H
#define DV_GEMM_CUDA_PRODUCT_H

#include "engine/core/plan.h"
#include "engine/device/cuda_device.h"

/* Of a matrix in memory. */
typedef struct dv_cuda_extents {
    int64_t rows, columns;
} dv_cuda_extents;

/* a and b are of the type of the step's first input. */
typedef struct dv_cuda_product_form {
    dv_cuda_extents a, b, d;
    bool transpose_a, transpose_b;
    cublasLtEpilogue_t epilogue;
    cudaDataType_t type_d;
} dv_cuda_product_form;

typedef struct dv_cuda_product {
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace; /* bytes */
} dv_cuda_product;

cudaDataType_t dv_cuda_data_type(dv_dtype dtype);

/*
 * Plans a product, as the step's types and the context's TF32 say. *found false: cuBLASLt's
 * heuristics name no algorithm for it with the device's workspace, whatever their reason; `self` is
 * zeros then, as it is before. A planned product is dropped by the caller.
 */
dv_status dv_cuda_product_find(const dv_node_step *s, const dv_cuda_product_form *form,
                               dv_cuda_product *self, bool *found);
void dv_cuda_product_drop(dv_cuda_product *self);

/* Enqueues it. `workspace` has the planned bytes and is aligned as scratch is. */
dv_status dv_cuda_product_run(const dv_cuda_device *device, const dv_cuda_product *self,
                              const void *a, const void *b, void *d, void *workspace);

#endif
