/* The hash FNV-1a, computed byte by byte. */
#include "engine/base/hash.h"

uint64_t dv_hash(uint64_t value, const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        value = (value ^ (unsigned char)*c) * 0x100000001B3U;
    return value;
}
