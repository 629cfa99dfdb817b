/* A matrix product by cuBLASLt, d = op(a) op(b), planned once and run often. Matrices are
   column-major without gaps. */
#ifndef DV_GEMM_CUDA_PRODUCT_H
#define DV_GEMM_CUDA_PRODUCT_H

#include "engine/core/plan.h"
#include "engine/device/cuda_device.h"

/* The extents of a matrix in memory. */
typedef struct dv_cuda_extents {
    int64_t rows, columns;
} dv_cuda_extents;

/* a and b have the type of the step's first input. */
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
 * Plans a product in the step's types and with the context's TF32. `self` is zeroed before. If
 * cuBLASLt's heuristics have no algorithm that fits the device's workspace, for whatever reason,
 * *found is false and `self` stays zeroed. The caller drops a planned product.
 */
dv_status dv_cuda_product_find(const dv_node_step *s, const dv_cuda_product_form *form,
                               dv_cuda_product *self, bool *found);
void dv_cuda_product_drop(dv_cuda_product *self);

/* Enqueues the product. `workspace` has the planned bytes and the alignment of scratch memory. */
dv_status dv_cuda_product_run(const dv_cuda_device *device, const dv_cuda_product *self,
                              const void *a, const void *b, void *d, void *workspace);

#endif
