/* The simulated cuDNN against a plain loop in double, and its refusals. */
#include "tests/cudasim/library_buffers.h"

#include <algorithm>
#include <cstring>

#include <cudnn.h>

#include "tests/cudasim/convolution.h"

using cudasim::Direction;

namespace
{
struct Case {
    int n, h, w, c;
    int k, r, s;
    int padding[2], stride[2], dilation[2];
    int groups;
};

const Case cases[] = {
    {2, 5, 7, 3, 4, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},
    {3, 13, 32, 1, 5, 7, 7, {3, 3}, {2, 2}, {1, 1}, 1},
    {1, 1, 9, 2, 3, 1, 3, {0, 1}, {1, 2}, {1, 1}, 1},
    {2, 9, 8, 6, 4, 3, 2, {2, 0}, {1, 2}, {2, 3}, 2},
    {2, 6, 5, 8, 8, 5, 5, {2, 2}, {1, 1}, {1, 1}, 8},
    {1, 7, 7, 4, 12, 3, 3, {0, 0}, {3, 2}, {1, 1}, 4},
    {4, 3, 3, 17, 19, 1, 1, {0, 0}, {1, 1}, {1, 1}, 1},
    {1, 2, 2, 3, 2, 3, 3, {2, 2}, {1, 1}, {1, 1}, 1},
    {32, 4, 8, 12, 10, 3, 3, {1, 1}, {2, 2}, {1, 1}, 1},
};

const Case &plain = cases[0];
const Direction directions[] = {Direction::forward, Direction::backward_data,
                                Direction::backward_filter};

cudaDataType_t cuda_type(cudnnDataType_t type)
{
    return type == CUDNN_DATA_HALF       ? CUDA_R_16F
           : type == CUDNN_DATA_BFLOAT16 ? CUDA_R_16BF
                                         : CUDA_R_32F;
}

int output_size(const Case &given, int axis)
{
    int input = axis == 0 ? given.h : given.w;
    int kernel = axis == 0 ? given.r : given.s;
    return 1 + (input + 2 * given.padding[axis] - given.dilation[axis] * (kernel - 1) - 1) /
                   given.stride[axis];
}

/* One convolution with its descriptors and arrays, in any direction. */
struct Setup {
    Case given;
    cudnnDataType_t type;
    int oh, ow;
    DeviceArray x, w, y, workspace;
    cudnnHandle_t handle = nullptr;
    cudnnTensorDescriptor_t x_descriptor = nullptr, y_descriptor = nullptr;
    cudnnFilterDescriptor_t filter = nullptr;
    cudnnConvolutionDescriptor_t convolution = nullptr;
    cudaStream_t stream = nullptr;
    float alpha = 1, beta = 0;

    explicit Setup(const Case &wish, cudnnDataType_t data = CUDNN_DATA_FLOAT)
        : given(wish), type(data), oh(output_size(wish, 0)), ow(output_size(wish, 1)),
          x(cuda_type(data), make_values(size(wish.n * wish.h * wish.w * wish.c), 1)),
          w(cuda_type(data), make_values(size(wish.k * wish.r * wish.s * wish.c / wish.groups), 2)),
          y(cuda_type(data), make_values(size(wish.n * oh * ow * wish.k), 3)),
          workspace(CUDA_R_32F, make_nans(1 << 16))
    {
        assert_int_equal(cudnnCreate(&handle), 0);
        assert_int_equal(cudaStreamCreate(&stream), 0);
        assert_int_equal(cudnnSetStream(handle, stream), 0);
        assert_int_equal(cudnnCreateTensorDescriptor(&x_descriptor), 0);
        assert_int_equal(cudnnCreateTensorDescriptor(&y_descriptor), 0);
        assert_int_equal(cudnnCreateFilterDescriptor(&filter), 0);
        assert_int_equal(cudnnCreateConvolutionDescriptor(&convolution), 0);
        describe(CUDNN_TENSOR_NHWC);
        assert_int_equal(cudnnSetConvolution2dDescriptor(
                             convolution, given.padding[0], given.padding[1], given.stride[0],
                             given.stride[1], given.dilation[0], given.dilation[1],
                             CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                         0);
        assert_int_equal(cudnnSetConvolutionGroupCount(convolution, given.groups), 0);
        assert_int_equal(cudnnSetConvolutionMathType(convolution, CUDNN_FMA_MATH), 0);
    }
    ~Setup()
    {
        cudnnDestroyConvolutionDescriptor(convolution);
        cudnnDestroyFilterDescriptor(filter);
        cudnnDestroyTensorDescriptor(y_descriptor);
        cudnnDestroyTensorDescriptor(x_descriptor);
        cudnnDestroy(handle);
        cudaStreamDestroy(stream);
    }
    Setup(const Setup &) = delete;
    Setup &operator=(const Setup &) = delete;

    static std::size_t size(int count)
    {
        return static_cast<std::size_t>(count);
    }
    void describe(cudnnTensorFormat_t format)
    {
        assert_int_equal(cudnnSetTensor4dDescriptor(x_descriptor, format, type, given.n, given.c,
                                                    given.h, given.w),
                         0);
        assert_int_equal(
            cudnnSetTensor4dDescriptor(y_descriptor, format, type, given.n, given.k, oh, ow), 0);
        assert_int_equal(cudnnSetFilter4dDescriptor(filter, type, format, given.k,
                                                    given.c / given.groups, given.r, given.s),
                         0);
    }
    DeviceArray &output(Direction direction)
    {
        return direction == Direction::forward ? y : direction == Direction::backward_data ? x : w;
    }
    cudnnStatus_t need(Direction direction, int number, std::size_t *bytes)
    {
        if (direction == Direction::forward) {
            return cudnnGetConvolutionForwardWorkspaceSize(
                handle, x_descriptor, filter, convolution, y_descriptor,
                static_cast<cudnnConvolutionFwdAlgo_t>(number), bytes);
        }
        if (direction == Direction::backward_data) {
            return cudnnGetConvolutionBackwardDataWorkspaceSize(
                handle, filter, y_descriptor, convolution, x_descriptor,
                static_cast<cudnnConvolutionBwdDataAlgo_t>(number), bytes);
        }
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(
            handle, x_descriptor, y_descriptor, convolution, filter,
            static_cast<cudnnConvolutionBwdFilterAlgo_t>(number), bytes);
    }
    cudnnStatus_t run(Direction direction, int number, void *area, std::size_t bytes,
                      const void *x_pointer, const void *w_pointer)
    {
        void *x_output = const_cast<void *>(x_pointer);
        void *w_output = const_cast<void *>(w_pointer);
        if (direction == Direction::forward) {
            return cudnnConvolutionForward(handle, &alpha, x_descriptor, x_pointer, filter,
                                           w_pointer, convolution,
                                           static_cast<cudnnConvolutionFwdAlgo_t>(number), area,
                                           bytes, &beta, y_descriptor, y.pointer);
        }
        if (direction == Direction::backward_data) {
            return cudnnConvolutionBackwardData(handle, &alpha, filter, w_pointer, y_descriptor,
                                                y.pointer, convolution,
                                                static_cast<cudnnConvolutionBwdDataAlgo_t>(number),
                                                area, bytes, &beta, x_descriptor, x_output);
        }
        return cudnnConvolutionBackwardFilter(handle, &alpha, x_descriptor, x_pointer, y_descriptor,
                                              y.pointer, convolution,
                                              static_cast<cudnnConvolutionBwdFilterAlgo_t>(number),
                                              area, bytes, &beta, filter, w_output);
    }
    cudnnStatus_t run(Direction direction, int number)
    {
        return run(direction, number, workspace.pointer, workspace.bytes(), x.pointer, w.pointer);
    }
    /* Calls add(index in x, index in w, index in y) for every product of the convolution. */
    template <typename Add> void for_each_product(Add add) const
    {
        int channels = given.c / given.groups;
        for (int n = 0; n < given.n; n++)
            for (int i = 0; i < oh; i++)
                for (int j = 0; j < ow; j++)
                    for (int k = 0; k < given.k; k++)
                        for (int r = 0; r < given.r; r++)
                            for (int s = 0; s < given.s; s++) {
                                int h =
                                    i * given.stride[0] - given.padding[0] + r * given.dilation[0];
                                int v =
                                    j * given.stride[1] - given.padding[1] + s * given.dilation[1];
                                if (h < 0 || h >= given.h || v < 0 || v >= given.w)
                                    continue;
                                int first = k / (given.k / given.groups) * channels;
                                for (int c = 0; c < channels; c++) {
                                    add(size(((n * given.h + h) * given.w + v) * given.c + first +
                                             c),
                                        size(((k * given.r + r) * given.s + s) * channels + c),
                                        size(((n * oh + i) * ow + j) * given.k + k));
                                }
                            }
    }
    std::vector<double> expected(Direction direction)
    {
        std::vector<float> xs = x.read(), ws = w.read(), ys = y.read();
        std::vector<float> old = output(direction).read();
        std::vector<double> result(old.size(), 0);
        for_each_product([&](std::size_t i, std::size_t j, std::size_t k) {
            if (direction == Direction::forward) {
                result[k] += static_cast<double>(xs[i]) * ws[j];
            } else if (direction == Direction::backward_data) {
                result[i] += static_cast<double>(ws[j]) * ys[k];
            } else {
                result[j] += static_cast<double>(xs[i]) * ys[k];
            }
        });
        for (std::size_t i = 0; i < result.size(); i++) {
            result[i] = alpha * result[i] + (beta != 0 ? beta * old[i] : 0);
        }
        return result;
    }
    std::size_t terms(Direction direction) const
    {
        return direction == Direction::backward_filter
                   ? size(given.n * oh * ow)
                   : size(given.r * given.s * std::max(given.c, given.k));
    }
};

void check_case(const Case &given, cudnnDataType_t type, Direction direction, int number,
                float alpha, float beta)
{
    Setup setup(given, type);
    setup.alpha = alpha;
    setup.beta = beta;
    std::vector<double> expected = setup.expected(direction);
    if (beta == 0) {
        setup.output(direction).write(make_nans(expected.size()));
    }
    assert_int_equal(setup.run(direction, number), CUDNN_STATUS_SUCCESS);
    assert_true(
        is_near(setup.output(direction).read(), expected, setup.terms(direction), cuda_type(type)));
}

void convolutions_match(void **)
{
    for (const Case &given : cases) {
        for (Direction direction : directions) {
            for (int number = 0; number < 2; number++) {
                check_case(given, CUDNN_DATA_FLOAT, direction, number, 1, 0);
                check_case(given, CUDNN_DATA_FLOAT, direction, number, -0.5f, 1);
            }
        }
    }
}

void types_of_16_bits_match(void **)
{
    for (cudnnDataType_t type : {CUDNN_DATA_HALF, CUDNN_DATA_BFLOAT16}) {
        for (Direction direction : directions) {
            check_case(cases[3], type, direction, 1, 1, 0);
            check_case(plain, type, direction, 0, 1, 1);
        }
    }
}

void default_math_is_tf32(void **)
{
    for (Direction direction : directions) {
        Setup setup(plain);
        std::vector<double> expected = setup.expected(direction);
        assert_int_equal(cudnnSetConvolutionMathType(setup.convolution, CUDNN_DEFAULT_MATH), 0);
        assert_int_equal(setup.run(direction, 1), CUDNN_STATUS_SUCCESS);
        std::vector<float> actual = setup.output(direction).read();
        double worst = 0;
        for (std::size_t i = 0; i < expected.size(); i++) {
            worst = std::fmax(worst, std::fabs(actual[i] - expected[i]));
        }
        assert_true(worst > 1e-5 && worst < 0.05);
    }
}

/* Algorithm 0 backwards is documented as not deterministic, and is not. */
void order_varies_where_it_may(void **)
{
    for (Direction direction : {Direction::backward_data, Direction::backward_filter}) {
        for (int number = 0; number < 2; number++) {
            Setup setup(cases[8]);
            assert_int_equal(setup.run(direction, number), 0);
            std::vector<float> first = setup.output(direction).read();
            Setup fresh(cases[8]);
            std::vector<double> expected = fresh.expected(direction);
            assert_int_equal(
                setup.run(direction, number, setup.workspace.pointer, setup.workspace.bytes(),
                          direction == Direction::backward_data ? fresh.x.pointer : setup.x.pointer,
                          direction == Direction::backward_data ? setup.w.pointer
                                                                : fresh.w.pointer),
                0);
            assert_int_equal(fresh.output(direction).read() == first, number == 1);
            assert_true(is_near(fresh.output(direction).read(), expected, setup.terms(direction),
                                CUDA_R_32F));
        }
    }
}

void replays(void **)
{
    Setup setup(plain);
    cudaGraph_t graph;
    cudaGraphExec_t program;
    assert_int_equal(cudaStreamBeginCapture(setup.stream, cudaStreamCaptureModeGlobal), 0);
    assert_int_equal(setup.run(Direction::forward, 1), 0);
    int found = 0;
    cudnnConvolutionFwdAlgoPerf_t results[8];
    assert_int_equal(cudnnFindConvolutionForwardAlgorithm(setup.handle, setup.x_descriptor,
                                                          setup.filter, setup.convolution,
                                                          setup.y_descriptor, 8, &found, results),
                     CUDNN_STATUS_EXECUTION_FAILED_CUDART);
    assert_int_equal(cudaStreamEndCapture(setup.stream, &graph), 0);
    assert_int_equal(cudaGraphInstantiate(&program, graph, 0), 0);
    for (std::uint32_t seed = 10; seed < 12; seed++) {
        setup.x.write(make_values(setup.x.bytes() / sizeof(float), seed));
        std::vector<double> expected = setup.expected(Direction::forward);
        assert_int_equal(cudaGraphLaunch(program, setup.stream), 0);
        assert_true(is_near(setup.y.read(), expected, 27, CUDA_R_32F));
    }
    cudaGraphExecDestroy(program);
    cudaGraphDestroy(graph);
}

void workspace_is_enforced(void **)
{
    for (Direction direction : directions) {
        Setup setup(plain);
        std::size_t bytes = 1;
        assert_int_equal(setup.need(direction, 0, &bytes), 0);
        assert_int_equal(bytes, 0);
        assert_int_equal(setup.need(direction, 1, &bytes), 0);
        assert_true(bytes > 0);
        void *area = setup.workspace.pointer;
        void *x = setup.x.pointer;
        void *w = setup.w.pointer;
        alignas(16) static char host[1 << 16];
        assert_int_equal(setup.run(direction, 1, area, bytes - 1, x, w), CUDNN_STATUS_BAD_PARAM);
        char text[256];
        cudnnGetLastErrorString(text, sizeof text);
        assert_non_null(std::strstr(text, "workspace of"));
        assert_int_equal(setup.run(direction, 1, nullptr, bytes, x, w), CUDNN_STATUS_BAD_PARAM);
        assert_int_equal(setup.run(direction, 1, static_cast<char *>(area) + 4, bytes, x, w),
                         CUDNN_STATUS_BAD_PARAM);
        assert_int_equal(setup.run(direction, 1, host, bytes, x, w), CUDNN_STATUS_EXECUTION_FAILED);
        assert_int_equal(setup.run(direction, 1, area, bytes, x, w), CUDNN_STATUS_SUCCESS);
        std::vector<float> left = setup.workspace.read();
        assert_true(std::isnan(left[0]));
        assert_int_equal(setup.need(direction, 2, &bytes), CUDNN_STATUS_NOT_SUPPORTED);
        assert_int_equal(setup.need(direction, 99, &bytes), CUDNN_STATUS_BAD_PARAM);
    }
}

void memory_is_checked(void **)
{
    for (Direction direction : directions) {
        Setup setup(plain);
        void *x = setup.x.pointer;
        void *w = setup.w.pointer;
        alignas(16) static float host[4096];
        assert_int_equal(setup.run(direction, 0, nullptr, 0, host, w),
                         CUDNN_STATUS_EXECUTION_FAILED);
        assert_int_equal(setup.run(direction, 0, nullptr, 0, x, host),
                         CUDNN_STATUS_EXECUTION_FAILED);
        assert_int_equal(setup.run(direction, 0, nullptr, 0, static_cast<char *>(x) + 16, w),
                         CUDNN_STATUS_EXECUTION_FAILED);
        assert_int_equal(setup.run(direction, 0, nullptr, 0, static_cast<char *>(x) + 4, w),
                         CUDNN_STATUS_BAD_PARAM);
        assert_int_equal(setup.run(direction, 0, nullptr, 0, nullptr, w), CUDNN_STATUS_BAD_PARAM);
    }
    Setup setup(plain);
    assert_int_equal(
        setup.run(Direction::backward_filter, 0, nullptr, 0, setup.x.pointer, setup.x.pointer),
        CUDNN_STATUS_BAD_PARAM);
    char text[256];
    cudnnGetLastErrorString(text, sizeof text);
    assert_non_null(std::strstr(text, "overlap"));
    cudnnGetLastErrorString(text, sizeof text);
    assert_string_equal(text, "");
}

void descriptors_must_fit(void **)
{
    Setup setup(plain);
    auto again = [&] { return setup.run(Direction::forward, 0); };
    assert_int_equal(cudnnSetConvolutionGroupCount(setup.convolution, 3), 0);
    assert_int_equal(again(), CUDNN_STATUS_BAD_PARAM);
    /* 4 filters cannot be divided among 3 groups of one channel each. */
    assert_int_equal(
        cudnnSetFilter4dDescriptor(setup.filter, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 4, 1, 3, 3),
        0);
    assert_int_equal(again(), CUDNN_STATUS_BAD_PARAM);
    setup.describe(CUDNN_TENSOR_NHWC);
    assert_int_equal(cudnnSetConvolutionGroupCount(setup.convolution, 1), 0);
    assert_int_equal(cudnnSetTensor4dDescriptor(setup.y_descriptor, CUDNN_TENSOR_NHWC,
                                                CUDNN_DATA_FLOAT, 2, 4, 5, 6),
                     0);
    assert_int_equal(again(), CUDNN_STATUS_BAD_PARAM);
    assert_int_equal(cudnnSetTensor4dDescriptor(setup.y_descriptor, CUDNN_TENSOR_NHWC,
                                                CUDNN_DATA_HALF, 2, 4, 5, 7),
                     0);
    assert_int_equal(again(), CUDNN_STATUS_BAD_PARAM);
    setup.describe(CUDNN_TENSOR_NCHW);
    assert_int_equal(again(), CUDNN_STATUS_NOT_SUPPORTED);
    setup.describe(CUDNN_TENSOR_NHWC);
    assert_int_equal(
        cudnnSetConvolutionMathType(setup.convolution, CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION), 0);
    assert_int_equal(again(), CUDNN_STATUS_NOT_SUPPORTED);
    assert_int_equal(cudnnSetConvolutionMathType(setup.convolution, CUDNN_FMA_MATH), 0);
    assert_int_equal(cudnnSetConvolution2dDescriptor(setup.convolution, 1, 1, 1, 1, 1, 1,
                                                     CUDNN_CONVOLUTION, CUDNN_DATA_FLOAT),
                     0);
    assert_int_equal(again(), CUDNN_STATUS_NOT_SUPPORTED);
    assert_int_equal(cudnnSetConvolution2dDescriptor(setup.convolution, 1, 1, 1, 1, 1, 1,
                                                     CUDNN_CROSS_CORRELATION, CUDNN_DATA_HALF),
                     0);
    assert_int_equal(again(), CUDNN_STATUS_NOT_SUPPORTED);
}

void descriptors_are_checked(void **)
{
    cudnnTensorDescriptor_t tensor;
    assert_int_equal(cudnnCreateTensorDescriptor(&tensor), 0);
    auto set = [&](int n, int c) {
        return cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, n, c, 64,
                                          64);
    };
    assert_int_equal(set(0, 1), CUDNN_STATUS_BAD_PARAM);
    assert_int_equal(set(65536, 1024), CUDNN_STATUS_NOT_SUPPORTED);
    assert_int_equal(set(2, 3), CUDNN_STATUS_SUCCESS);
    cudnnFilterDescriptor_t filter;
    assert_int_equal(cudnnCreateFilterDescriptor(&filter), 0);
    assert_int_equal(
        cudnnSetFilter4dDescriptor(filter, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 6, 3, 0, 3),
        CUDNN_STATUS_BAD_PARAM);
    cudnnConvolutionDescriptor_t convolution;
    assert_int_equal(cudnnCreateConvolutionDescriptor(&convolution), 0);
    assert_int_equal(cudnnSetConvolution2dDescriptor(convolution, -1, 0, 1, 1, 1, 1,
                                                     CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
                     CUDNN_STATUS_BAD_PARAM);
    assert_int_equal(cudnnSetConvolutionGroupCount(convolution, 0), CUDNN_STATUS_BAD_PARAM);
    cudnnDestroyConvolutionDescriptor(convolution);
    cudnnDestroyFilterDescriptor(filter);
    cudnnDestroyTensorDescriptor(tensor);
    assert_int_equal(cudnnCreate(nullptr), CUDNN_STATUS_BAD_PARAM);
    assert_int_equal(cudnnSetStream(nullptr, nullptr), CUDNN_STATUS_BAD_PARAM);
    assert_int_equal(cudnnGetVersion(), CUDNN_VERSION);
    assert_string_equal(cudnnGetErrorString(CUDNN_STATUS_BAD_PARAM), "CUDNN_STATUS_BAD_PARAM");
}

void algorithms_are_listed(void **)
{
    Setup setup(plain);
    int count = 0;
    int found = 0;
    cudnnConvolutionBwdFilterAlgoPerf_t results[8];
    assert_int_equal(cudnnGetConvolutionBackwardFilterAlgorithmMaxCount(setup.handle, &count), 0);
    assert_int_equal(count, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT);
    assert_int_equal(cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                         setup.handle, setup.x_descriptor, setup.y_descriptor, setup.convolution,
                         setup.filter, count, &found, results),
                     0);
    assert_int_equal(found, count);
    assert_int_equal(results[0].algo, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0);
    assert_int_equal(results[0].determinism, CUDNN_NON_DETERMINISTIC);
    assert_int_equal(results[1].determinism, CUDNN_DETERMINISTIC);
    std::size_t bytes = 0;
    assert_int_equal(setup.need(Direction::backward_filter, 1, &bytes), 0);
    assert_int_equal(results[1].memory, bytes);
    assert_int_equal(results[2].status, CUDNN_STATUS_NOT_SUPPORTED);
    /* A search with too little memory leaves out the first algorithm, and overwrites the output. */
    cudnnConvolutionFwdAlgoPerf_t forward[2];
    assert_int_equal(cudnnFindConvolutionForwardAlgorithmEx(
                         setup.handle, setup.x_descriptor, setup.x.pointer, setup.filter,
                         setup.w.pointer, setup.convolution, setup.y_descriptor, setup.y.pointer, 2,
                         &found, forward, nullptr, 0),
                     0);
    assert_int_equal(forward[0].algo, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM);
    assert_int_equal(forward[0].status, CUDNN_STATUS_SUCCESS);
    assert_true(forward[0].time > 0);
    assert_int_equal(forward[1].status, CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED);
    assert_true(std::isnan(setup.y.read()[0]));
    assert_int_equal(cudnnFindConvolutionForwardAlgorithm(setup.handle, setup.x_descriptor,
                                                          setup.filter, setup.convolution,
                                                          setup.y_descriptor, 0, &found, forward),
                     CUDNN_STATUS_BAD_PARAM);
}

void output_size_is_told(void **)
{
    for (const Case &given : cases) {
        Setup setup(given);
        int n = 0, c = 0, h = 0, w = 0;
        assert_int_equal(cudnnGetConvolution2dForwardOutputDim(
                             setup.convolution, setup.x_descriptor, setup.filter, &n, &c, &h, &w),
                         0);
        assert_true(n == given.n && c == given.k && h == setup.oh && w == setup.ow);
    }
}
} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_match),
        cmocka_unit_test(types_of_16_bits_match),
        cmocka_unit_test(default_math_is_tf32),
        cmocka_unit_test(order_varies_where_it_may),
        cmocka_unit_test(replays),
        cmocka_unit_test(workspace_is_enforced),
        cmocka_unit_test(memory_is_checked),
        cmocka_unit_test(descriptors_must_fit),
        cmocka_unit_test(descriptors_are_checked),
        cmocka_unit_test(algorithms_are_listed),
        cmocka_unit_test(output_size_is_told),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
