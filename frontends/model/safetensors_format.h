/* Shared by the reader and the writer of safetensors files. */
#ifndef DV_MODEL_SAFETENSORS_FORMAT_H
#define DV_MODEL_SAFETENSORS_FORMAT_H

#include "frontends/model/safetensors.h"

#include <stdbool.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the data are read and written as is");

enum {
    DV__PREFIX_SIZE = 8,             /* bytes of the length of the header */
    DV__MAX_HEADER_SIZE = 100000000, /* the format's own limit */
    DV__ALIGNMENT = 64,              /* bytes; the data in the file start at a cache line */
    DV__CHECKSUM_SIZE = 8,           /* hexadecimal digits */
    DV__DTYPE_COUNT = DV_SAFETENSORS_F16 + 1,
};

#define DV__METADATA_KEY "__metadata__"
#define DV__FORMAT_KEY "decavox.format"
#define DV__FORMAT_VALUE "1"
#define DV__CHECKSUM_KEY "decavox.checksum"
#define DV__CHECKSUM_ZERO "00000000"

/* The text before the digits in a header that was written here. Inside a string its quotes would be
   escaped, so it can only be the key. */
#define DV__CHECKSUM_MARKER "\"" DV__CHECKSUM_KEY "\":\""

typedef struct dv__safetensors_dtype_info {
    const char *name;
    int64_t size; /* bytes */
} dv__safetensors_dtype_info;

extern const dv__safetensors_dtype_info dv__safetensors_dtypes[DV__DTYPE_COUNT];

/* Computes the bytes of the entry's data. False if a dimension is negative or the product
   overflows. */
bool dv__safetensors_count_bytes(const dv_safetensors_entry *entry, int64_t *bytes);

/* Continues the checksum `crc`, which begins as 0. `bytes` may be NULL if `size` is 0. */
uint32_t dv__safetensors_checksum(uint32_t crc, const void *bytes, size_t size);

/* Writes the checksum's digits and a NUL. */
void dv__safetensors_digits(uint32_t crc, char digits[DV__CHECKSUM_SIZE + 1]);

#endif
