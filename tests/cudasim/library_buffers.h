/* Device arrays and the tolerance of results, for the tests of the simulated libraries. */
#ifndef CUDASIM_LIBRARY_BUFFERS_H
#define CUDASIM_LIBRARY_BUFFERS_H

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
extern "C" {
#include <cmocka.h>
}

#include <cmath>
#include <vector>

#include "tests/cudasim/interface.h"

/* Numbers in [-1, 1) that look random and are the same everywhere. */
inline std::vector<float> make_values(std::size_t count, std::uint32_t seed)
{
    std::vector<float> values(count);
    for (float &value : values) {
        seed = seed * 1664525u + 1013904223u;
        value = static_cast<float>(seed >> 8) / static_cast<float>(1 << 23) - 1;
    }
    return values;
}

inline std::vector<float> make_nans(std::size_t count)
{
    return std::vector<float>(count, std::nanf(""));
}

/* A device array of one type, seen from the host as floats. */
class DeviceArray
{
  public:
    DeviceArray(cudaDataType_t element_type, const std::vector<float> &values)
        : type(element_type), count(values.size())
    {
        assert_int_equal(cudaMalloc(&pointer, bytes()), cudaSuccess);
        write(values);
    }
    ~DeviceArray()
    {
        cudaFree(pointer);
    }
    DeviceArray(const DeviceArray &) = delete;
    DeviceArray &operator=(const DeviceArray &) = delete;

    std::size_t bytes() const
    {
        return count * cudasim::element_size(type);
    }
    void write(const std::vector<float> &values)
    {
        assert_int_equal(values.size(), count);
        std::vector<unsigned char> raw(bytes());
        for (std::size_t i = 0; i < count; i++) {
            cudasim::store(raw.data(), type, i, values[i]);
        }
        assert_int_equal(cudaMemcpy(pointer, raw.data(), bytes(), cudaMemcpyHostToDevice),
                         cudaSuccess);
    }
    std::vector<float> read() const
    {
        assert_int_equal(cudaDeviceSynchronize(), cudaSuccess);
        std::vector<unsigned char> raw(bytes());
        assert_int_equal(cudaMemcpy(raw.data(), pointer, bytes(), cudaMemcpyDeviceToHost),
                         cudaSuccess);
        std::vector<float> values(count);
        for (std::size_t i = 0; i < count; i++) {
            values[i] = cudasim::load(raw.data(), type, i);
        }
        return values;
    }

    void *pointer = nullptr;

  private:
    cudaDataType_t type;
    std::size_t count;
};

/* Half a unit in the last place, relative to the value. */
inline double rounding_of(cudaDataType_t type)
{
    return type == CUDA_R_16BF ? 1.0 / 256 : type == CUDA_R_16F ? 1.0 / 2048 : 1.0 / (1 << 24);
}

/* Compares results. Each is a sum of `terms` products of numbers up to 1. */
inline bool is_near(const std::vector<float> &actual, const std::vector<double> &expected,
                    std::size_t terms, cudaDataType_t type)
{
    for (std::size_t i = 0; i < expected.size(); i++) {
        double tolerance =
            1e-7 * static_cast<double>(terms + 8) + 2 * rounding_of(type) * std::fabs(expected[i]);
        if (!(std::fabs(actual[i] - expected[i]) <= tolerance)) {
            print_message("element %zu: %.9g, expected %.9g\n", i, static_cast<double>(actual[i]),
                          expected[i]);
            return false;
        }
    }
    return actual.size() == expected.size();
}

#endif
