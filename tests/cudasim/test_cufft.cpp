/* The simulated cuFFT against a plain sum in double, and its refusals. */
#include <complex> /* before cmocka, whose macros break it */

#include <cufft.h>

#include "tests/cudasim/library_buffers.h"

namespace
{
/* Transforms with gaps between them and between their elements. */
struct Setup {
    int size, batch;
    int stride, distance, bin_stride, bin_distance;
    DeviceArray input, output;
    cufftHandle plan = CUFFT_PLAN_NULL;
    cudaStream_t stream = nullptr;
    std::size_t work_size = 0;
    DeviceArray area;

    Setup(int points, int count, int step = 1, int gap = 0)
        : size(points), batch(count), stride(step), distance(points * step + gap), bin_stride(step),
          bin_distance((points / 2 + 1) * step + gap),
          input(CUDA_R_32F, make_values(static_cast<std::size_t>(batch * distance), 1)),
          output(CUDA_R_32F,
                 std::vector<float>(static_cast<std::size_t>(2 * batch * bin_distance), 77)),
          area(CUDA_R_32F, make_nans(1 << 16))
    {
        assert_int_equal(cufftCreate(&plan), 0);
        assert_int_equal(cudaStreamCreate(&stream), 0);
        assert_int_equal(cufftSetStream(plan, stream), 0);
    }
    ~Setup()
    {
        cufftDestroy(plan);
        cudaStreamDestroy(stream);
    }
    Setup(const Setup &) = delete;
    Setup &operator=(const Setup &) = delete;

    cufftResult make(bool packed = false)
    {
        int embed[] = {size};
        int bins[] = {size / 2 + 1};
        int points[] = {size};
        return cufftMakePlanMany(plan, 1, points, packed ? nullptr : embed, stride, distance,
                                 packed ? nullptr : bins, bin_stride, bin_distance, CUFFT_R2C,
                                 batch, &work_size);
    }
    cufftResult transform()
    {
        return cufftExecR2C(plan, static_cast<float *>(input.pointer),
                            static_cast<cufftComplex *>(output.pointer));
    }
    /* The whole array of the output; the gaps between the bins do not change. */
    std::vector<double> expected() const
    {
        std::vector<float> values = input.read();
        std::vector<double> result(static_cast<std::size_t>(2 * batch * bin_distance), 77);
        for (int b = 0; b < batch; b++) {
            for (int k = 0; k <= size / 2; k++) {
                std::complex<double> sum = 0;
                for (int i = 0; i < size; i++) {
                    double angle = -2 * std::acos(-1.0) * (k * i % size) / size;
                    double value = values[static_cast<std::size_t>(b * distance + i * stride)];
                    sum += std::polar(value, angle);
                }
                auto at = static_cast<std::size_t>(2 * (b * bin_distance + k * bin_stride));
                result[at] = sum.real();
                result[at + 1] = sum.imag();
            }
        }
        return result;
    }
};

void transforms_match(void **)
{
    const int shapes[][4] = {{2, 1, 1, 0},  {4, 3, 1, 0},    {8, 2, 2, 4},
                             {64, 5, 1, 2}, {1024, 2, 1, 0}, {512, 3, 3, 7}};
    for (const int *shape : shapes) {
        for (bool own : {false, true}) {
            Setup setup(shape[0], shape[1], shape[2], shape[3]);
            assert_int_equal(cufftSetAutoAllocation(setup.plan, own), 0);
            assert_int_equal(setup.make(), CUFFT_SUCCESS);
            if (!own) {
                assert_int_equal(cufftSetWorkArea(setup.plan, setup.area.pointer), 0);
            }
            assert_int_equal(setup.transform(), CUFFT_SUCCESS);
            assert_true(is_near(setup.output.read(), setup.expected(),
                                static_cast<std::size_t>(10 * shape[0]), CUDA_R_32F));
        }
    }
}

/* Without embedding sizes, strides and distances are ignored. */
void packed_plan_ignores_strides(void **)
{
    Setup setup(16, 3);
    setup.stride = 5;
    setup.bin_distance = 1;
    assert_int_equal(setup.make(true), CUFFT_SUCCESS);
    setup.stride = 1;
    setup.bin_distance = 9;
    assert_int_equal(setup.transform(), CUFFT_SUCCESS);
    assert_true(is_near(setup.output.read(), setup.expected(), 160, CUDA_R_32F));
}

void replays(void **)
{
    Setup setup(32, 2);
    assert_int_equal(setup.make(), CUFFT_SUCCESS);
    cudaGraph_t graph;
    cudaGraphExec_t program;
    assert_int_equal(cudaStreamBeginCapture(setup.stream, cudaStreamCaptureModeGlobal), 0);
    assert_int_equal(setup.transform(), CUFFT_SUCCESS);
    assert_int_equal(cudaStreamEndCapture(setup.stream, &graph), 0);
    assert_int_equal(cudaGraphInstantiate(&program, graph, 0), 0);
    for (std::uint32_t seed = 10; seed < 12; seed++) {
        setup.input.write(make_values(64, seed));
        assert_int_equal(cudaGraphLaunch(program, setup.stream), 0);
        assert_true(is_near(setup.output.read(), setup.expected(), 320, CUDA_R_32F));
    }
    cudaGraphExecDestroy(program);
    cudaGraphDestroy(graph);
}

void work_area_is_enforced(void **)
{
    Setup setup(64, 4);
    std::size_t size = 0;
    assert_int_equal(cufftGetSize(setup.plan, &size), CUFFT_INVALID_PLAN);
    assert_int_equal(cufftSetAutoAllocation(setup.plan, 0), 0);
    assert_int_equal(setup.make(), CUFFT_SUCCESS);
    assert_int_equal(cufftGetSize(setup.plan, &size), 0);
    assert_true(size > 0 && size == setup.work_size);
    assert_int_equal(setup.transform(), CUFFT_NO_WORKSPACE);
    std::vector<float> host(1 << 12);
    assert_int_equal(cufftSetWorkArea(setup.plan, host.data()), 0);
    assert_int_equal(setup.transform(), CUFFT_EXEC_FAILED);
    DeviceArray small(CUDA_R_32F, make_nans(size / sizeof(float) - 1));
    assert_int_equal(cufftSetWorkArea(setup.plan, small.pointer), 0);
    assert_int_equal(setup.transform(), CUFFT_EXEC_FAILED);
    setup.area.write(std::vector<float>(1 << 16, 1));
    assert_int_equal(cufftSetWorkArea(setup.plan, setup.area.pointer), 0);
    assert_int_equal(setup.transform(), CUFFT_SUCCESS);
    std::vector<float> left = setup.area.read();
    assert_true(std::isnan(left[0]) && left[size / sizeof(float)] == 1);
    assert_int_equal(cufftSetAutoAllocation(setup.plan, 1), CUFFT_INVALID_VALUE);
}

void plans_are_checked(void **)
{
    Setup setup(64, 4);
    setup.size = 60;
    assert_int_equal(setup.make(), CUFFT_NOT_SUPPORTED);
    setup.size = 64;
    setup.batch = 0;
    assert_int_equal(setup.make(), CUFFT_INVALID_SIZE);
    setup.batch = 4;
    setup.bin_distance = 20;
    assert_int_equal(setup.make(), CUFFT_INVALID_VALUE);
    int points[] = {64};
    assert_int_equal(cufftMakePlanMany(setup.plan, 1, points, nullptr, 1, 1, nullptr, 1, 1,
                                       CUFFT_C2C, 1, &setup.work_size),
                     CUFFT_NOT_SUPPORTED);
    assert_int_equal(setup.transform(), CUFFT_INVALID_PLAN);
    setup.bin_distance = 33;
    assert_int_equal(setup.make(), CUFFT_SUCCESS);
    assert_int_equal(setup.make(), CUFFT_INVALID_PLAN);
    assert_int_equal(cufftDestroy(CUFFT_PLAN_NULL), CUFFT_SUCCESS);
    assert_int_equal(cufftDestroy(12345), CUFFT_INVALID_PLAN);
    assert_int_equal(cufftSetStream(12345, nullptr), CUFFT_INVALID_PLAN);
    assert_int_equal(cufftCreate(nullptr), CUFFT_INVALID_VALUE);
    int version = 0;
    assert_int_equal(cufftGetVersion(&version), CUFFT_SUCCESS);
    assert_int_equal(version, CUFFT_VERSION);
}

void memory_is_checked(void **)
{
    Setup setup(64, 4);
    assert_int_equal(setup.make(), CUFFT_SUCCESS);
    auto *input = static_cast<float *>(setup.input.pointer);
    auto *output = static_cast<cufftComplex *>(setup.output.pointer);
    alignas(8) float host[256] = {0};
    assert_int_equal(cufftExecR2C(setup.plan, host, output), CUFFT_EXEC_FAILED);
    assert_int_equal(cufftExecR2C(setup.plan, input + 2, output), CUFFT_EXEC_FAILED);
    assert_int_equal(cufftExecR2C(setup.plan, input + 1, output), CUFFT_INVALID_VALUE);
    assert_int_equal(cufftExecR2C(setup.plan, nullptr, output), CUFFT_INVALID_VALUE);
    assert_int_equal(cufftExecR2C(setup.plan, static_cast<float *>(setup.output.pointer), output),
                     CUFFT_INVALID_VALUE);
}

void no_allocation_in_a_capture(void **)
{
    Setup setup(64, 4);
    cudaGraph_t graph = nullptr;
    assert_int_equal(cudaStreamBeginCapture(setup.stream, cudaStreamCaptureModeGlobal), 0);
    assert_int_equal(setup.make(), CUFFT_ALLOC_FAILED);
    cudaStreamEndCapture(setup.stream, &graph);
    cudaGetLastError();
    if (graph != nullptr) {
        cudaGraphDestroy(graph);
    }
}
} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(transforms_match),
        cmocka_unit_test(packed_plan_ignores_strides),
        cmocka_unit_test(replays),
        cmocka_unit_test(work_area_is_enforced),
        cmocka_unit_test(plans_are_checked),
        cmocka_unit_test(memory_is_checked),
        cmocka_unit_test(no_allocation_in_a_capture),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
