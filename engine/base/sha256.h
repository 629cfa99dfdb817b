/* SHA-256 (FIPS 180-4), which identifies the files and programs that figures belong to. */
#ifndef DV_BASE_SHA256_H
#define DV_BASE_SHA256_H

#include "engine/base/status.h"

enum { DV_SHA256_SIZE = 65 }; /* 64 hexadecimal digits and a NUL */

void dv_sha256_bytes(const void *bytes, size_t size, char digest[DV_SHA256_SIZE]);

/* The digest of a file's content. Fails with DV_EIO. */
dv_status dv_sha256_file(const char *path, char digest[DV_SHA256_SIZE]);

#endif
