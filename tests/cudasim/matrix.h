/*
 * What the simulated libraries share: a product of float matrices that is quick enough to train
 * with under sanitizers, the way between device arrays and floats of the host, and memory ranges.
 */
#ifndef CUDASIM_MATRIX_H
#define CUDASIM_MATRIX_H

#include <cstddef>
#include <vector>

#include <library_types.h>

namespace cudasim
{
/* A matrix in host memory: element (row, column) is data[row * row_stride + column * ...]. */
struct MatrixView {
    const float *data;
    std::size_t row_stride;
    std::size_t column_stride;

    MatrixView transposed() const
    {
        return {data, column_stride, row_stride};
    }
};

/* c (rows, columns), lines c_stride floats apart, += a (rows, depth) times b (depth, columns).
   Sums are floats, as a tensor core's are. */
void multiply_add(std::size_t rows, std::size_t columns, std::size_t depth, MatrixView a,
                  MatrixView b, float *c, std::size_t c_stride);

/* How a unit reads its FP32 operands. TF32 keeps 10 bits of the mantissa. */
enum class Precision { full, tf32 };

/* Elements first ... first + count - 1 of a device array, as floats. */
void load_floats(const void *device, cudaDataType_t type, std::size_t first, std::size_t count,
                 Precision precision, float *host);

/* output = alpha * result + beta * output for `count` elements from `first` on. With beta 0 the
   output is not read: it may be NaN. */
void store_scaled(void *device, cudaDataType_t type, std::size_t first, std::size_t count,
                  float alpha, const float *result, float beta);

/* Bytes that a call reads or writes. */
struct Range {
    const void *start;
    std::size_t bytes;

    bool aligned(std::size_t alignment) const;
    bool overlaps(const Range &other) const;
    bool on_device() const;
};

/* For submitted work: memory may have been freed since the call was checked. Dies where it was. */
void require_on_device(const char *call, const std::vector<Range> &ranges);

/* A multiple of 256 bytes, as the device's allocations are. */
std::size_t workspace_bytes(std::size_t bytes);
} // namespace cudasim

#endif
