/* The data types of safetensors files, the sizes of their tensors, and the checksum. */
#include "frontends/model/safetensors_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <libdeflate.h>

const dv__safetensors_dtype_info dv__safetensors_dtypes[DV__DTYPE_COUNT] = {
    [DV_SAFETENSORS_F32] = {"F32", 4}, [DV_SAFETENSORS_F64] = {"F64", 8},
    [DV_SAFETENSORS_I64] = {"I64", 8}, [DV_SAFETENSORS_U8] = {"U8", 1},
    [DV_SAFETENSORS_F16] = {"F16", 2},
};

bool dv__safetensors_count_bytes(const dv_safetensors_entry *entry, int64_t *bytes)
{
    *bytes = dv__safetensors_dtypes[entry->dtype].size;
    for (int axis = 0; axis < entry->rank; axis++) {
        int64_t dim = entry->dim[axis];
        if (dim < 0 || (dim > 0 && *bytes > INT64_MAX / dim))
            return false;
        *bytes *= dim;
    }
    return true;
}

size_t dv_safetensors_bytes(const dv_safetensors_entry *entry)
{
    int64_t bytes;
    DV_ASSERT(dv__safetensors_count_bytes(entry, &bytes));
    return (size_t)bytes;
}

uint32_t dv__safetensors_checksum(uint32_t crc, const void *bytes, size_t size)
{
    if (size == 0)
        return crc; /* libdeflate would start anew for NULL */
    return libdeflate_crc32(crc, bytes, size);
}

void dv__safetensors_digits(uint32_t crc, char digits[DV__CHECKSUM_SIZE + 1])
{
    snprintf(digits, DV__CHECKSUM_SIZE + 1, "%08" PRIx32, crc);
}
