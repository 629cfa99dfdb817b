/*
 * Files of named tensors in the safetensors format (https://github.com/huggingface/safetensors) of
 * PyTorch and others:
 *
 *     8 bytes    length of the header, little-endian
 *     header     JSON: {"__metadata__": {key: text}, name: {dtype, shape, data_offsets}, ...}
 *     data       the tensors, row-major and little-endian, without holes
 *
 * Files written here have two more metadata keys, "decavox.format" and "decavox.checksum". The
 * checksum is the CRC-32 (zlib's polynomial) of the whole file in 8 lower-case hexadecimal digits,
 * computed with '0' in the place of those digits, so reading finds every flipped bit. Files of
 * other programs have neither key and are read without this check. A program that changes a file
 * must remove both keys.
 */
#ifndef DV_MODEL_SAFETENSORS_H
#define DV_MODEL_SAFETENSORS_H

#include "engine/base/status.h"

enum { DV_SAFETENSORS_MAX_RANK = 4 };

typedef enum dv_safetensors_dtype {
    DV_SAFETENSORS_F32,
    DV_SAFETENSORS_F64,
    DV_SAFETENSORS_I64,
    DV_SAFETENSORS_U8,
    DV_SAFETENSORS_F16, /* IEEE binary16: DV_F16 */
} dv_safetensors_dtype;

typedef struct dv_safetensors_entry {
    const char *name;
    dv_safetensors_dtype dtype;
    int rank; /* 0 for a scalar */
    int64_t dim[DV_SAFETENSORS_MAX_RANK];
    const void *data; /* row-major; reading aligns it for its type */
} dv_safetensors_entry;

typedef struct dv_safetensors_pair {
    const char *key;
    const char *value; /* UTF-8 of any length */
} dv_safetensors_pair;

typedef struct dv_safetensors dv_safetensors;

/* Bytes of the entry's data. The entry must come from a file or have been written to one. */
size_t dv_safetensors_bytes(const dv_safetensors_entry *entry);

/*
 * Replaces the file `path` whole or not at all (see atomic_file.h). The data start at a multiple of
 * 64 bytes and keep the given order. Each tensor is aligned in the file if wide types come first.
 * DV_EARG for a bad shape and for a name or key that is given twice, is reserved, is not UTF-8 or
 * has a control character. DV_EIO if the file cannot be written.
 */
DV_MUST_CHECK dv_status dv_safetensors_write(const char *path, const dv_safetensors_pair *metadata,
                                             size_t metadata_count,
                                             const dv_safetensors_entry *entries, size_t count);

/*
 * Reads the whole file. Nothing in it is trusted, and no allocation is larger than the file
 * warrants. DV_EIO if it cannot be read, DV_EFORMAT for any fault in it; both name the path. The
 * caller owns *out, which is NULL on failure. The data are mapped, so copy them and free the file
 * soon: if somebody shortens the file in place meanwhile, the process is killed (SIGBUS). If it is
 * replaced by rename, as by dv_safetensors_write, the data stay as they were.
 */
DV_MUST_CHECK dv_status dv_safetensors_read(const char *path, dv_safetensors **out);

/* Reads the bytes (size) of a file, and copies them. `name` is for messages. */
DV_MUST_CHECK dv_status dv_safetensors_read_memory(const void *bytes, size_t size, const char *name,
                                                   dv_safetensors **out);

/* The whole file as it was read: `size` bytes, owned by `file`. */
const void *dv_safetensors_content(const dv_safetensors *file, size_t *size);

/* Frees the file with all its entries, names and metadata. Does nothing for NULL. */
void dv_safetensors_free(dv_safetensors *file);

/* The entries, in the order of their data in the file; owned by `file`. */
size_t dv_safetensors_count(const dv_safetensors *file);
const dv_safetensors_entry *dv_safetensors_at(const dv_safetensors *file, size_t index);

/* The entry of this name, or NULL. */
const dv_safetensors_entry *dv_safetensors_find(const dv_safetensors *file, const char *name);

/* Lets the data of an entry of a large file leave memory. They may still be read again. */
void dv_safetensors_forget(const dv_safetensors *file, const dv_safetensors_entry *entry);

/* The metadata value of this key, or NULL; owned by `file`. */
const char *dv_safetensors_metadata(const dv_safetensors *file, const char *key);

#endif
