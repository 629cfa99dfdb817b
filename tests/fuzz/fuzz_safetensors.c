/* Reads a safetensors file: its header, its entries and all of its data. */
#include "frontends/model/safetensors.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <stdio.h>

void fuzz_write_seeds(const char *folder)
{
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t numbers[2] = {7, 8};
    static const uint16_t f16[4] = {0x3C00, 0, 0, 0};
    const dv_safetensors_pair metadata[] = {{"key", "value"}, {"other", "\xC3\xA9"}};
    const dv_safetensors_entry entries[] = {
        {"numbers", DV_SAFETENSORS_I64, 1, {2}, numbers},
        {"matrix", DV_SAFETENSORS_F32, 2, {2, 3}, values},
        {"f16", DV_SAFETENSORS_F16, 3, {1, 2, 2}, f16},
        {"bytes", DV_SAFETENSORS_U8, 1, {3}, "abc"},
        {"scalar", DV_SAFETENSORS_F32, 0, {0}, values},
    };
    static const char foreign[] = "\x40\0\0\0\0\0\0\0"
                                  "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
                                  "            \1\2\3";
    char path[512];
    snprintf(path, sizeof path, "%s/ours", folder);
    fuzz_must(dv_safetensors_write(path, metadata, 2, entries, 5));
    fuzz_write_seed(folder, "foreign", foreign, sizeof foreign);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_safetensors *file;
    volatile unsigned sum = 0;
    if (dv_safetensors_read(fuzz_file("tensors", data, size), &file) != DV_OK)
        return 0;
    for (size_t i = 0; i < dv_safetensors_count(file); i++) {
        const dv_safetensors_entry *entry = dv_safetensors_at(file, i);
        const unsigned char *bytes = entry->data;
        for (size_t k = 0; k < dv_safetensors_bytes(entry); k++)
            sum += bytes[k];
        if (dv_safetensors_find(file, entry->name) != entry)
            fuzz_must(DV_FAIL(DV_EFORMAT, "'%s' is not found", entry->name));
        dv_safetensors_forget(file, entry);
    }
    (void)dv_safetensors_metadata(file, "decavox.config");
    (void)sum;
    dv_safetensors_free(file);
    return 0;
}
