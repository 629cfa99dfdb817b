/* Reads safetensors files. The file is mapped into memory, and nothing in it is trusted. */
#define _DEFAULT_SOURCE /* madvise */
#include "engine/base/input_file.h"
#include "engine/base/text.h"
#include "frontends/audio/file_content.h"
#include "frontends/model/safetensors_format.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct dv_safetensors {
    json_t *header; /* owns the names and the metadata */
    dv_safetensors_entry *entries;
    size_t count;
    /* The mapped file. Mapping is several times as fast as reading into fresh memory. All bounds
       come from a private copy of the header, so later changes of the file cannot affect them. */
    const unsigned char *map;
    size_t map_size;
    bool is_copy;          /* the map has no file behind it, so its pages may not be dropped */
    unsigned char *copies; /* aligned copies of tensors that are not aligned in the file */
};

/* Bytes. A file above LARGE is never in memory as a whole, only a window or a tensor at a time.
   This costs some page faults. */
enum { LARGE = 8 << 20, WINDOW = 2 << 20 };

/* Held during dv_safetensors_read. */
typedef struct reader {
    char *header; /* header_size bytes and a NUL */
    size_t header_size;
    const unsigned char *data; /* the bytes after the header; in the map */
    size_t data_size;
} reader;

static dv_status map_file(int descriptor, dv_safetensors *file)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0)
        return DV_FAIL(DV_EIO, "cannot be read: %s", strerror(errno));
    if (info.st_size < DV__PREFIX_SIZE)
        return DV_FAIL(DV_EFORMAT,
                       "is not a checkpoint: %lld bytes are too few for a safetensors file",
                       (long long)info.st_size);
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (map == MAP_FAILED)
        return DV_FAIL(DV_EIO, "cannot be read: %s", strerror(errno));
    file->map = map;
    file->map_size = (size_t)info.st_size;
    return DV_OK;
}

static dv_status map_copy(const void *bytes, size_t size, dv_safetensors *file)
{
    if (size < DV__PREFIX_SIZE)
        return DV_FAIL(DV_EFORMAT,
                       "is not a checkpoint: %zu bytes are too few for a safetensors file", size);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", size);
    memcpy(map, bytes, size);
    file->map = map;
    file->map_size = size;
    file->is_copy = true;
    return DV_OK;
}

/* Names what the file is instead, where its first bytes or its name tell. `header_size`: what its
   first bytes would say as those of a safetensors file. */
static dv_status fail_foreign(const char *name, const dv_safetensors *file, uint64_t header_size)
{
    char phrase[DV_CONTENT_PHRASE_SIZE];
    dv_content_phrase_of(name, file->map, file->map_size, phrase);
    if (strcmp(phrase, "a configuration") == 0)
        return DV_FAIL(DV_EFORMAT, "is a configuration, not a checkpoint; training with it makes a "
                                   "checkpoint, model.safetensors");
    if (phrase[0] != '\0' && strcmp(phrase, "a checkpoint") != 0)
        return DV_FAIL(DV_EFORMAT, "is %s, not a checkpoint (a safetensors file)", phrase);
    return DV_FAIL(DV_EFORMAT,
                   "is not a safetensors file, or is cut short: its first 8 bytes promise a header "
                   "of %llu bytes, and the file has %zu bytes (the limit of a header is %d)",
                   (unsigned long long)header_size, file->map_size, DV__MAX_HEADER_SIZE);
}

static dv_status copy_header(const char *name, reader *in, const dv_safetensors *file)
{
    size_t rest = file->map_size - DV__PREFIX_SIZE;
    uint64_t size;
    memcpy(&size, file->map, DV__PREFIX_SIZE);
    if (size > DV__MAX_HEADER_SIZE || size > rest)
        return fail_foreign(name, file, size);
    in->header_size = (size_t)size;
    DV_TRY(dv_calloc(in->header_size + 1, 1, &in->header));
    memcpy(in->header, file->map + DV__PREFIX_SIZE, in->header_size);
    in->data = file->map + DV__PREFIX_SIZE + in->header_size;
    in->data_size = rest - in->header_size;
    if (in->header[0] != '{')
        return DV_FAIL(DV_EFORMAT, "is not a safetensors file: its header does not start with '{'");
    return DV_OK;
}

/* jansson quotes the text near the error, which may hold any bytes. Without memory its message may
   be empty. */
static dv_status fail_with_json(json_error_t *error, const char *what)
{
    for (char *text = error->text; *text != '\0'; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
    if (json_error_code(error) == json_error_out_of_memory || error->text[0] == '\0')
        return DV_FAIL(DV_ENOMEM, "%s: out of memory", what);
    return DV_FAIL(DV_EFORMAT, "%s: %s", what, error->text);
}

static dv_status parse_header(const reader *in, json_t **header)
{
    json_error_t error;
    *header = json_loadb(in->header, in->header_size, JSON_REJECT_DUPLICATES, &error);
    if (*header == NULL)
        return fail_with_json(&error, "the header is not valid JSON");
    json_t *metadata = json_object_get(*header, DV__METADATA_KEY);
    if (metadata == NULL)
        return DV_OK;
    if (!json_is_object(metadata))
        return DV_FAIL(DV_EFORMAT, "the header is damaged: %s is not an object", DV__METADATA_KEY);
    void *position = json_object_iter(metadata);
    for (; position != NULL; position = json_object_iter_next(metadata, position))
        if (!json_is_string(json_object_iter_value(position)))
            return DV_FAIL(DV_EFORMAT,
                           "the header is damaged: %s holds a value that is not a string",
                           DV__METADATA_KEY);
    return DV_OK;
}

static dv_status parse_dtype(const char *name, const char *text, dv_safetensors_dtype *out)
{
    for (size_t i = 0; i < DV__DTYPE_COUNT; i++) {
        if (strcmp(text, dv__safetensors_dtypes[i].name) == 0) {
            *out = (dv_safetensors_dtype)i;
            return DV_OK;
        }
    }
    return DV_FAIL(DV_EFORMAT,
                   "tensor '%s': its dtype is '%.20s', must be F16, F32, F64, I64 or U8", name,
                   dv_has_control_character(text) ? "?" : text);
}

static dv_status parse_shape(const json_t *shape, dv_safetensors_entry *entry)
{
    if (!json_is_array(shape))
        return DV_FAIL(DV_EFORMAT, "tensor '%s': its shape is not a list", entry->name);
    size_t rank = json_array_size(shape);
    if (rank > DV_SAFETENSORS_MAX_RANK)
        return DV_FAIL(DV_EFORMAT, "tensor '%s': its rank is %zu, must be 0 to %d", entry->name,
                       rank, DV_SAFETENSORS_MAX_RANK);
    entry->rank = (int)rank;
    for (size_t axis = 0; axis < rank; axis++) {
        const json_t *dim = json_array_get(shape, axis);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return DV_FAIL(DV_EFORMAT, "tensor '%s': dimension %zu is not a count", entry->name,
                           axis);
        entry->dim[axis] = json_integer_value(dim);
    }
    return DV_OK;
}

/* An entry and the place of its data according to the file. */
typedef struct placed_entry {
    dv_safetensors_entry entry;
    json_int_t begin, end;
} placed_entry;

/* Reads the entry of one tensor. Its place in the data must be as long as its shape and type
   need. */
static dv_status parse_entry(const char *name, json_t *info, placed_entry *out)
{
    if (dv_has_control_character(name))
        return DV_FAIL(DV_EFORMAT,
                       "the header is damaged: a tensor's name has a control character");
    out->entry.name = name;
    const char *dtype = NULL;
    json_t *shape = NULL;
    json_error_t error;
    if (json_unpack_ex(info, &error, JSON_STRICT, "{s:s, s:o, s:[I, I]}", "dtype", &dtype, "shape",
                       &shape, "data_offsets", &out->begin, &out->end) != 0) {
        char what[200];
        snprintf(what, sizeof what, "tensor '%.150s'", name);
        return fail_with_json(&error, what);
    }
    DV_TRY(parse_dtype(name, dtype, &out->entry.dtype));
    DV_TRY(parse_shape(shape, &out->entry));
    int64_t bytes;
    if (!dv__safetensors_count_bytes(&out->entry, &bytes))
        return DV_FAIL(DV_EFORMAT, "tensor '%s': its shape has too many elements", name);
    if (out->begin < 0 || out->end < out->begin || out->end - out->begin != bytes)
        return DV_FAIL(DV_EFORMAT,
                       "tensor '%s': data_offsets are %lld to %lld, and its shape needs %lld bytes",
                       name, (long long)out->begin, (long long)out->end, (long long)bytes);
    return DV_OK;
}

/* Orders by the place of the data. An empty tensor comes before another one at the same place. */
static int compare_places(const void *left, const void *right)
{
    const placed_entry *a = left;
    const placed_entry *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return strcmp(a->entry.name, b->entry.name);
}

/* The tensors must cover the `size` bytes of data exactly. */
static dv_status check_cover(const placed_entry *entries, size_t count, int64_t size)
{
    int64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].begin != end)
            return DV_FAIL(DV_EFORMAT,
                           "tensor '%s': its data start at %lld, must start at %lld (%s)",
                           entries[i].entry.name, (long long)entries[i].begin, (long long)end,
                           entries[i].begin < end ? "overlap" : "hole");
        end = entries[i].end;
    }
    if (end != size)
        return DV_FAIL(DV_EFORMAT, "the tensors take %lld bytes, and the file has %lld: %s",
                       (long long)end, (long long)size,
                       end > size ? "it is cut short" : "there are bytes left over");
    return DV_OK;
}

static dv_status parse_entries(json_t *header, placed_entry *entries)
{
    size_t count = 0;
    void *position = json_object_iter(header);
    for (; position != NULL; position = json_object_iter_next(header, position)) {
        const char *name = json_object_iter_key(position);
        if (strcmp(name, DV__METADATA_KEY) != 0)
            DV_TRY(parse_entry(name, json_object_iter_value(position), &entries[count++]));
    }
    return DV_OK;
}

/* Fills file->entries. Their data are placed later. */
static dv_status list_entries(dv_safetensors *file, int64_t data_size)
{
    dv_status status = DV_OK;
    placed_entry *placed = NULL;
    bool has_metadata = json_object_get(file->header, DV__METADATA_KEY) != NULL;
    size_t count = json_object_size(file->header) - (has_metadata ? 1 : 0);
    DV_TRY(dv_calloc(count, sizeof *placed, &placed));
    DV_TRY_GOTO(parse_entries(file->header, placed));
    qsort(placed, count, sizeof *placed, compare_places);
    DV_TRY_GOTO(check_cover(placed, count, data_size));
    DV_TRY_GOTO(dv_calloc(count, sizeof *file->entries, &file->entries));
    for (size_t i = 0; i < count; i++)
        file->entries[i] = placed[i].entry;
    file->count = count;
fail:
    free(placed);
    return status;
}

/* Advises the system about a part of the map, in whole pages. A failure does no harm. */
static void advise(const void *from, size_t size, int advice)
{
    size_t before = (uintptr_t)from % (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)madvise((void *)((uintptr_t)from - before), size + before, advice);
}

/* Continues the checksum over the data. */
static uint32_t checksum_of_data(uint32_t crc, const reader *in)
{
    const size_t window = in->data_size > LARGE ? WINDOW : LARGE;
    for (size_t at = 0; at < in->data_size; at += window) {
        size_t left = in->data_size - at;
        size_t size = left < window ? left : window;
#ifdef MADV_POPULATE_READ /* Linux 5.14: maps all pages at once, without a fault for each */
        advise(in->data + at, size, MADV_POPULATE_READ);
#endif
        crc = dv__safetensors_checksum(crc, in->data + at, size);
        if (in->data_size > LARGE)
            advise(in->data + at, size, MADV_DONTNEED);
    }
    return crc;
}

/* The checksum in the file was computed with zeros in the place of the digits. So the digits are
   zeroed here too, in the copy of the header. */
static dv_status check_checksum(reader *in, const dv_safetensors *file)
{
    const char *expected = dv_safetensors_metadata(file, DV__CHECKSUM_KEY);
    const char *format = dv_safetensors_metadata(file, DV__FORMAT_KEY);
    if (expected == NULL && format == NULL)
        return DV_OK;
    /* There are two keys, so that a file with one damaged key does not pass for a foreign file. */
    char *marker = strstr(in->header, DV__CHECKSUM_MARKER);
    if (expected == NULL || marker == NULL || strlen(expected) != DV__CHECKSUM_SIZE)
        return DV_FAIL(DV_EFORMAT, "'%s' is missing or malformed: the file is damaged",
                       DV__CHECKSUM_KEY);
    memcpy(marker + strlen(DV__CHECKSUM_MARKER), DV__CHECKSUM_ZERO, DV__CHECKSUM_SIZE);
    uint32_t crc = dv__safetensors_checksum(0, file->map, DV__PREFIX_SIZE);
    crc = dv__safetensors_checksum(crc, in->header, in->header_size);
    crc = checksum_of_data(crc, in);
    char digits[DV__CHECKSUM_SIZE + 1];
    dv__safetensors_digits(crc, digits);
    if (strcmp(digits, expected) != 0)
        return DV_FAIL(DV_EFORMAT, "the checksum is %s, not the stored one: the file is damaged",
                       digits);
    if (format == NULL || strcmp(format, DV__FORMAT_VALUE) != 0)
        return DV_FAIL(DV_EFORMAT, "'%s' is not %s: written by a newer decavox?", DV__FORMAT_KEY,
                       DV__FORMAT_VALUE);
    return DV_OK;
}

static bool is_aligned(const dv_safetensors_entry *entry)
{
    return (uintptr_t)entry->data % (uintptr_t)dv__safetensors_dtypes[entry->dtype].size == 0;
}

/* Points the entries at their data. C needs alignment, but the format does not promise it. */
static dv_status place_data(const reader *in, dv_safetensors *file)
{
    const unsigned char *next = in->data;
    size_t copied = 0; /* the largest type has 8 bytes, so copies start at multiples of 8 */
    for (size_t i = 0; i < file->count; i++) {
        dv_safetensors_entry *entry = &file->entries[i];
        size_t bytes = dv_safetensors_bytes(entry);
        entry->data = next;
        next += bytes;
        copied += is_aligned(entry) ? 0 : (bytes + 7) / 8 * 8;
    }
    DV_TRY(dv_calloc(copied, 1, &file->copies));
    unsigned char *copy = file->copies;
    for (size_t i = 0; i < file->count; i++) {
        dv_safetensors_entry *entry = &file->entries[i];
        size_t bytes = dv_safetensors_bytes(entry);
        if (is_aligned(entry))
            continue;
        memcpy(copy, entry->data, bytes);
        entry->data = copy;
        copy += (bytes + 7) / 8 * 8;
    }
    return DV_OK;
}

/* Reads and checks the mapped file. */
static dv_status read_map(const char *name, reader *in, dv_safetensors *file)
{
    DV_TRY(copy_header(name, in, file));
    DV_TRY(parse_header(in, &file->header));
    DV_TRY(list_entries(file, (int64_t)in->data_size));
    DV_TRY(check_checksum(in, file));
    return place_data(in, file);
}

/* Reads the file behind `descriptor`, or `bytes` if the descriptor is below 0. */
static dv_status read_any(const char *name, int descriptor, const void *bytes, size_t size,
                          dv_safetensors **out)
{
    reader in = {0};
    dv_safetensors *file;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *file, &file));
    dv_status status = descriptor >= 0 ? map_file(descriptor, file) : map_copy(bytes, size, file);
    if (status == DV_OK)
        status = read_map(name, &in, file);
    free(in.header);
    if (status != DV_OK) {
        dv_safetensors_free(file);
        return status;
    }
    *out = file;
    return DV_OK;
}

dv_status dv_safetensors_read(const char *path, dv_safetensors **out)
{
    *out = NULL;
    int descriptor;
    DV_TRY(dv_input_descriptor(path, &descriptor));
    dv_status status = read_any(path, descriptor, NULL, 0, out);
    close(descriptor);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "%s", path);
}

dv_status dv_safetensors_read_memory(const void *bytes, size_t size, const char *name,
                                     dv_safetensors **out)
{
    dv_status status = read_any(name, -1, bytes, size, out);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "%s", name);
}

const void *dv_safetensors_content(const dv_safetensors *file, size_t *size)
{
    *size = file->map_size;
    return file->map;
}

void dv_safetensors_free(dv_safetensors *file)
{
    if (file == NULL)
        return;
    json_decref(file->header);
    free(file->entries);
    free(file->copies);
    if (file->map != NULL)
        munmap((void *)(uintptr_t)file->map, file->map_size);
    free(file);
}

size_t dv_safetensors_count(const dv_safetensors *file)
{
    return file->count;
}

const dv_safetensors_entry *dv_safetensors_at(const dv_safetensors *file, size_t index)
{
    DV_ASSERT(index < file->count);
    return &file->entries[index];
}

const dv_safetensors_entry *dv_safetensors_find(const dv_safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0)
            return &file->entries[i];
    return NULL;
}

void dv_safetensors_forget(const dv_safetensors *file, const dv_safetensors_entry *entry)
{
    uintptr_t map = (uintptr_t)file->map, data = (uintptr_t)entry->data;
    bool is_mapped = data >= map && data < map + file->map_size; /* else it is an aligned copy */
    if (is_mapped && !file->is_copy && file->map_size > LARGE)
        advise(entry->data, dv_safetensors_bytes(entry), MADV_DONTNEED);
}

const char *dv_safetensors_metadata(const dv_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, DV__METADATA_KEY), key));
}
