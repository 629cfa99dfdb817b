/*
 * Zip archives (PKWARE's APPNOTE 6.3) with uncompressed entries only, which PyTorch's readers can
 * map into memory. Every entry lies in the folder "decavox/", and its data begin at a multiple of
 * 64 bytes. No times are stored, so that equal entries make equal archives.
 *
 *     dv_zip zip = {0};
 *     dv_zip_add(&zip, "version", "3\n", 2);
 *     status = dv_zip_end(&zip, &bytes);
 *
 * dv_zip_end returns the first failure.
 */
#ifndef DV_EXPORT_ZIP_H
#define DV_EXPORT_ZIP_H

#include "engine/base/protobuf.h"

#include <stdbool.h>

enum { DV_ZIP_NAME = 256, DV_ZIP_ALIGNMENT = 64 };

/* An archive that is being written. All zero, it has no entries. */
typedef struct dv_zip {
    dv_protobuf entries, directory;
    size_t count;
} dv_zip;

/* Adds the entry "decavox/<name>" and copies the bytes. */
void dv_zip_add(dv_zip *zip, const char *name, const void *bytes, size_t size);

/* Like dv_zip_add, with the bytes of `part`, which is freed. */
void dv_zip_add_part(dv_zip *zip, const char *name, dv_protobuf *part);

/* Makes the bytes of the archive, and empties *zip. Free the bytes with dv_protobuf_free. Returns
   DV_ENOMEM, or DV_EUNSUPPORTED for an archive of 4 GiB or 65,535 entries and more. */
dv_status dv_zip_end(dv_zip *zip, dv_protobuf *out);

/* ---- Reading ---- */

/* An entry, borrowed from the bytes of the archive. */
typedef struct dv_zip_entry {
    const char *name; /* (name_size), without NUL */
    size_t name_size;
    const unsigned char *bytes;
    size_t size;
    uint32_t crc; /* checksum according to the archive */
} dv_zip_entry;

/* An archive that has been checked. */
typedef struct dv_zip_reader {
    const unsigned char *bytes; /* borrowed */
    size_t size;
    size_t at;   /* offset of the next entry in the central directory */
    size_t left; /* entries from there on */
} dv_zip_reader;

/* Opens an archive and checks every entry: it must agree with the central directory, and its data
   must be uncompressed, aligned, and match their checksum. Returns DV_EFORMAT if any of this
   fails. */
dv_status dv_zip_open(const void *bytes, size_t size, dv_zip_reader *out);

/* Finds the entry "decavox/<name>". Returns DV_EFORMAT if there is none. */
dv_status dv_zip_find(const dv_zip_reader *reader, const char *name, dv_zip_entry *out);

/* Returns DV_EFORMAT unless the entry exists and holds these bytes. */
dv_status dv_zip_expect(const dv_zip_reader *reader, const char *name, const void *bytes,
                        size_t size);

#endif
