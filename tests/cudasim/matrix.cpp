#include "tests/cudasim/matrix.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tests/cudasim/interface.h"

/* For functions that only touch host buffers of this file; with each access checked they would be
   ten times slower. Functions that access device memory are checked. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

namespace cudasim
{
namespace
{
constexpr std::size_t tile_rows = 4;
constexpr std::size_t tile_columns = 8;
constexpr std::size_t depth_block = 256;

typedef float Lane __attribute__((vector_size(16)));
constexpr std::size_t lane_width = 4;
struct Tile {
    Lane sum[tile_rows][tile_columns / lane_width];
};

/* Packs tiles of `width` lines each, packed[tile][depth][line], with zeros beyond the last line. */
UNCHECKED void pack(MatrixView matrix, std::size_t lines, std::size_t first_depth,
                    std::size_t depth, std::size_t width, float *packed)
{
    for (std::size_t line = 0; line < lines; line += width) {
        std::size_t used = lines - line < width ? lines - line : width;
        for (std::size_t k = 0; k < depth; k++, packed += width) {
            const float *source =
                matrix.data + line * matrix.row_stride + (first_depth + k) * matrix.column_stride;
            for (std::size_t i = 0; i < width; i++) {
                packed[i] = i < used ? source[i * matrix.row_stride] : 0;
            }
        }
    }
}

/* Computes one tile of the product; the sums stay in registers. */
UNCHECKED Tile multiply_tile(const float *a, const float *b, std::size_t depth)
{
    Lane s00{}, s01{}, s10{}, s11{}, s20{}, s21{}, s30{}, s31{};
    const Lane *lanes = reinterpret_cast<const Lane *>(b);
    for (std::size_t k = 0; k < depth; k++, a += tile_rows, lanes += 2) {
        s00 += a[0] * lanes[0];
        s01 += a[0] * lanes[1];
        s10 += a[1] * lanes[0];
        s11 += a[1] * lanes[1];
        s20 += a[2] * lanes[0];
        s21 += a[2] * lanes[1];
        s30 += a[3] * lanes[0];
        s31 += a[3] * lanes[1];
    }
    return {{{s00, s01}, {s10, s11}, {s20, s21}, {s30, s31}}};
}

UNCHECKED void add_tile(const Tile &tile, std::size_t rows, std::size_t columns, float *c,
                        std::size_t c_stride)
{
    for (std::size_t i = 0; i < rows; i++) {
        for (std::size_t j = 0; j < columns; j++) {
            c[i * c_stride + j] += tile.sum[i][j / lane_width][j % lane_width];
        }
    }
}

UNCHECKED void multiply_packed(std::size_t rows, std::size_t columns, std::size_t depth,
                               const float *a, const float *b, float *c, std::size_t c_stride)
{
    for (std::size_t j = 0; j < columns; j += tile_columns) {
        for (std::size_t i = 0; i < rows; i += tile_rows) {
            Tile tile = multiply_tile(a + i * depth, b + j * depth, depth);
            add_tile(tile, std::min(tile_rows, rows - i), std::min(tile_columns, columns - j),
                     c + i * c_stride + j, c_stride);
        }
    }
}

float round_to_tf32(float value)
{
    if (!std::isfinite(value)) {
        return value;
    }
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
}

std::uintptr_t address(const void *pointer)
{
    return reinterpret_cast<std::uintptr_t>(pointer);
}
} // namespace

void multiply_add(std::size_t rows, std::size_t columns, std::size_t depth, MatrixView a,
                  MatrixView b, float *c, std::size_t c_stride)
{
    std::size_t row_tiles = (rows + tile_rows - 1) / tile_rows;
    std::size_t column_tiles = (columns + tile_columns - 1) / tile_columns;
    std::size_t block = std::min(depth, depth_block);
    std::vector<float> packed_a(row_tiles * tile_rows * block);
    std::vector<Lane> packed_b(column_tiles * tile_columns / lane_width * block);
    float *b_data = reinterpret_cast<float *>(packed_b.data());

    for (std::size_t first = 0; first < depth; first += block) {
        std::size_t length = std::min(block, depth - first);
        pack(a, rows, first, length, tile_rows, packed_a.data());
        pack(b.transposed(), columns, first, length, tile_columns, b_data);
        multiply_packed(rows, columns, length, packed_a.data(), b_data, c, c_stride);
    }
}

void load_floats(const void *device, cudaDataType_t type, std::size_t first, std::size_t count,
                 Precision precision, float *host)
{
    if (type == CUDA_R_32F) {
        std::memcpy(host, static_cast<const float *>(device) + first, count * sizeof(float));
    } else {
        for (std::size_t i = 0; i < count; i++) {
            host[i] = load(device, type, first + i);
        }
    }
    if (precision == Precision::tf32 && type == CUDA_R_32F) {
        std::transform(host, host + count, host, round_to_tf32);
    }
}

void store_scaled(void *device, cudaDataType_t type, std::size_t first, std::size_t count,
                  float alpha, const float *result, float beta)
{
    for (std::size_t i = 0; i < count; i++) {
        float value = alpha * result[i];
        if (beta != 0) {
            value += beta * load(device, type, first + i);
        }
        store(device, type, first + i, value);
    }
}

bool Range::aligned(std::size_t alignment) const
{
    return address(start) % alignment == 0;
}

bool Range::overlaps(const Range &other) const
{
    return bytes > 0 && other.bytes > 0 && address(start) < address(other.start) + other.bytes &&
           address(other.start) < address(start) + bytes;
}

bool Range::on_device() const
{
    return is_device(start, bytes);
}

void require_on_device(const char *call, const std::vector<Range> &ranges)
{
    for (const Range &range : ranges) {
        if (range.bytes > 0 && !range.on_device()) {
            die("%s: the %zu bytes at %p were freed before the work ran", call, range.bytes,
                range.start);
        }
    }
}

std::size_t workspace_bytes(std::size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}
} // namespace cudasim
