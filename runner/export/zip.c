/* Writes archives of uncompressed entries, and reads them again. */
#include "runner/export/zip.h"
#include "runner/experiment/output.h"

#include <libdeflate.h>
#include <stdio.h>
#include <string.h>

/* Each record begins with its signature. */
enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50 };
enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22 };

enum {
    VERSION = 20,         /* version 2.0 of the format */
    UTF8 = 0x0800,        /* flag for names in UTF-8 */
    FIRST_DAY = 0x0021,   /* 1980-01-01, the first date of the format */
    PADDING_HEAD = 4,     /* bytes of kind and size in an extra field */
    PADDING_KIND = 0x4246 /* "FB", the kind that PyTorch uses */
};

static const char folder[] = DV_OUTPUT_ARCHIVE;

static uint32_t checksum(const void *bytes, size_t size)
{
    return size == 0 ? 0 : libdeflate_crc32(0, bytes, size);
}

/* ---- Writing ---- */

/* The fields that the local header and the central directory share. */
typedef struct facts {
    uint32_t crc;
    size_t size, name_size, extra_size;
} facts;

static void put(dv_protobuf *out, uint64_t value, int size)
{
    dv_protobuf_append_little_endian(out, value, size);
}

static void put_facts(dv_protobuf *out, const facts *entry)
{
    put(out, VERSION, 2);
    put(out, UTF8, 2);
    put(out, 0, 2); /* stored */
    put(out, 0, 2); /* midnight */
    put(out, FIRST_DAY, 2);
    put(out, entry->crc, 4);
    put(out, entry->size, 4);
    put(out, entry->size, 4);
    put(out, entry->name_size, 2);
    put(out, entry->extra_size, 2);
}

/* The size of the extra field that aligns the data of an entry, which would begin at `at`. */
static size_t padding_size(size_t at)
{
    size_t after = (at + PADDING_HEAD) % DV_ZIP_ALIGNMENT;
    return PADDING_HEAD + (DV_ZIP_ALIGNMENT - after) % DV_ZIP_ALIGNMENT;
}

static void put_padding(dv_protobuf *out, size_t size)
{
    put(out, PADDING_KIND, 2);
    put(out, size - PADDING_HEAD, 2);
    for (size_t i = PADDING_HEAD; i < size; i++)
        put(out, 'Z', 1);
}

/* Appends the entry, and its record to the central directory. */
void dv_zip_add(dv_zip *zip, const char *name, const void *bytes, size_t size)
{
    char full[DV_ZIP_NAME];
    size_t offset = zip->entries.size;
    int length = snprintf(full, sizeof full, "%s%s", folder, name);
    DV_ASSERT(length > 0 && length < DV_ZIP_NAME);
    facts entry = {.crc = checksum(bytes, size), .size = size, .name_size = (size_t)length};
    size_t extra = padding_size(offset + LOCAL_SIZE + entry.name_size);

    put(&zip->directory, CENTRAL, 4);
    put(&zip->directory, VERSION, 2); /* version of the writer */
    put_facts(&zip->directory, &entry);
    put(&zip->directory, 0, 2); /* no comment */
    put(&zip->directory, 0, 2); /* the only disk */
    put(&zip->directory, 0, 2); /* internal attributes */
    put(&zip->directory, 0, 4); /* external attributes */
    put(&zip->directory, offset, 4);
    dv_protobuf_append(&zip->directory, full, entry.name_size);

    entry.extra_size = extra;
    put(&zip->entries, LOCAL, 4);
    put_facts(&zip->entries, &entry);
    dv_protobuf_append(&zip->entries, full, entry.name_size);
    put_padding(&zip->entries, extra);
    dv_protobuf_append(&zip->entries, bytes, size);
    zip->count++;
}

void dv_zip_add_part(dv_zip *zip, const char *name, dv_protobuf *part)
{
    dv_zip_add(zip, name, part->bytes, part->size);
    if (zip->entries.status == DV_OK)
        zip->entries.status = part->status;
    dv_protobuf_free(part);
}

/* Appends the central directory to the entries, and the end record to the central directory. */
dv_status dv_zip_end(dv_zip *zip, dv_protobuf *out)
{
    size_t offset = zip->entries.size, size = zip->directory.size, count = zip->count;
    dv_status status = zip->entries.status != DV_OK ? zip->entries.status : zip->directory.status;
    if (status == DV_OK && (offset + size > UINT32_MAX || count >= UINT16_MAX))
        status = DV_FAIL(DV_EUNSUPPORTED, "%zu entries of %zu bytes are too many for a zip archive",
                         count, offset);
    *out = zip->entries;
    dv_protobuf_append(out, zip->directory.bytes, size);
    put(out, END, 4);
    put(out, 0, 4); /* the only disk */
    put(out, count, 2);
    put(out, count, 2);
    put(out, size, 4);
    put(out, offset, 4);
    put(out, 0, 2); /* no comment */
    dv_protobuf_free(&zip->directory);
    *zip = (dv_zip){0};
    if (status == DV_OK)
        status = out->status;
    if (status != DV_OK)
        dv_protobuf_free(out);
    return status;
}

/* ---- Reading ---- */

static uint64_t take(const unsigned char *bytes, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static dv_status fail(const char *what)
{
    return DV_FAIL(DV_EFORMAT, "the archive is damaged: %s", what);
}

/* Reads the entry with the local header at `at`. `central` is its record in the directory. */
static dv_status read_local(const dv_zip_reader *reader, const unsigned char *central, size_t at,
                            dv_zip_entry *out)
{
    /* The fields from the version to the size of the name are the same in both. */
    enum { LOCAL_VERSION = 4, CENTRAL_VERSION = 6, SHARED = 24 };
    const unsigned char *local = reader->bytes + at;
    if (reader->size < LOCAL_SIZE || at > reader->size - LOCAL_SIZE || take(local, 4) != LOCAL)
        return fail("an entry is not where the central directory has it");
    if (memcmp(local + LOCAL_VERSION, central + CENTRAL_VERSION, SHARED) != 0)
        return fail("an entry and the central directory differ");
    out->crc = (uint32_t)take(local + 14, 4);
    out->size = (size_t)take(local + 18, 4);
    out->name_size = (size_t)take(local + 26, 2);
    out->name = (const char *)local + LOCAL_SIZE;
    size_t data = at + LOCAL_SIZE + out->name_size + (size_t)take(local + 28, 2);
    if (take(local + 8, 2) != 0 || take(local + 22, 4) != out->size)
        return fail("an entry is not stored as it is");
    if (data > reader->size || out->size > reader->size - data)
        return fail("an entry is cut off");
    if (memcmp(out->name, central + CENTRAL_SIZE, out->name_size) != 0)
        return fail("an entry has two names");
    if (data % DV_ZIP_ALIGNMENT != 0)
        return fail("an entry is not aligned");
    out->bytes = reader->bytes + data;
    return DV_OK;
}

/* Reads the next entry. *more is false if there is none. */
static dv_status read_next(dv_zip_reader *reader, dv_zip_entry *out, bool *more)
{
    size_t end = reader->size - END_SIZE;
    *out = (dv_zip_entry){0};
    *more = reader->left > 0;
    if (!*more)
        return reader->at == end ? DV_OK
                                 : fail("its central directory has bytes behind its entries");
    const unsigned char *central = reader->bytes + reader->at;
    if (end - reader->at < CENTRAL_SIZE || take(central, 4) != CENTRAL)
        return fail("its central directory is cut off");
    size_t size = CENTRAL_SIZE + (size_t)take(central + 28, 2) + (size_t)take(central + 30, 2) +
                  (size_t)take(central + 32, 2);
    if (end - reader->at < size)
        return fail("its central directory is cut off");
    reader->at += size;
    reader->left--;
    return read_local(reader, central, (size_t)take(central + 42, 4), out);
}

/* Checks every entry of the central directory, and its checksum. */
static dv_status check_entries(dv_zip_reader reader)
{
    dv_zip_entry entry;
    bool more;
    do {
        DV_TRY(read_next(&reader, &entry, &more));
        if (more && checksum(entry.bytes, entry.size) != entry.crc)
            return DV_FAIL(DV_EFORMAT, "the archive is damaged: '%.*s' does not have its checksum",
                           (int)entry.name_size, entry.name);
    } while (more);
    return DV_OK;
}

dv_status dv_zip_open(const void *bytes, size_t size, dv_zip_reader *out)
{
    *out = (dv_zip_reader){.bytes = bytes, .size = size};
    const unsigned char *end = out->bytes + (size < END_SIZE ? 0 : size - END_SIZE);
    if (size < END_SIZE || take(end, 4) != END)
        return fail("the end of its central directory is missing");
    size_t directory = (size_t)take(end + 12, 4);
    out->left = (size_t)take(end + 10, 2);
    out->at = (size_t)take(end + 16, 4);
    if (out->at + directory != size - END_SIZE)
        return fail("its central directory has another size than its end says");
    return check_entries(*out);
}

dv_status dv_zip_find(const dv_zip_reader *reader, const char *name, dv_zip_entry *out)
{
    dv_zip_reader from = *reader;
    size_t begin = strlen(folder), size = strlen(name);
    bool more;
    do {
        DV_TRY(read_next(&from, out, &more));
        if (more && out->name_size == begin + size && memcmp(out->name, folder, begin) == 0 &&
            memcmp(out->name + begin, name, size) == 0)
            return DV_OK;
    } while (more);
    return DV_FAIL(DV_EFORMAT, "the archive has no '%s%s'", folder, name);
}

dv_status dv_zip_expect(const dv_zip_reader *reader, const char *name, const void *bytes,
                        size_t size)
{
    dv_zip_entry entry;
    DV_TRY(dv_zip_find(reader, name, &entry));
    if (entry.size != size || (size > 0 && memcmp(entry.bytes, bytes, size) != 0))
        return DV_FAIL(DV_EFORMAT, "'%s%s' does not hold what was written to it", folder, name);
    return DV_OK;
}
