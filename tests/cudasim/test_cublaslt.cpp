/* The simulated cuBLASLt against a plain loop in double, and its refusals. */
#include "tests/cudasim/library_buffers.h"

#include <csignal>
#include <cstring>

#include <cublasLt.h>
#include <sys/wait.h>
#include <unistd.h>

namespace
{
constexpr std::size_t workspace_size = 1 << 16;

struct Case {
    std::uint64_t m, n, k;
    bool transpose_a, transpose_b;
    int order_a, order_b, order_d;
    cublasLtEpilogue_t epilogue;
    cudaDataType_t input, output;
    float alpha, beta;
};

const Case plain = {5,
                    7,
                    9,
                    false,
                    false,
                    CUBLASLT_ORDER_COL,
                    CUBLASLT_ORDER_COL,
                    CUBLASLT_ORDER_COL,
                    CUBLASLT_EPILOGUE_DEFAULT,
                    CUDA_R_32F,
                    CUDA_R_32F,
                    1,
                    0};

/* A matrix whose lines are three elements longer than necessary. */
struct Matrix {
    std::uint64_t rows, columns;
    int order;
    std::int64_t leading;
    cublasLtMatrixLayout_t layout = nullptr;

    Matrix(std::uint64_t row_count, std::uint64_t column_count, int line_order, cudaDataType_t type)
        : rows(row_count), columns(column_count), order(line_order),
          leading(static_cast<std::int64_t>(line_order == CUBLASLT_ORDER_COL ? row_count
                                                                             : column_count) +
                  3)
    {
        assert_int_equal(cublasLtMatrixLayoutCreate(&layout, type, rows, columns, leading), 0);
        std::int32_t value = order;
        set(CUBLASLT_MATRIX_LAYOUT_ORDER, value);
    }
    ~Matrix()
    {
        cublasLtMatrixLayoutDestroy(layout);
    }
    Matrix(const Matrix &) = delete;
    Matrix &operator=(const Matrix &) = delete;

    template <typename Value> void set(cublasLtMatrixLayoutAttribute_t attribute, Value value)
    {
        assert_int_equal(cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value),
                         0);
    }
    std::size_t elements() const
    {
        return (order == CUBLASLT_ORDER_COL ? columns : rows) * static_cast<std::size_t>(leading);
    }
    std::size_t index(std::uint64_t row, std::uint64_t column) const
    {
        auto step = static_cast<std::uint64_t>(leading);
        return order == CUBLASLT_ORDER_COL ? column * step + row : row * step + column;
    }
};

/* One product with a chosen algorithm. Tests spoil single parts of it. */
struct Setup {
    Case given;
    Matrix a, b, d;
    DeviceArray a_data, b_data, c_data, d_data, bias, workspace;
    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatmulPreference_t preference = nullptr;
    cublasLtMatmulHeuristicResult_t results[4];
    int found = 0;
    cudaStream_t stream = nullptr;

    explicit Setup(const Case &wish, cublasComputeType_t compute = CUBLAS_COMPUTE_32F)
        : given(wish), a(wish.transpose_a ? wish.k : wish.m, wish.transpose_a ? wish.m : wish.k,
                         wish.order_a, wish.input),
          b(wish.transpose_b ? wish.n : wish.k, wish.transpose_b ? wish.k : wish.n, wish.order_b,
            wish.input),
          d(wish.m, wish.n, wish.order_d, wish.output),
          a_data(wish.input, make_values(a.elements(), 1)),
          b_data(wish.input, make_values(b.elements(), 2)),
          c_data(wish.output,
                 wish.beta != 0 ? make_values(d.elements(), 3) : make_nans(d.elements())),
          d_data(wish.output, std::vector<float>(d.elements(), 77)),
          bias(wish.output, make_values(wish.m, 4)),
          workspace(CUDA_R_32F, make_nans(workspace_size / sizeof(float)))
    {
        assert_int_equal(cublasLtCreate(&handle), 0);
        assert_int_equal(cublasLtMatmulDescCreate(&operation, compute, CUDA_R_32F), 0);
        assert_int_equal(cublasLtMatmulPreferenceCreate(&preference), 0);
        assert_int_equal(cudaStreamCreate(&stream), 0);
        set(CUBLASLT_MATMUL_DESC_TRANSA,
            static_cast<std::int32_t>(given.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N));
        set(CUBLASLT_MATMUL_DESC_TRANSB,
            static_cast<std::int32_t>(given.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N));
        set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(given.epilogue));
        set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.pointer);
        set_preference(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{workspace_size});
    }
    ~Setup()
    {
        cudaStreamDestroy(stream);
        cublasLtMatmulPreferenceDestroy(preference);
        cublasLtMatmulDescDestroy(operation);
        cublasLtDestroy(handle);
    }
    Setup(const Setup &) = delete;
    Setup &operator=(const Setup &) = delete;

    template <typename Value> void set(cublasLtMatmulDescAttributes_t attribute, Value value)
    {
        assert_int_equal(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value),
                         0);
    }
    template <typename Value>
    void set_preference(cublasLtMatmulPreferenceAttributes_t attribute, Value value)
    {
        assert_int_equal(
            cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value), 0);
    }
    cublasStatus_t choose()
    {
        return cublasLtMatmulAlgoGetHeuristic(handle, operation, a.layout, b.layout, d.layout,
                                              d.layout, preference, 4, results, &found);
    }
    cublasStatus_t multiply(const void *a_pointer, void *workspace_pointer, std::size_t bytes,
                            const cublasLtMatmulAlgo_t *algorithm)
    {
        return cublasLtMatmul(handle, operation, &given.alpha, a_pointer, a.layout, b_data.pointer,
                              b.layout, &given.beta, c_data.pointer, d.layout, d_data.pointer,
                              d.layout, algorithm, workspace_pointer, bytes, stream);
    }
    cublasStatus_t multiply()
    {
        return multiply(a_data.pointer, workspace.pointer, workspace_size, &results[0].algo);
    }
    /* The whole array of D; the gaps between its lines do not change. */
    std::vector<double> expected() const
    {
        std::vector<float> left = a_data.read(), right = b_data.read(), old = c_data.read();
        std::vector<float> offsets = bias.read();
        std::vector<double> result(d.elements(), 77);
        for (std::uint64_t i = 0; i < given.m; i++) {
            for (std::uint64_t j = 0; j < given.n; j++) {
                double sum = 0;
                for (std::uint64_t k = 0; k < given.k; k++) {
                    sum += static_cast<double>(
                               left[given.transpose_a ? a.index(k, i) : a.index(i, k)]) *
                           right[given.transpose_b ? b.index(j, k) : b.index(k, j)];
                }
                sum *= given.alpha;
                sum += given.beta != 0 ? given.beta * old[d.index(i, j)] : 0;
                sum += given.epilogue & CUBLASLT_EPILOGUE_BIAS ? offsets[i] : 0;
                bool cut = (given.epilogue & CUBLASLT_EPILOGUE_RELU) != 0 && sum < 0;
                result[d.index(i, j)] = cut ? 0 : sum;
            }
        }
        return result;
    }
};

constexpr auto reduction_mask = CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK;

/* Partial sums in 16 bits would round more than the output does. */
void check_case(const Case &given)
{
    Setup setup(given);
    setup.set_preference(reduction_mask, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(setup.found, 2);
    for (int i = 0; i < setup.found; i++) {
        setup.d_data.write(std::vector<float>(setup.d.elements(), 77));
        assert_int_equal(setup.multiply(setup.a_data.pointer, setup.workspace.pointer,
                                        setup.results[i].workspaceSize, &setup.results[i].algo),
                         CUBLAS_STATUS_SUCCESS);
        assert_true(is_near(setup.d_data.read(), setup.expected(), given.k, given.output));
    }
}

void products_match(void **)
{
    const cublasLtEpilogue_t epilogues[] = {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_BIAS,
                                            CUBLASLT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_RELU_BIAS};
    for (int bits = 0; bits < 64; bits++) {
        for (cublasLtEpilogue_t epilogue : epilogues) {
            Case given = plain;
            given.transpose_a = bits & 1;
            given.transpose_b = bits & 2;
            given.order_a = bits >> 2 & 1;
            given.order_b = bits >> 3 & 1;
            given.order_d = bits >> 4 & 1;
            given.beta = bits & 32 ? 0.5f : 0;
            given.alpha = -1.5f;
            given.epilogue = epilogue;
            check_case(given);
        }
    }
}

void odd_sizes_match(void **)
{
    const std::uint64_t sizes[][3] = {{1, 1, 1},    {1, 13, 300}, {4, 8, 256},  {17, 1, 3},
                                      {33, 10, 65}, {3, 100, 5},  {64, 24, 700}};
    for (const std::uint64_t *size : sizes) {
        Case given = plain;
        given.m = size[0];
        given.n = size[1];
        given.k = size[2];
        check_case(given);
    }
}

/* The first algorithm's partial sums have the type of D unless the caller forbids it. */
void partial_sums_are_what_the_mask_allows(void **)
{
    Case given = plain;
    given.input = given.output = CUDA_R_16BF;
    given.m = given.n = 16;
    given.k = 256;
    std::vector<std::vector<float>> results;
    for (std::uint32_t mask : {CUBLASLT_REDUCTION_SCHEME_MASK, CUBLASLT_REDUCTION_SCHEME_NONE,
                               CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}) {
        Setup setup(given);
        setup.set_preference(reduction_mask, mask);
        assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
        assert_int_equal(setup.multiply(), CUBLAS_STATUS_SUCCESS);
        results.push_back(setup.d_data.read());
    }
    assert_true(results[0] != results[1]);
    assert_true(results[1] == results[2]);
}

void types_of_16_bits_match(void **)
{
    const cudaDataType_t types[][2] = {{CUDA_R_16F, CUDA_R_16F},
                                       {CUDA_R_16F, CUDA_R_32F},
                                       {CUDA_R_16BF, CUDA_R_16BF},
                                       {CUDA_R_16BF, CUDA_R_32F}};
    for (const cudaDataType_t *type : types) {
        for (float beta : {0.0f, 1.0f}) {
            Case given = plain;
            given.transpose_a = true;
            given.input = type[0];
            given.output = type[1];
            given.beta = beta;
            given.epilogue = CUBLASLT_EPILOGUE_RELU_BIAS;
            check_case(given);
        }
    }
}

/* A bias or a ReLU in 16 bits is not supported for every shape; float, and products without them,
   are. */
void fused_16_bits_want_whole_lines(void **)
{
    Case given = plain;
    given.m = 6; /* lines of 6 + 3 elements */
    given.epilogue = CUBLASLT_EPILOGUE_RELU_BIAS;
    check_case(given);
    given.input = CUDA_R_16F;
    check_case(given);
    given.output = CUDA_R_16F;
    {
        Setup setup(given);
        assert_int_equal(setup.choose(), CUBLAS_STATUS_NOT_SUPPORTED);
        assert_int_equal(setup.found, 0);
    }
    given.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    check_case(given);
}

/* A bias of another type than D's is refused. */
void bias_has_the_type_of_the_output(void **)
{
    Case given = plain;
    given.input = given.output = CUDA_R_16BF;
    given.epilogue = CUBLASLT_EPILOGUE_BIAS;
    Setup setup(given);
    setup.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(CUDA_R_32F));
    assert_int_equal(setup.choose(), CUBLAS_STATUS_NOT_SUPPORTED);
    setup.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(CUDA_R_16BF));
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
}

/* A product with beta 1 onto D itself, where the library chooses the algorithm. */
void in_place_without_algorithm(void **)
{
    Case given = plain;
    given.beta = 1;
    Setup setup(given);
    std::vector<double> expected = setup.expected();
    assert_int_equal(cublasLtMatmul(setup.handle, setup.operation, &given.alpha,
                                    setup.a_data.pointer, setup.a.layout, setup.b_data.pointer,
                                    setup.b.layout, &given.beta, setup.c_data.pointer,
                                    setup.d.layout, setup.c_data.pointer, setup.d.layout, nullptr,
                                    nullptr, 0, setup.stream),
                     CUBLAS_STATUS_SUCCESS);
    std::vector<float> actual = setup.c_data.read();
    for (std::uint64_t i = 0; i < given.m; i++) {
        for (std::uint64_t j = 0; j < given.n; j++) {
            std::size_t at = setup.d.index(i, j);
            assert_true(std::fabs(actual[at] - expected[at]) < 1e-5);
        }
    }
}

void tf32_rounds(void **)
{
    Setup setup(plain, CUBLAS_COMPUTE_32F_FAST_TF32);
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(setup.multiply(), CUBLAS_STATUS_SUCCESS);
    std::vector<float> actual = setup.d_data.read();
    std::vector<double> expected = setup.expected();
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); i++) {
        worst = std::fmax(worst, std::fabs(actual[i] - expected[i]));
    }
    assert_true(worst > 1e-5 && worst < 9.0 / 1024);
}

void replays(void **)
{
    Setup setup(plain);
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    cudaGraph_t graph;
    cudaGraphExec_t program;
    assert_int_equal(cudaStreamBeginCapture(setup.stream, cudaStreamCaptureModeGlobal), 0);
    assert_int_equal(setup.multiply(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cudaStreamEndCapture(setup.stream, &graph), 0);
    assert_int_equal(cudaGraphInstantiate(&program, graph, 0), 0);
    assert_true(setup.d_data.read()[0] == 77);
    for (std::uint32_t seed = 10; seed < 12; seed++) {
        setup.a_data.write(make_values(setup.a.elements(), seed));
        assert_int_equal(cudaGraphLaunch(program, setup.stream), 0);
        assert_true(is_near(setup.d_data.read(), setup.expected(), plain.k, CUDA_R_32F));
    }
    cudaGraphExecDestroy(program);
    cudaGraphDestroy(graph);
}

/* A product overwrites the workspace of its algorithm, and no byte beyond it. */
void workspace_is_overwritten(void **)
{
    Setup setup(plain);
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_true(setup.results[0].workspaceSize > 0 && setup.results[1].workspaceSize == 0);
    std::vector<float> ones(workspace_size / sizeof(float), 1);
    setup.workspace.write(ones);
    assert_int_equal(setup.multiply(), CUBLAS_STATUS_SUCCESS);
    std::vector<float> left = setup.workspace.read();
    std::size_t used = setup.results[0].workspaceSize / sizeof(float);
    assert_true(std::isnan(left[0]) && std::isnan(left[used - 1]) && left[used] == 1);
}

void workspace_is_enforced(void **)
{
    Setup setup(plain);
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    const cublasLtMatmulAlgo_t *algorithm = &setup.results[0].algo;
    std::size_t needed = setup.results[0].workspaceSize;
    void *a = setup.a_data.pointer;
    auto *area = static_cast<char *>(setup.workspace.pointer);
    std::vector<float> host(workspace_size / sizeof(float) + 64);
    void *aligned = host.data() + (64 - reinterpret_cast<std::uintptr_t>(host.data()) / 4 % 64);
    assert_int_equal(setup.multiply(a, area, needed - 1, algorithm), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(setup.multiply(a, nullptr, needed, algorithm), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(setup.multiply(a, area + 64, needed, algorithm), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(setup.multiply(a, aligned, needed, algorithm), CUBLAS_STATUS_EXECUTION_FAILED);
    assert_int_equal(setup.multiply(a, setup.d_data.pointer, needed, algorithm),
                     CUBLAS_STATUS_INVALID_VALUE);
    setup.set_preference(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{needed - 1});
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(setup.found, 1);
    assert_int_equal(setup.results[0].workspaceSize, 0);
}

void memory_is_checked(void **)
{
    Setup setup(plain);
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    const cublasLtMatmulAlgo_t *algorithm = &setup.results[1].algo;
    alignas(16) float host[256] = {0};
    auto *a = static_cast<char *>(setup.a_data.pointer);
    assert_int_equal(setup.multiply(host, nullptr, 0, algorithm), CUBLAS_STATUS_EXECUTION_FAILED);
    assert_int_equal(setup.multiply(a + 64, nullptr, 0, algorithm), CUBLAS_STATUS_EXECUTION_FAILED);
    assert_int_equal(setup.multiply(nullptr, nullptr, 0, algorithm), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(setup.multiply(a + 4, nullptr, 0, algorithm), CUBLAS_STATUS_INVALID_VALUE);
    /* An algorithm that was asked for an alignment of 4 accepts it, within the array's memory. */
    setup.set_preference(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, std::uint32_t{4});
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(setup.multiply(a + 4, nullptr, 0, &setup.results[1].algo),
                     CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cudaStreamSynchronize(setup.stream), 0);
}

void output_overlaps_nothing(void **)
{
    Case given = plain;
    given.k = 5;
    Setup setup(given);
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(setup.multiply(setup.d_data.pointer, nullptr, 0, &setup.results[1].algo),
                     CUBLAS_STATUS_INVALID_VALUE);
}

void bias_is_checked(void **)
{
    Case given = plain;
    given.epilogue = CUBLASLT_EPILOGUE_BIAS;
    Setup setup(given);
    setup.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, static_cast<void *>(nullptr));
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(setup.multiply(), CUBLAS_STATUS_INVALID_VALUE);
    setup.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER,
              static_cast<void *>(static_cast<char *>(setup.bias.pointer) + 4));
    assert_int_equal(setup.multiply(), CUBLAS_STATUS_INVALID_VALUE);
    DeviceArray small(CUDA_R_32F, make_values(given.m - 1, 5));
    setup.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, small.pointer);
    assert_int_equal(setup.multiply(), CUBLAS_STATUS_EXECUTION_FAILED);
    setup.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, std::int32_t{CUDA_R_16F});
    assert_int_equal(setup.choose(), CUBLAS_STATUS_NOT_SUPPORTED);
}

void descriptors_are_checked(void **)
{
    Setup setup(plain);
    setup.a.set(CUBLASLT_MATRIX_LAYOUT_LD, std::int64_t{4});
    assert_int_equal(setup.choose(), CUBLAS_STATUS_INVALID_VALUE);
    setup.a.set(CUBLASLT_MATRIX_LAYOUT_LD, std::int64_t{8});
    setup.b.set(CUBLASLT_MATRIX_LAYOUT_ROWS, std::uint64_t{8});
    assert_int_equal(setup.choose(), CUBLAS_STATUS_INVALID_VALUE);
    setup.b.set(CUBLASLT_MATRIX_LAYOUT_ROWS, std::uint64_t{9});
    setup.a.set(CUBLASLT_MATRIX_LAYOUT_ORDER, std::int32_t{CUBLASLT_ORDER_COL32});
    assert_int_equal(setup.choose(), CUBLAS_STATUS_NOT_SUPPORTED);
    setup.a.set(CUBLASLT_MATRIX_LAYOUT_ORDER, std::int32_t{CUBLASLT_ORDER_COL});
    setup.set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(CUBLASLT_EPILOGUE_GELU));
    assert_int_equal(setup.choose(), CUBLAS_STATUS_NOT_SUPPORTED);
    setup.set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(plain.epilogue));
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    /* An algorithm is valid for its own problem only. */
    setup.set(CUBLASLT_MATMUL_DESC_EPILOGUE, static_cast<std::uint32_t>(CUBLASLT_EPILOGUE_RELU));
    assert_int_equal(setup.multiply(), CUBLAS_STATUS_INVALID_VALUE);
}

void types_are_checked(void **)
{
    Case given = plain;
    given.output = CUDA_R_16F;
    assert_int_equal(Setup(given).choose(), CUBLAS_STATUS_NOT_SUPPORTED);
    assert_int_equal(Setup(plain, CUBLAS_COMPUTE_16F).choose(), CUBLAS_STATUS_NOT_SUPPORTED);
    given.input = CUDA_R_16F;
    assert_int_equal(Setup(given, CUBLAS_COMPUTE_32F_FAST_TF32).choose(),
                     CUBLAS_STATUS_NOT_SUPPORTED);
}

void arguments_are_checked(void **)
{
    Setup setup(plain);
    std::int64_t wide = 0;
    assert_int_equal(cublasLtCreate(nullptr), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(cublasLtMatmulDescSetAttribute(setup.operation, CUBLASLT_MATMUL_DESC_TRANSA,
                                                    &wide, sizeof wide),
                     CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(cublasLtMatmulDescSetAttribute(setup.operation,
                                                    CUBLASLT_MATMUL_DESC_POINTER_MODE, &wide, 4),
                     CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(cublasLtMatrixLayoutSetAttribute(setup.a.layout, CUBLASLT_MATRIX_LAYOUT_LD,
                                                      nullptr, sizeof wide),
                     CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(cublasLtMatmulAlgoGetHeuristic(setup.handle, setup.operation, setup.a.layout,
                                                    setup.b.layout, setup.d.layout, setup.d.layout,
                                                    setup.preference, 0, setup.results,
                                                    &setup.found),
                     CUBLAS_STATUS_INVALID_VALUE);
    /* alpha is a device pointer here, where a host pointer is wanted. */
    assert_int_equal(setup.choose(), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cublasLtMatmul(setup.handle, setup.operation, setup.bias.pointer,
                                    setup.a_data.pointer, setup.a.layout, setup.b_data.pointer,
                                    setup.b.layout, &plain.beta, setup.c_data.pointer,
                                    setup.d.layout, setup.d_data.pointer, setup.d.layout, nullptr,
                                    nullptr, 0, setup.stream),
                     CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(cublasLtGetVersion(), CUBLAS_VERSION);
    assert_string_equal(cublasLtGetStatusName(CUBLAS_STATUS_INVALID_VALUE),
                        "CUBLAS_STATUS_INVALID_VALUE");
    assert_non_null(std::strstr(cublasLtGetStatusString(CUBLAS_STATUS_NOT_SUPPORTED), "supported"));
}

/* Freeing memory before the work in a stream uses it is undefined on a device, and fatal here. */
void freed_memory_ends_the_program(void **)
{
    pid_t child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        Setup setup(plain);
        void *copy = nullptr;
        bool ready = setup.choose() == CUBLAS_STATUS_SUCCESS &&
                     cudaMalloc(&copy, setup.a_data.bytes()) == cudaSuccess;
        cudaGraph_t graph;
        cudaGraphExec_t program;
        cudaStreamBeginCapture(setup.stream, cudaStreamCaptureModeGlobal);
        ready = ready && setup.multiply(copy, nullptr, 0, &setup.results[1].algo) == 0;
        cudaStreamEndCapture(setup.stream, &graph);
        cudaGraphInstantiate(&program, graph, 0);
        cudaFree(copy);
        if (ready) {
            cudaGraphLaunch(program, setup.stream);
            cudaStreamSynchronize(setup.stream);
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(products_match),
        cmocka_unit_test(odd_sizes_match),
        cmocka_unit_test(types_of_16_bits_match),
        cmocka_unit_test(partial_sums_are_what_the_mask_allows),
        cmocka_unit_test(fused_16_bits_want_whole_lines),
        cmocka_unit_test(bias_has_the_type_of_the_output),
        cmocka_unit_test(in_place_without_algorithm),
        cmocka_unit_test(tf32_rounds),
        cmocka_unit_test(replays),
        cmocka_unit_test(workspace_is_overwritten),
        cmocka_unit_test(workspace_is_enforced),
        cmocka_unit_test(memory_is_checked),
        cmocka_unit_test(output_overlaps_nothing),
        cmocka_unit_test(bias_is_checked),
        cmocka_unit_test(descriptors_are_checked),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(freed_memory_ends_the_program),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
