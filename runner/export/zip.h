/*
 * Archives as PKWARE's APPNOTE 6.3 describes them, of stored entries alone: what PyTorch's readers
 * map into memory. Every entry lies in the folder "decavox/", its data begin at a multiple of 64
 * bytes, and no time is told, so that equal entries make equal archives.
 *
 *     dv_zip zip = {0};
 *     dv_zip_add(&zip, "version", "3\n", 2);
 *     status = dv_zip_end(&zip, &bytes);
 *
 * The first failure is kept, and told at the end.
 */
#ifndef DV_EXPORT_ZIP_H
#define DV_EXPORT_ZIP_H

#include "engine/base/protobuf.h"

#include <stdbool.h>

enum { DV_ZIP_NAME = 256, DV_ZIP_ALIGNMENT = 64 };

/* Zeroed, it is an archive without entries. */
typedef struct dv_zip {
    dv_protobuf entries, directory;
    size_t count;
} dv_zip;

/* Adds "decavox/<name>"; the bytes are copied. */
void dv_zip_add(dv_zip *zip, const char *name, const void *bytes, size_t size);

/* The same with the bytes of `part`, which is freed. */
void dv_zip_add_part(dv_zip *zip, const char *name, dv_protobuf *part);

/* The archive's bytes, to be freed with dv_protobuf_free; the archive is empty afterwards.
   DV_ENOMEM; DV_EUNSUPPORTED: it would have 4 GiB, or 65,535 entries. */
dv_status dv_zip_end(dv_zip *zip, dv_protobuf *out);

/* ---- Reading ---- */

/* An entry: borrowed from the archive's bytes. */
typedef struct dv_zip_entry {
    const char *name; /* (name_size), without NUL */
    size_t name_size;
    const unsigned char *bytes;
    size_t size;
    uint32_t crc; /* as it is told */
} dv_zip_entry;

/* An archive whose entries are in order. */
typedef struct dv_zip_reader {
    const unsigned char *bytes; /* borrowed */
    size_t size;
    size_t at;   /* of the next entry of the central directory */
    size_t left; /* entries from there on */
} dv_zip_reader;

/* Checks every entry: the central directory and the entry say the same, and the data are stored,
   aligned, and have their checksum. DV_EFORMAT: it is no such archive. */
dv_status dv_zip_open(const void *bytes, size_t size, dv_zip_reader *out);

/* The entry "decavox/<name>". DV_EFORMAT: there is none. */
dv_status dv_zip_find(const dv_zip_reader *reader, const char *name, dv_zip_entry *out);

/* DV_EFORMAT: there is no such entry, or it does not hold these bytes. */
dv_status dv_zip_expect(const dv_zip_reader *reader, const char *name, const void *bytes,
                        size_t size);

#endif
