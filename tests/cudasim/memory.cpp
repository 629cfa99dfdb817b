/*
 * Device memory is one range of addresses that can be read and written only while submitted work
 * runs, so that a host that follows a device pointer faults. Allocations start as NaN and lie
 * between guards. Pinned memory of the host is plain memory that the simulator remembers.
 */
#include "tests/cudasim/internal.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <iterator>
#include <map>
#include <unistd.h>

namespace cudasim
{
namespace
{
constexpr std::size_t range_bytes = static_cast<std::size_t>(64) << 30; /* addresses, not memory */
constexpr std::size_t page = 4096;
constexpr std::size_t step = 256; /* alignment of allocations */
constexpr std::size_t guard_bytes = 256;

struct Device {
    char *base = nullptr;
    std::size_t used = 0; /* bytes of the range from base on; it never shrinks */
    std::size_t allocated = 0;
    int depth = 0; /* number of nested DeviceAccess */
    std::map<char *, std::size_t> live;
    std::multimap<std::size_t, char *> freed; /* freed pieces by padded size */
    std::map<char *, std::size_t> pinned;

    ~Device();
};

Device device;

std::size_t padded(std::size_t bytes)
{
    return (bytes + step - 1) / step * step;
}

void protect(int protection)
{
    const std::size_t bytes = (device.used + page - 1) / page * page;
    if (bytes > 0 && mprotect(device.base, bytes, protection) != 0) {
        die("the protection of device memory cannot be changed");
    }
}

void reserve_range()
{
    if (device.base != nullptr) {
        return;
    }
    void *range =
        mmap(nullptr, range_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
        die("no addresses for device memory");
    }
    device.base = static_cast<char *>(range);
}

Device::~Device()
{
    if (base != nullptr) {
        unguard(base, used);
        munmap(base, range_bytes);
    }
#if defined(__SANITIZE_ADDRESS__)
    /* Reports leaks with LeakSanitizer's exit code. */
    if (!live.empty()) {
        std::fprintf(stderr, "cudasim: %zu bytes of device memory were never freed (%zu pieces)\n",
                     allocated, live.size());
        _exit(23);
    }
#endif
}

/* Takes a freed piece of this padded size, or the next of the range; NULL if the range is full. */
char *take(std::size_t size)
{
    const auto again = device.freed.find(size);
    if (again != device.freed.end()) {
        char *memory = again->second;
        device.freed.erase(again);
        return memory;
    }
    if (range_bytes - device.used < size + 2 * guard_bytes) {
        return nullptr;
    }
    char *memory = device.base + device.used + guard_bytes;
    device.used += size + 2 * guard_bytes;
    return memory;
}

/* The live piece that holds the pointer, or the end. */
std::map<char *, std::size_t>::const_iterator
find_piece(const std::map<char *, std::size_t> &pieces, const void *pointer, std::size_t bytes)
{
    char *address = static_cast<char *>(const_cast<void *>(pointer));
    auto after = pieces.upper_bound(address);
    if (after == pieces.begin()) {
        return pieces.end();
    }
    const auto piece = std::prev(after);
    const std::size_t offset = static_cast<std::size_t>(address - piece->first);
    return offset <= piece->second && bytes <= piece->second - offset ? piece : pieces.end();
}
} // namespace

DeviceAccess::DeviceAccess()
{
    simulator().lock();
    if (device.depth++ == 0) {
        protect(PROT_READ | PROT_WRITE);
    }
}

DeviceAccess::~DeviceAccess()
{
    if (--device.depth == 0) {
        protect(PROT_NONE);
    }
    simulator().unlock();
}

cudaError_t device_allocate(void **out, std::size_t bytes)
{
    if (bytes == 0) {
        *out = nullptr;
        return cudaSuccess;
    }
    if (bytes > device_memory_total() - device.allocated) {
        return cudaErrorMemoryAllocation;
    }
    reserve_range();
    char *memory = take(padded(bytes));
    if (memory == nullptr) {
        return cudaErrorMemoryAllocation;
    }
    device.live[memory] = bytes;
    device.allocated += bytes;
    const DeviceAccess access;
    protect(PROT_READ | PROT_WRITE);
    unguard(memory, bytes);
    fill_nan(memory, bytes);
    guard(memory - guard_bytes, guard_bytes);
    guard(memory + bytes, padded(bytes) - bytes + guard_bytes);
    *out = memory;
    return cudaSuccess;
}

cudaError_t device_release(void *memory)
{
    const auto piece = device.live.find(static_cast<char *>(memory));
    if (piece == device.live.end()) {
        return cudaErrorInvalidValue;
    }
    const DeviceAccess access;
    const std::size_t bytes = piece->second;
    fill_nan(memory, bytes);
    forbid(memory, bytes);
    device.freed.emplace(padded(bytes), piece->first);
    device.allocated -= bytes;
    device.live.erase(piece);
    return cudaSuccess;
}

std::size_t device_memory_total()
{
    const std::string megabytes = setting("DECAVOX_CUDASIM_MEMORY", "8192");
    return static_cast<std::size_t>(std::strtoull(megabytes.c_str(), nullptr, 10)) << 20;
}

std::size_t device_memory_used()
{
    return device.allocated;
}

void check_device_guards(const char *what)
{
    const DeviceAccess access;
    for (const auto &piece : device.live) {
        const std::size_t behind = padded(piece.second) - piece.second + guard_bytes;
        if (!is_intact(piece.first + piece.second, behind)) {
            die("%s wrote beyond the end of %zu bytes of device memory", what, piece.second);
        }
        if (!is_intact(piece.first - guard_bytes, guard_bytes)) {
            die("%s wrote before the start of %zu bytes of device memory", what, piece.second);
        }
    }
}

bool in_device_range(const void *pointer)
{
    const char *address = static_cast<const char *>(pointer);
    return device.base != nullptr && address >= device.base && address < device.base + range_bytes;
}

bool is_device(const void *pointer, std::size_t bytes)
{
    const Lock lock(simulator());
    return find_piece(device.live, pointer, bytes) != device.live.end();
}

cudaError_t pinned_allocate(void **out, std::size_t bytes)
{
    void *memory = std::aligned_alloc(page, (bytes + page - 1) / page * page);
    if (memory == nullptr) {
        return cudaErrorMemoryAllocation;
    }
    fill_nan(memory, bytes);
    device.pinned[static_cast<char *>(memory)] = bytes;
    *out = memory;
    return cudaSuccess;
}

cudaError_t pinned_release(void *memory)
{
    if (device.pinned.erase(static_cast<char *>(memory)) == 0) {
        return cudaErrorInvalidValue;
    }
    std::free(memory);
    return cudaSuccess;
}

bool is_pinned(const void *pointer, std::size_t bytes)
{
    return find_piece(device.pinned, pointer, bytes) != device.pinned.end();
}

void scribble(void *memory, std::size_t bytes)
{
    fill_nan(memory, bytes);
}

/* ---- Elements ---- */

std::size_t element_size(cudaDataType_t type)
{
    switch (type) {
    case CUDA_R_64F:
        return 8;
    case CUDA_R_32F:
        return 4;
    case CUDA_R_16F:
    case CUDA_R_16BF:
        return 2;
    default:
        die("elements of cudaDataType_t %d are not simulated", static_cast<int>(type));
    }
}

float load(const void *array, cudaDataType_t type, std::size_t index)
{
    switch (type) {
    case CUDA_R_64F:
        return static_cast<float>(static_cast<const double *>(array)[index]);
    case CUDA_R_32F:
        return static_cast<const float *>(array)[index];
    case CUDA_R_16F:
        return __half2float(static_cast<const __half *>(array)[index]);
    case CUDA_R_16BF:
        return __bfloat162float(static_cast<const __nv_bfloat16 *>(array)[index]);
    default:
        die("elements of cudaDataType_t %d are not simulated", static_cast<int>(type));
    }
}

void store(void *array, cudaDataType_t type, std::size_t index, float value)
{
    switch (type) {
    case CUDA_R_64F:
        static_cast<double *>(array)[index] = static_cast<double>(value);
        break;
    case CUDA_R_32F:
        static_cast<float *>(array)[index] = value;
        break;
    case CUDA_R_16F:
        static_cast<__half *>(array)[index] = __float2half_rn(value);
        break;
    case CUDA_R_16BF:
        static_cast<__nv_bfloat16 *>(array)[index] = __float2bfloat16_rn(value);
        break;
    default:
        die("elements of cudaDataType_t %d are not simulated", static_cast<int>(type));
    }
}
} // namespace cudasim
