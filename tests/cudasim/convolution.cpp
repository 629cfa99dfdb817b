#include "tests/cudasim/convolution.h"

#include <algorithm>

#include "tests/cudasim/interface.h"

namespace cudasim
{
namespace
{
/* Output positions are processed in blocks, whose patches are the rows of a matrix. */
constexpr std::size_t block_positions = 128;

/* A direction's arrays as floats. The output starts as zeros. */
struct Arrays {
    std::vector<float> x, w, y;
};

/* The order of summation over positions, forwards or backwards. */
struct Order {
    std::size_t count;
    bool backwards;

    std::size_t operator()(std::size_t i) const
    {
        return backwards ? count - 1 - i : i;
    }
};

/* Finds the place in x of the first channel of a tap of a position's patch. Returns false in the
   padding. */
bool source_of(const ConvolutionShape &shape, std::size_t position, std::size_t tap,
               std::size_t *offset)
{
    std::size_t column = position % shape.out_width;
    std::size_t line = position / shape.out_width % shape.out_height;
    std::size_t image = position / shape.out_width / shape.out_height;
    std::size_t h = line * shape.stride[0] + tap / shape.kernel_width * shape.dilation[0];
    std::size_t w = column * shape.stride[1] + tap % shape.kernel_width * shape.dilation[1];
    if (h < shape.padding[0] || h - shape.padding[0] >= shape.height || w < shape.padding[1] ||
        w - shape.padding[1] >= shape.width) {
        return false;
    }
    *offset = ((image * shape.height + h - shape.padding[0]) * shape.width + w - shape.padding[1]) *
              shape.channels;
    return true;
}

/* Copies x into the patches (count, patch) of one group, for positions first ... first + count - 1
   of the order. */
void gather(const ConvolutionShape &shape, const Order &order, std::size_t group, std::size_t first,
            std::size_t count, const std::vector<float> &x, std::vector<float> &patches)
{
    std::size_t channels = shape.group_channels();
    std::size_t taps = shape.kernel_height * shape.kernel_width;
    patches.assign(count * shape.patch(), 0);
    for (std::size_t i = 0; i < count; i++) {
        for (std::size_t tap = 0; tap < taps; tap++) {
            std::size_t offset;
            if (source_of(shape, order(first + i), tap, &offset)) {
                std::copy_n(x.data() + offset + group * channels, channels,
                            patches.data() + i * shape.patch() + tap * channels);
            }
        }
    }
}

/* The adjoint of gather adds the patches to x. */
void scatter(const ConvolutionShape &shape, const Order &order, std::size_t group,
             std::size_t first, std::size_t count, const std::vector<float> &patches,
             std::vector<float> &x)
{
    std::size_t channels = shape.group_channels();
    std::size_t taps = shape.kernel_height * shape.kernel_width;
    for (std::size_t i = 0; i < count; i++) {
        for (std::size_t tap = 0; tap < taps; tap++) {
            std::size_t offset;
            if (!source_of(shape, order(first + i), tap, &offset)) {
                continue;
            }
            const float *source = patches.data() + i * shape.patch() + tap * channels;
            float *target = x.data() + offset + group * channels;
            std::transform(source, source + channels, target, target,
                           [](float a, float b) { return a + b; });
        }
    }
}

/* The weight of one group as a matrix (group's filters, patch). */
MatrixView weight_of(const ConvolutionShape &shape, const Arrays &arrays, std::size_t group)
{
    return {arrays.w.data() + group * shape.group_filters() * shape.patch(), shape.patch(), 1};
}

/* Copies the rows of y (count, group's filters) of a block, in the order of its positions. */
void gather_lines(const ConvolutionShape &shape, const Order &order, std::size_t group,
                  std::size_t first, std::size_t count, const std::vector<float> &y,
                  std::vector<float> &lines)
{
    std::size_t filters = shape.group_filters();
    lines.resize(count * filters);
    for (std::size_t i = 0; i < count; i++) {
        std::copy_n(y.data() + order(first + i) * shape.filters + group * filters, filters,
                    lines.data() + i * filters);
    }
}

/* Computes one block of positions of one group, in any direction. */
void run_block(const Convolution &call, const Order &order, std::size_t group, std::size_t first,
               std::size_t count, Arrays &arrays)
{
    const ConvolutionShape &shape = call.shape;
    std::size_t filters = shape.group_filters();
    std::size_t patch = shape.patch();
    std::vector<float> patches;
    std::vector<float> lines;

    if (call.direction == Direction::forward) {
        gather(shape, order, group, first, count, arrays.x, patches);
        multiply_add(count, filters, patch, {patches.data(), patch, 1},
                     weight_of(shape, arrays, group).transposed(),
                     arrays.y.data() + first * shape.filters + group * filters, shape.filters);
        return;
    }
    gather_lines(shape, order, group, first, count, arrays.y, lines);
    MatrixView dy{lines.data(), filters, 1};
    if (call.direction == Direction::backward_data) {
        patches.assign(count * patch, 0);
        multiply_add(count, patch, filters, dy, weight_of(shape, arrays, group), patches.data(),
                     patch);
        scatter(shape, order, group, first, count, patches, arrays.x);
    } else {
        gather(shape, order, group, first, count, arrays.x, patches);
        multiply_add(filters, patch, count, dy.transposed(), {patches.data(), patch, 1},
                     arrays.w.data() + group * filters * patch, patch);
    }
}

std::vector<float> read(const Convolution &call, const Range &range)
{
    std::size_t count = range.bytes / element_size(call.type);
    std::vector<float> values(count);
    if (range.start != call.output().start) {
        load_floats(range.start, call.type, 0, count, call.precision, values.data());
    }
    return values;
}

void write(const Convolution &call, const std::vector<float> &result)
{
    void *output = const_cast<void *>(call.output().start);
    store_scaled(output, call.type, 0, result.size(), call.alpha, result.data(), call.beta);
}
} // namespace

Range Convolution::x_range() const
{
    return {x, shape.x_elements() * element_size(type)};
}

Range Convolution::w_range() const
{
    return {w, shape.w_elements() * element_size(type)};
}

Range Convolution::y_range() const
{
    return {y, shape.y_elements() * element_size(type)};
}

Range Convolution::output() const
{
    switch (direction) {
    case Direction::forward:
        return y_range();
    case Direction::backward_data:
        return x_range();
    default:
        return w_range();
    }
}

std::vector<Range> Convolution::inputs() const
{
    switch (direction) {
    case Direction::forward:
        return {x_range(), w_range()};
    case Direction::backward_data:
        return {w_range(), y_range()};
    default:
        return {x_range(), y_range()};
    }
}

void run_convolution(const Convolution &call)
{
    std::vector<Range> used = call.inputs();
    used.push_back(call.output());
    used.push_back({call.workspace, call.workspace_bytes});
    require_on_device("cudnnConvolution", used);

    const ConvolutionShape &shape = call.shape;
    Order order{shape.positions(), call.runs != nullptr && (*call.runs)++ % 2 == 1};
    Arrays arrays{read(call, call.x_range()), read(call, call.w_range()),
                  read(call, call.y_range())};
    for (std::size_t group = 0; group < shape.groups; group++) {
        for (std::size_t first = 0; first < order.count; first += block_positions) {
            run_block(call, order, group, first, std::min(block_positions, order.count - first),
                      arrays);
        }
    }
    const std::vector<float> *results[] = {&arrays.y, &arrays.x, &arrays.w};
    write(call, *results[static_cast<int>(call.direction)]);
    if (call.workspace_bytes > 0) {
        scribble(call.workspace, call.workspace_bytes);
    }
}
} // namespace cudasim
