#include "tests/cudasim/internal.h"

#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define CUDASIM_UNCHECKED __attribute__((no_sanitize("address")))
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define CUDASIM_UNCHECKED
#endif

namespace cudasim
{
constexpr unsigned char pattern = 0xA5;

void guard(void *range, std::size_t bytes)
{
    ASAN_UNPOISON_MEMORY_REGION(range, bytes);
    std::memset(range, pattern, bytes);
    ASAN_POISON_MEMORY_REGION(range, bytes);
}

void unguard(void *range, std::size_t bytes)
{
    ASAN_UNPOISON_MEMORY_REGION(range, bytes);
}

/* Volatile, so that the loop does not become a call of memcmp, which would be checked. */
CUDASIM_UNCHECKED bool is_intact(const void *range, std::size_t bytes)
{
    const volatile unsigned char *byte = static_cast<const volatile unsigned char *>(range);
    for (std::size_t i = 0; i < bytes; i++) {
        if (byte[i] != pattern) {
            return false;
        }
    }
    return true;
}

void forbid(void *range, std::size_t bytes)
{
    ASAN_POISON_MEMORY_REGION(range, bytes);
}

void fill_nan(void *range, std::size_t bytes)
{
    std::memset(range, 0xFF, bytes);
}
} // namespace cudasim
