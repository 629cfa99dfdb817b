/*
 * cuFFT on the simulated device: batched one-dimensional real-to-complex transforms of powers of
 * two, in FP32, with the caller's work area or one of the plan's own. Any other call does not link;
 * any other rank, type or size is refused.
 *
 * The simulation finds a plan used before it is made, a work area that is missing, too small, or in
 * use by something else (it is overwritten, and never empty here), distances and strides that do
 * not fit the transform, pointers that are misaligned, on the host, or to memory that is too small,
 * and an allocation while a stream is being captured. It is stricter than the real library: it
 * refuses other sizes, which the real one supports, and a call of cufftSetAutoAllocation after the
 * plan was made, which the real one silently ignores. Host pointers are errors at once.
 *
 * The simulation cannot show real work sizes, speed, the real order of summation, and the trouble
 * with other sizes. Status codes follow the manual; those for invalid handles were compared with
 * version 12.0 of the real library.
 */
#include <cmath>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <cufft.h>

#include "tests/cudasim/interface.h"
#include "tests/cudasim/matrix.h"

using cudasim::Range;

namespace
{
using Complex = cufftComplex;

/* Element i of transform b is at data[i * stride + b * distance]. */
struct Placement {
    std::size_t stride, distance;
};

struct Shape {
    std::size_t size = 0; /* 0 until the plan is made */
    std::size_t batch = 0;
    Placement input{}, output{};

    std::size_t bins() const
    {
        return size / 2 + 1;
    }
    std::size_t input_bytes() const
    {
        return ((batch - 1) * input.distance + (size - 1) * input.stride + 1) * sizeof(cufftReal);
    }
    std::size_t output_bytes() const
    {
        return ((batch - 1) * output.distance + (bins() - 1) * output.stride + 1) *
               sizeof(cufftComplex);
    }
    std::size_t work_bytes() const
    {
        return cudasim::workspace_bytes(batch * bins() * sizeof(cufftComplex));
    }
};

struct Plan {
    Shape shape;
    cudaStream_t stream = nullptr;
    bool allocates = true;
    void *own_area = nullptr;
    void *area = nullptr;
};

/* Handles are small integers, so the library keeps a table, as the real one must. */
struct Table {
    std::mutex mutex;
    std::map<cufftHandle, Plan> plans;
    cufftHandle next = 1;
};

Table &table()
{
    static Table instance;
    return instance;
}

/* Applies `use` to a plan, with the table locked. */
template <typename Use> cufftResult with_plan(cufftHandle handle, Use use)
{
    std::lock_guard<std::mutex> lock(table().mutex);
    auto found = table().plans.find(handle);
    return found == table().plans.end() ? CUFFT_INVALID_PLAN : use(found->second);
}

/* Computes exp(-2 pi i k / size) for the first half of the circle. */
std::vector<Complex> make_twiddles(std::size_t size)
{
    std::vector<Complex> twiddles(size / 2);
    for (std::size_t k = 0; k < twiddles.size(); k++) {
        double angle = -2 * std::acos(-1.0) * static_cast<double>(k) / static_cast<double>(size);
        twiddles[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
    }
    return twiddles;
}

/* One pass of Stockham's radix-2 transform, decimation in frequency. `count` interleaved transforms
   of `length` points become 2 count of half the length, in order. The sanitizers are off, because
   the pass only touches buffers of this file and is too slow with each access checked. */
__attribute__((no_sanitize("address", "undefined"))) void
transform_pass(std::size_t length, std::size_t count, const Complex *twiddles, const Complex *from,
               Complex *to)
{
    std::size_t half = length / 2;
    for (std::size_t p = 0; p < half; p++) {
        Complex twiddle = twiddles[p * count];
        for (std::size_t q = 0; q < count; q++) {
            Complex a = from[q + count * p];
            Complex b = from[q + count * (p + half)];
            Complex difference = {a.x - b.x, a.y - b.y};
            to[q + count * 2 * p] = {a.x + b.x, a.y + b.y};
            to[q + count * (2 * p + 1)] = {difference.x * twiddle.x - difference.y * twiddle.y,
                                           difference.x * twiddle.y + difference.y * twiddle.x};
        }
    }
}

struct Transform {
    Shape shape;
    const cufftReal *input;
    cufftComplex *output;
    void *area;
};

void run(const Transform &call)
{
    const Shape &shape = call.shape;
    cudasim::require_on_device("cufftExecR2C", {{call.input, shape.input_bytes()},
                                                {call.output, shape.output_bytes()},
                                                {call.area, shape.work_bytes()}});
    std::vector<Complex> twiddles = make_twiddles(shape.size);
    std::vector<Complex> values(shape.size);
    std::vector<Complex> other(shape.size);
    for (std::size_t b = 0; b < shape.batch; b++) {
        for (std::size_t i = 0; i < shape.size; i++) {
            values[i] = {call.input[b * shape.input.distance + i * shape.input.stride], 0};
        }
        for (std::size_t length = shape.size; length > 1; length /= 2) {
            transform_pass(length, shape.size / length, twiddles.data(), values.data(),
                           other.data());
            std::swap(values, other);
        }
        for (std::size_t i = 0; i < shape.bins(); i++) {
            call.output[b * shape.output.distance + i * shape.output.stride] = values[i];
        }
    }
    cudasim::scribble(call.area, shape.work_bytes());
}

bool is_power_of_two(int n)
{
    return n > 1 && (n & (n - 1)) == 0;
}

/* Without embedding sizes the data is packed, and stride and distance do not count. */
bool place(const int *embed, int stride, int distance, std::size_t length, Placement *placement)
{
    if (embed == nullptr) {
        *placement = {1, length};
        return true;
    }
    if (stride < 1 || distance < 1) {
        return false;
    }
    *placement = {static_cast<std::size_t>(stride), static_cast<std::size_t>(distance)};
    return true;
}

/* Transforms of a batch may interleave (distance < stride) or follow one another. */
bool is_disjoint(const Placement &placement, std::size_t length, std::size_t batch)
{
    return batch == 1 || placement.distance >= (length - 1) * placement.stride + 1 ||
           placement.stride >= (batch - 1) * placement.distance + 1;
}

/* Finds the shape of a plan from cufftMakePlanMany's arguments. */
cufftResult describe(const int *n, const int *inembed, int istride, int idist, const int *onembed,
                     int ostride, int odist, int batch, Shape *shape)
{
    if (!is_power_of_two(n[0])) {
        return n[0] < 1 ? CUFFT_INVALID_SIZE : CUFFT_NOT_SUPPORTED;
    }
    if (batch < 1) {
        return CUFFT_INVALID_SIZE;
    }
    shape->size = static_cast<std::size_t>(n[0]);
    shape->batch = static_cast<std::size_t>(batch);
    if ((inembed == nullptr) != (onembed == nullptr) ||
        !place(inembed, istride, idist, shape->size, &shape->input) ||
        !place(onembed, ostride, odist, shape->bins(), &shape->output) ||
        !is_disjoint(shape->output, shape->bins(), shape->batch)) {
        return CUFFT_INVALID_VALUE;
    }
    return CUFFT_SUCCESS;
}

cufftResult allocate(Plan &plan)
{
    if (plan.allocates && cudaMalloc(&plan.own_area, plan.shape.work_bytes()) != cudaSuccess) {
        plan.own_area = nullptr;
        return CUFFT_ALLOC_FAILED;
    }
    plan.area = plan.own_area;
    return CUFFT_SUCCESS;
}

cufftResult check_memory(const Transform &call)
{
    Range input{call.input, call.shape.input_bytes()};
    Range output{call.output, call.shape.output_bytes()};
    Range area{call.area, call.shape.work_bytes()};
    if (call.area == nullptr) {
        return CUFFT_NO_WORKSPACE;
    }
    if (call.input == nullptr || call.output == nullptr || !input.aligned(sizeof(cufftComplex)) ||
        !output.aligned(sizeof(cufftComplex))) {
        return CUFFT_INVALID_VALUE;
    }
    if (!input.on_device() || !output.on_device() || !area.on_device()) {
        return CUFFT_EXEC_FAILED;
    }
    bool overlap = input.overlaps(output) || area.overlaps(input) || area.overlaps(output);
    return overlap ? CUFFT_INVALID_VALUE : CUFFT_SUCCESS;
}
} // namespace

extern "C" {
cufftResult cufftGetVersion(int *version)
{
    if (version == nullptr) {
        return CUFFT_INVALID_VALUE;
    }
    *version = CUFFT_VERSION;
    return CUFFT_SUCCESS;
}

cufftResult cufftCreate(cufftHandle *handle)
{
    if (handle == nullptr) {
        return CUFFT_INVALID_VALUE;
    }
    std::lock_guard<std::mutex> lock(table().mutex);
    *handle = table().next++;
    table().plans[*handle] = Plan();
    return CUFFT_SUCCESS;
}

cufftResult cufftDestroy(cufftHandle handle)
{
    if (handle == CUFFT_PLAN_NULL) {
        return CUFFT_SUCCESS;
    }
    void *area = nullptr;
    cufftResult result = with_plan(handle, [&](Plan &plan) {
        area = plan.own_area;
        return CUFFT_SUCCESS;
    });
    if (result == CUFFT_SUCCESS) {
        cudaFree(area);
        std::lock_guard<std::mutex> lock(table().mutex);
        table().plans.erase(handle);
    }
    return result;
}

cufftResult cufftSetAutoAllocation(cufftHandle handle, int allocates)
{
    return with_plan(handle, [&](Plan &plan) {
        if (plan.shape.size != 0) {
            return CUFFT_INVALID_VALUE;
        }
        plan.allocates = allocates != 0;
        return CUFFT_SUCCESS;
    });
}

cufftResult cufftMakePlanMany(cufftHandle handle, int rank, int *n, int *inembed, int istride,
                              int idist, int *onembed, int ostride, int odist, cufftType type,
                              int batch, std::size_t *work_size)
{
    if (rank != 1 || type != CUFFT_R2C) {
        return rank < 1 || rank > 3 ? CUFFT_INVALID_VALUE : CUFFT_NOT_SUPPORTED;
    }
    if (n == nullptr || work_size == nullptr) {
        return CUFFT_INVALID_VALUE;
    }
    return with_plan(handle, [&](Plan &plan) {
        if (plan.shape.size != 0) {
            return CUFFT_INVALID_PLAN; /* a plan is made once */
        }
        Shape shape;
        cufftResult result =
            describe(n, inembed, istride, idist, onembed, ostride, odist, batch, &shape);
        if (result == CUFFT_SUCCESS) {
            plan.shape = shape;
            *work_size = shape.work_bytes();
            result = allocate(plan);
        }
        return result;
    });
}

cufftResult cufftGetSize(cufftHandle handle, std::size_t *work_size)
{
    return with_plan(handle, [&](Plan &plan) {
        if (work_size == nullptr) {
            return CUFFT_INVALID_VALUE;
        }
        if (plan.shape.size == 0) {
            return CUFFT_INVALID_PLAN;
        }
        *work_size = plan.shape.work_bytes();
        return CUFFT_SUCCESS;
    });
}

cufftResult cufftSetWorkArea(cufftHandle handle, void *area)
{
    return with_plan(handle, [&](Plan &plan) {
        plan.area = area;
        return CUFFT_SUCCESS;
    });
}

cufftResult cufftSetStream(cufftHandle handle, cudaStream_t stream)
{
    return with_plan(handle, [&](Plan &plan) {
        plan.stream = stream;
        return CUFFT_SUCCESS;
    });
}

cufftResult cufftExecR2C(cufftHandle handle, cufftReal *input, cufftComplex *output)
{
    Transform call{};
    cudaStream_t stream = nullptr;
    cufftResult result = with_plan(handle, [&](Plan &plan) {
        call = {plan.shape, input, output, plan.area};
        stream = plan.stream;
        return plan.shape.size != 0 ? CUFFT_SUCCESS : CUFFT_INVALID_PLAN;
    });
    if (result == CUFFT_SUCCESS) {
        result = check_memory(call);
    }
    if (result != CUFFT_SUCCESS) {
        return result;
    }
    cudaError_t error = cudasim::submit(stream, "cufftExecR2C", [call] { run(call); });
    return error == cudaSuccess ? CUFFT_SUCCESS : CUFFT_EXEC_FAILED;
}
}
