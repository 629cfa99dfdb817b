/* The product of two device matrices in the simulated cuBLASLt. */
#ifndef CUDASIM_MATMUL_H
#define CUDASIM_MATMUL_H

#include <cstdint>
#include <vector>

#include <cublasLt.h>

#include "tests/cudasim/matrix.h"

namespace cudasim
{
struct Layout {
    cudaDataType_t type;
    std::int32_t order;
    std::uint64_t rows;
    std::uint64_t columns;
    std::int64_t leading;
};

struct Operation {
    std::int32_t compute;
    std::int32_t scale;
    std::int32_t transpose_a;
    std::int32_t transpose_b;
    std::uint32_t epilogue;
    std::int32_t bias_type; /* -1 stands for the type of D */
    const void *bias;
};

/* A whole problem, with the descriptors' values at the time of a call. */
struct Problem {
    Operation operation;
    Layout a, b, c, d;

    std::uint64_t depth() const
    {
        return operation.transpose_a == CUBLAS_OP_N ? a.columns : a.rows;
    }
    bool has_bias() const
    {
        return (operation.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
    }
    bool has_relu() const
    {
        return (operation.epilogue & CUBLASLT_EPILOGUE_RELU) != 0;
    }
    Precision precision() const
    {
        return operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? Precision::tf32
                                                                 : Precision::full;
    }
};

struct Matmul {
    Problem problem;
    const void *a, *b, *c;
    void *d;
    void *workspace;
    std::size_t workspace_bytes;
    bool parts_as_output; /* splits the depth in two and rounds both sums to the type of D */
    float alpha, beta;

    /* The memory that the call reads and writes: A, B, C, D and the epilogue's bias, if any. */
    std::vector<Range> operands() const;
};

/* Checks layouts, shapes, types and epilogue, but no pointers. */
cublasStatus_t check_problem(const Problem &problem);

/* Checks that all operands lie in device memory and none overlaps D or the workspace, except that C
   may be D. */
cublasStatus_t check_memory(const Matmul &call);

/* Computes the product, as the submitted work. */
void run_matmul(const Matmul &call);
} // namespace cudasim

#endif
