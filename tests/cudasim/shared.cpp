/*
 * Shared memory. Blocks run one after another, so one piece of memory serves all. It is NaN at the
 * start of each block, and each array lies between guards.
 */
#include "tests/cudasim/device.h"
#include "tests/cudasim/internal.h"

#include <array>
#include <vector>

namespace cudasim
{
namespace
{
constexpr std::size_t guard_bytes = 128; /* a multiple of every alignment in use */
constexpr std::size_t capacity = 1024 * 1024;

struct Array {
    const void *key; /* NULL for the dynamic array */
    const char *name;
    unsigned char *data;
    std::size_t bytes;
    std::size_t padded; /* bytes with the guard behind it */
};

alignas(guard_bytes) std::array<unsigned char, capacity> memory;
std::vector<Array> arrays;
std::size_t used;         /* bytes of `memory` in use, guards included */
std::size_t asked;        /* bytes that a real device would need */
std::size_t most_allowed; /* limit of `asked` for this kernel */

void *add(const void *key, const char *name, std::size_t bytes)
{
    const std::size_t padded = (bytes + guard_bytes - 1) / guard_bytes * guard_bytes + guard_bytes;
    asked += bytes;
    if (asked > most_allowed || used + padded + guard_bytes > capacity) {
        die("%zu bytes of shared memory are in use with `%s`; the kernel may have %zu", asked, name,
            most_allowed);
    }
    if (used == 0) {
        guard(memory.data(), guard_bytes);
        used = guard_bytes;
    }
    const Array array = {key, name, memory.data() + used, bytes, padded};
    unguard(array.data, bytes);
    fill_nan(array.data, bytes);
    guard(array.data + bytes, padded - bytes);
    used += padded;
    arrays.push_back(array);
    return array.data;
}
} // namespace

void shared_begin_kernel(std::size_t dynamic_bytes, std::size_t limit)
{
    most_allowed = limit;
    if (dynamic_bytes > 0) {
        add(nullptr, "dynamic shared memory", dynamic_bytes);
    }
}

void shared_begin_block()
{
    for (const Array &array : arrays) {
        fill_nan(array.data, array.bytes);
    }
}

void shared_end_block()
{
    if (used > 0 && !is_intact(memory.data(), guard_bytes)) {
        die("shared memory was written before the start of `%s`", arrays.front().name);
    }
    for (const Array &array : arrays) {
        if (!is_intact(array.data + array.bytes, array.padded - array.bytes)) {
            die("shared memory was written beyond the end of `%s` (%zu bytes)", array.name,
                array.bytes);
        }
    }
}

void shared_end_kernel()
{
    unguard(memory.data(), used);
    arrays.clear();
    used = 0;
    asked = 0;
}

void *shared_array(const void *key, const char *name, std::size_t bytes, std::size_t alignment)
{
    if (alignment > guard_bytes) {
        die("`%s` wants an alignment of %zu", name, alignment);
    }
    for (const Array &array : arrays) {
        if (array.key == key) {
            return array.data;
        }
    }
    return add(key, name, bytes);
}

void *dynamic_shared()
{
    if (arrays.empty() || arrays.front().key != nullptr) {
        die("DV_DYNAMIC_SHARED in a kernel that was launched with no dynamic shared memory");
    }
    return arrays.front().data;
}
} // namespace cudasim
