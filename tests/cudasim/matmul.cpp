#include "tests/cudasim/matmul.h"

#include <algorithm>
#include <functional>

#include "tests/cudasim/interface.h"

namespace cudasim
{
namespace
{
bool is_known_type(cudaDataType_t type)
{
    return type == CUDA_R_32F || type == CUDA_R_16F || type == CUDA_R_16BF;
}

bool is_valid(const Layout &layout)
{
    std::uint64_t line = layout.order == CUBLASLT_ORDER_COL ? layout.rows : layout.columns;
    return layout.rows > 0 && layout.columns > 0 && layout.leading > 0 &&
           static_cast<std::uint64_t>(layout.leading) >= line;
}

bool is_same(const Layout &one, const Layout &other)
{
    return one.type == other.type && one.order == other.order && one.rows == other.rows &&
           one.columns == other.columns && one.leading == other.leading;
}

bool has_plain_order(const Layout &layout)
{
    return layout.order == CUBLASLT_ORDER_COL || layout.order == CUBLASLT_ORDER_ROW;
}

bool is_transpose(std::int32_t transpose)
{
    return transpose == CUBLAS_OP_N || transpose == CUBLAS_OP_T;
}

bool shapes_fit(const Problem &problem)
{
    bool plain_a = problem.operation.transpose_a == CUBLAS_OP_N;
    bool plain_b = problem.operation.transpose_b == CUBLAS_OP_N;
    std::uint64_t rows = plain_a ? problem.a.rows : problem.a.columns;
    std::uint64_t columns = plain_b ? problem.b.columns : problem.b.rows;
    std::uint64_t depth_b = plain_b ? problem.b.rows : problem.b.columns;
    return depth_b == problem.depth() && problem.d.rows == rows && problem.d.columns == columns &&
           problem.c.rows == rows && problem.c.columns == columns;
}

/* Checks the types by the manual's table for FP32 sums, without integers, FP8 and FP64. */
bool types_supported(const Problem &problem)
{
    const Operation &operation = problem.operation;
    bool tf32 = operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    if (operation.compute != CUBLAS_COMPUTE_32F &&
        operation.compute != CUBLAS_COMPUTE_32F_PEDANTIC && !tf32) {
        return false;
    }
    cudaDataType_t input = problem.a.type;
    cudaDataType_t output = problem.d.type;
    bool bias_fits = operation.bias_type == -1 || operation.bias_type == output;
    return operation.scale == CUDA_R_32F && is_known_type(input) && problem.b.type == input &&
           problem.c.type == output && (output == input || output == CUDA_R_32F) &&
           (!tf32 || input == CUDA_R_32F) && (!problem.has_bias() || bias_fits);
}

bool epilogue_supported(std::uint32_t epilogue)
{
    return epilogue == CUBLASLT_EPILOGUE_DEFAULT || epilogue == CUBLASLT_EPILOGUE_BIAS ||
           epilogue == CUBLASLT_EPILOGUE_RELU || epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

/* Fused kernels in 16 bits are those of tensor cores, which need rows of whole 16 bytes. The real
   library has others for some shapes; callers must be prepared for both. */
bool epilogue_fits(const Problem &problem)
{
    std::size_t line = static_cast<std::size_t>(problem.d.leading) * element_size(problem.d.type);
    return problem.operation.epilogue == CUBLASLT_EPILOGUE_DEFAULT ||
           element_size(problem.d.type) > 2 || line % 16 == 0;
}

/* The memory from the first to the last byte of a matrix. */
Range extent(const void *matrix, const Layout &layout)
{
    bool by_column = layout.order == CUBLASLT_ORDER_COL;
    std::uint64_t lines = by_column ? layout.columns : layout.rows;
    std::uint64_t length = by_column ? layout.rows : layout.columns;
    std::uint64_t elements = (lines - 1) * static_cast<std::uint64_t>(layout.leading) + length;
    return {matrix, elements * element_size(layout.type)};
}

/* A packed copy of a matrix and its view as (rows, columns). */
struct HostMatrix {
    std::vector<float> data;
    MatrixView view;

    HostMatrix(const void *device, const Layout &layout, Precision precision)
    {
        bool by_column = layout.order == CUBLASLT_ORDER_COL;
        std::size_t lines = by_column ? layout.columns : layout.rows;
        std::size_t length = by_column ? layout.rows : layout.columns;
        data.resize(lines * length);
        for (std::size_t i = 0; i < lines; i++) {
            load_floats(device, layout.type, i * static_cast<std::size_t>(layout.leading), length,
                        precision, data.data() + i * length);
        }
        view = by_column ? MatrixView{data.data(), 1, length} : MatrixView{data.data(), length, 1};
    }
    HostMatrix(const HostMatrix &) = delete;
    HostMatrix &operator=(const HostMatrix &) = delete;
};

float read_element(const void *matrix, const Layout &layout, std::size_t row, std::size_t column)
{
    auto leading = static_cast<std::size_t>(layout.leading);
    bool by_column = layout.order == CUBLASLT_ORDER_COL;
    return load(matrix, layout.type, by_column ? column * leading + row : row * leading + column);
}

/* Applies the epilogue to a product (rows, columns) in row order, and stores it in D. */
void finish(const Matmul &call, const std::vector<float> &product)
{
    const Layout &layout = call.problem.d;
    auto leading = static_cast<std::size_t>(layout.leading);
    bool by_column = layout.order == CUBLASLT_ORDER_COL;
    for (std::size_t row = 0; row < layout.rows; row++) {
        float bias =
            call.problem.has_bias() ? load(call.problem.operation.bias, layout.type, row) : 0;
        for (std::size_t column = 0; column < layout.columns; column++) {
            float value = call.alpha * product[row * layout.columns + column] + bias;
            if (call.beta != 0) {
                value += call.beta * read_element(call.c, call.problem.c, row, column);
            }
            if (call.problem.has_relu() && value < 0) {
                value = 0; /* a NaN stays NaN */
            }
            store(call.d, layout.type, by_column ? column * leading + row : row * leading + column,
                  value);
        }
    }
}

/* Computes the product over `depth` summands from `first` on, as (rows, columns) in row order. */
std::vector<float> multiply(const Problem &problem, MatrixView a, MatrixView b, std::size_t first,
                            std::size_t depth)
{
    std::vector<float> product(problem.d.rows * problem.d.columns);
    if (depth > 0) {
        a.data += first * a.column_stride;
        b.data += first * b.row_stride;
        multiply_add(problem.d.rows, problem.d.columns, depth, a, b, product.data(),
                     problem.d.columns);
    }
    return product;
}

void round_to(cudaDataType_t type, std::vector<float> &values)
{
    std::vector<unsigned char> rounded(values.size() * element_size(type));
    for (std::size_t i = 0; i < values.size(); i++) {
        store(rounded.data(), type, i, values[i]);
        values[i] = load(rounded.data(), type, i);
    }
}
} // namespace

cublasStatus_t check_problem(const Problem &problem)
{
    for (const Layout *layout : {&problem.a, &problem.b, &problem.c, &problem.d}) {
        if (!has_plain_order(*layout)) {
            return CUBLAS_STATUS_NOT_SUPPORTED;
        }
        if (!is_valid(*layout)) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
    }
    if (!is_transpose(problem.operation.transpose_a) ||
        !is_transpose(problem.operation.transpose_b) || !shapes_fit(problem)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    if (!types_supported(problem) || !epilogue_supported(problem.operation.epilogue) ||
        !epilogue_fits(problem) || problem.c.order != problem.d.order) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    return CUBLAS_STATUS_SUCCESS;
}

std::vector<Range> Matmul::operands() const
{
    std::vector<Range> ranges = {extent(a, problem.a), extent(b, problem.b), extent(c, problem.c),
                                 extent(d, problem.d)};
    if (problem.has_bias()) {
        ranges.push_back({problem.operation.bias, problem.d.rows * element_size(problem.d.type)});
    }
    return ranges;
}

cublasStatus_t check_memory(const Matmul &call)
{
    std::vector<Range> operands = call.operands();
    const Range &c = operands[2];
    const Range &d = operands[3];
    Range workspace{call.workspace, call.workspace_bytes};
    for (std::size_t i = 0; i < operands.size(); i++) {
        if (!operands[i].on_device()) {
            return CUBLAS_STATUS_EXECUTION_FAILED;
        }
        if (operands[i].overlaps(workspace) || (i != 2 && i != 3 && operands[i].overlaps(d))) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
    }
    bool in_place = c.start == d.start && is_same(call.problem.c, call.problem.d);
    if (c.overlaps(d) && !in_place) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    return call.workspace_bytes == 0 || workspace.on_device() ? CUBLAS_STATUS_SUCCESS
                                                              : CUBLAS_STATUS_EXECUTION_FAILED;
}

void run_matmul(const Matmul &call)
{
    const Problem &problem = call.problem;
    std::vector<Range> used = call.operands();
    used.push_back({call.workspace, call.workspace_bytes});
    require_on_device("cublasLtMatmul", used);

    HostMatrix a(call.a, problem.a, problem.precision());
    HostMatrix b(call.b, problem.b, problem.precision());
    bool plain_a = problem.operation.transpose_a == CUBLAS_OP_N;
    bool plain_b = problem.operation.transpose_b == CUBLAS_OP_N;
    MatrixView left = plain_a ? a.view : a.view.transposed();
    MatrixView right = plain_b ? b.view : b.view.transposed();
    std::size_t first = call.parts_as_output ? problem.depth() / 2 : 0;
    std::vector<float> product = multiply(problem, left, right, 0, first);
    std::vector<float> rest = multiply(problem, left, right, first, problem.depth() - first);
    if (call.parts_as_output) {
        round_to(problem.d.type, product);
        round_to(problem.d.type, rest);
    }
    std::transform(product.begin(), product.end(), rest.begin(), product.begin(),
                   std::plus<float>());
    finish(call, product);
    if (call.workspace_bytes > 0) {
        scribble(call.workspace, call.workspace_bytes);
    }
}

} // namespace cudasim
