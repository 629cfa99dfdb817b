/*
 * Shared by the simulated libraries: a product of float matrices, quick enough for training under
 * sanitizers; conversion between device arrays and floats of the host; and memory ranges.
 */
#ifndef CUDASIM_MATRIX_H
#define CUDASIM_MATRIX_H

#include <cstddef>
#include <vector>

#include <library_types.h>

namespace cudasim
{
/* A matrix in host memory. Element (row, column) is data[row * row_stride + column *
   column_stride]. */
struct MatrixView {
    const float *data;
    std::size_t row_stride;
    std::size_t column_stride;

    MatrixView transposed() const
    {
        return {data, column_stride, row_stride};
    }
};

/* Adds a (rows, depth) times b (depth, columns) to c (rows, columns), whose rows are c_stride
   floats apart. Sums are floats, as in a tensor core. */
void multiply_add(std::size_t rows, std::size_t columns, std::size_t depth, MatrixView a,
                  MatrixView b, float *c, std::size_t c_stride);

/* The precision in which a unit reads FP32 operands. TF32 keeps 10 bits of the mantissa. */
enum class Precision { full, tf32 };

/* Converts elements first ... first + count - 1 of a device array to floats. */
void load_floats(const void *device, cudaDataType_t type, std::size_t first, std::size_t count,
                 Precision precision, float *host);

/* output = alpha * result + beta * output for `count` elements from `first` on. With beta 0 the
   output is not read and may be NaN. */
void store_scaled(void *device, cudaDataType_t type, std::size_t first, std::size_t count,
                  float alpha, const float *result, float beta);

/* Memory that a call reads or writes. */
struct Range {
    const void *start;
    std::size_t bytes;

    bool aligned(std::size_t alignment) const;
    bool overlaps(const Range &other) const;
    bool on_device() const;
};

/* Ends the program if a range is not in device memory. Submitted work needs this, because memory
   may have been freed since the call was checked. */
void require_on_device(const char *call, const std::vector<Range> &ranges);

/* Rounds up to a multiple of 256 bytes, as the device's allocations are. */
std::size_t workspace_bytes(std::size_t bytes);
} // namespace cudasim

#endif
