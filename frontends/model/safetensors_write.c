/* Writes safetensors files. The header gets its checksum before anything is written. */
#include "engine/base/atomic_file.h"
#include "engine/base/text.h"
#include "frontends/model/safetensors_format.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static dv_status check_entry(const dv_safetensors_entry *entry, int64_t *bytes)
{
    if ((size_t)entry->dtype >= DV__DTYPE_COUNT)
        return DV_FAIL(DV_EARG, "tensor '%s': there is no dtype %d", entry->name,
                       (int)entry->dtype);
    if (entry->rank < 0 || entry->rank > DV_SAFETENSORS_MAX_RANK)
        return DV_FAIL(DV_EARG, "tensor '%s': its rank is %d, must be 0 to %d", entry->name,
                       entry->rank, DV_SAFETENSORS_MAX_RANK);
    if (!dv__safetensors_count_bytes(entry, bytes))
        return DV_FAIL(DV_EARG, "tensor '%s': its shape is negative or has too many elements",
                       entry->name);
    if (*bytes > 0 && entry->data == NULL)
        return DV_FAIL(DV_EARG, "tensor '%s' has no data", entry->name);
    return DV_OK;
}

/* Adds `value`, and takes ownership of it, also on failure. Keys must be unique. */
static dv_status add_member(json_t *object, const char *key, json_t *value)
{
    if (dv_has_control_character(key)) {
        json_decref(value);
        return DV_FAIL(DV_EARG, "a name of %zu bytes has a control character", strlen(key));
    }
    if (json_object_get(object, key) != NULL) {
        json_decref(value);
        return DV_FAIL(DV_EARG, "the name '%s' is given twice, or it is reserved", key);
    }
    if (value == NULL || json_object_set_new(object, key, value) != 0)
        return DV_FAIL(DV_EARG, "the name '%s' or its value is not UTF-8, or memory is short", key);
    return DV_OK;
}

static dv_status add_metadata(json_t *header, const dv_safetensors_pair *pairs, size_t count)
{
    json_t *metadata = json_object(); /* borrowed once it is in the header */
    DV_TRY(add_member(header, DV__METADATA_KEY, metadata));
    DV_TRY(add_member(metadata, DV__CHECKSUM_KEY, json_string(DV__CHECKSUM_ZERO)));
    DV_TRY(add_member(metadata, DV__FORMAT_KEY, json_string(DV__FORMAT_VALUE)));
    for (size_t i = 0; i < count; i++)
        DV_TRY(add_member(metadata, pairs[i].key, json_string(pairs[i].value)));
    return DV_OK;
}

static dv_status add_entry(json_t *header, const dv_safetensors_entry *entry, int64_t *offset)
{
    int64_t bytes = 0;
    DV_TRY(check_entry(entry, &bytes));
    if (bytes > INT64_MAX - *offset)
        return DV_FAIL(DV_EARG, "tensor '%s': there are more data than a file can hold",
                       entry->name);
    json_t *shape = json_array();
    for (int axis = 0; axis < entry->rank; axis++) {
        if (json_array_append_new(shape, json_integer(entry->dim[axis])) != 0) {
            json_decref(shape);
            return DV_FAIL(DV_ENOMEM, "tensor '%s': out of memory", entry->name);
        }
    }
    json_t *info = json_pack(
        "{s:s, s:o, s:[I, I]}", "dtype", dv__safetensors_dtypes[entry->dtype].name, "shape", shape,
        "data_offsets", (json_int_t)*offset, (json_int_t)*offset + (json_int_t)bytes);
    *offset += bytes;
    return add_member(header, entry->name, info);
}

/* Prints the length and the padded header, with zeros for the checksum. The caller owns *out. */
static dv_status print_header(const json_t *header, char **out, size_t *out_size)
{
    size_t length = json_dumpb(header, NULL, 0, JSON_COMPACT);
    size_t size = (DV__PREFIX_SIZE + length + DV__ALIGNMENT - 1) / DV__ALIGNMENT * DV__ALIGNMENT;
    uint64_t header_size = size - DV__PREFIX_SIZE;
    char *text = NULL;
    if (length == 0)
        return DV_FAIL(DV_ENOMEM, "out of memory for the header");
    if (header_size > DV__MAX_HEADER_SIZE)
        return DV_FAIL(DV_EARG, "the header has %zu bytes, must be 1 to %d", length,
                       DV__MAX_HEADER_SIZE);
    DV_TRY(dv_calloc(size + 1, 1, &text)); /* with a NUL, so that it can be searched as a string */
    memcpy(text, &header_size, DV__PREFIX_SIZE);
    memset(text + DV__PREFIX_SIZE, ' ', size - DV__PREFIX_SIZE);
    if (json_dumpb(header, text + DV__PREFIX_SIZE, length, JSON_COMPACT) != length) {
        free(text);
        return DV_FAIL(DV_ENOMEM, "out of memory for a header of %zu bytes", length);
    }
    *out = text;
    *out_size = size;
    return DV_OK;
}

static dv_status make_header(const dv_safetensors_pair *metadata, size_t metadata_count,
                             const dv_safetensors_entry *entries, size_t count, char **text,
                             size_t *size)
{
    dv_status status = DV_OK;
    int64_t offset = 0;
    json_t *header = json_object();
    if (header == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory for the tensors");
    DV_TRY_GOTO(add_metadata(header, metadata, metadata_count));
    for (size_t i = 0; i < count; i++)
        DV_TRY_GOTO(add_entry(header, &entries[i], &offset));
    DV_TRY_GOTO(print_header(header, text, size));
fail:
    json_decref(header);
    return status;
}

static void put_checksum(char *text, size_t size, const dv_safetensors_entry *entries, size_t count)
{
    uint32_t crc = dv__safetensors_checksum(0, text, size);
    for (size_t i = 0; i < count; i++)
        crc = dv__safetensors_checksum(crc, entries[i].data, dv_safetensors_bytes(&entries[i]));
    char digits[DV__CHECKSUM_SIZE + 1];
    dv__safetensors_digits(crc, digits);
    char *marker = strstr(text + DV__PREFIX_SIZE, DV__CHECKSUM_MARKER);
    DV_ASSERT(marker != NULL);
    memcpy(marker + strlen(DV__CHECKSUM_MARKER), digits, DV__CHECKSUM_SIZE);
}

/* The header is complete before the file is opened, so a mistake in the tensors leaves no file
   behind. */
dv_status dv_safetensors_write(const char *path, const dv_safetensors_pair *metadata,
                               size_t metadata_count, const dv_safetensors_entry *entries,
                               size_t count)
{
    char *text = NULL;
    size_t size = 0;
    dv_atomic_file *file = NULL;
    dv_status status = make_header(metadata, metadata_count, entries, count, &text, &size);
    if (status != DV_OK)
        return dv_fail_within(status, "cannot write '%s'", path);
    put_checksum(text, size, entries, count);
    DV_TRY_GOTO(dv_atomic_file_open(path, &file));
    DV_TRY_GOTO(dv_atomic_file_write(file, text, size));
    for (size_t i = 0; i < count; i++)
        DV_TRY_GOTO(dv_atomic_file_write(file, entries[i].data, dv_safetensors_bytes(&entries[i])));
    free(text);
    return dv_atomic_file_commit(file);
fail:
    dv_atomic_file_abort(file);
    free(text);
    return status;
}
