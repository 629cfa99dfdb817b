/* The three directions of a 2-D convolution in the simulated cuDNN. */
#ifndef CUDASIM_CONVOLUTION_H
#define CUDASIM_CONVOLUTION_H

#include <cstddef>
#include <memory>
#include <vector>

#include "tests/cudasim/matrix.h"

namespace cudasim
{
/* Sizes of x (images, height, width, channels), w (filters, kernel_height, kernel_width, channels /
   groups) and y (images, out_height, out_width, filters), all packed. */
struct ConvolutionShape {
    std::size_t images, height, width, channels;
    std::size_t filters, kernel_height, kernel_width;
    std::size_t out_height, out_width;
    std::size_t padding[2], stride[2], dilation[2];
    std::size_t groups;

    std::size_t group_channels() const
    {
        return channels / groups;
    }
    std::size_t group_filters() const
    {
        return filters / groups;
    }
    std::size_t x_elements() const
    {
        return images * height * width * channels;
    }
    std::size_t w_elements() const
    {
        return filters * patch();
    }
    std::size_t y_elements() const
    {
        return positions() * filters;
    }
    /* The number of outputs of one filter. */
    std::size_t positions() const
    {
        return images * out_height * out_width;
    }
    /* The number of inputs of one output: kernel_height kernel_width (channels of a group). */
    std::size_t patch() const
    {
        return kernel_height * kernel_width * group_channels();
    }
};

enum class Direction { forward, backward_data, backward_filter };

/* One call. The direction decides which of x, w and y is the output; the others are inputs. */
struct Convolution {
    Direction direction;
    ConvolutionShape shape;
    cudaDataType_t type;
    Precision precision;
    void *x, *w, *y;
    void *workspace;
    std::size_t workspace_bytes;
    float alpha, beta;
    /* Counts the runs of an algorithm that adds up in another order each time; null for others. */
    std::shared_ptr<unsigned> runs;

    Range x_range() const;
    Range w_range() const;
    Range y_range() const;
    Range output() const;
    std::vector<Range> inputs() const;
};

/* Computes the convolution, as the submitted work. */
void run_convolution(const Convolution &call);
} // namespace cudasim

#endif
