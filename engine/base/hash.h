/* A hash of texts: for keys of random numbers and marks of data, not against forgery (sha256.h). */
#ifndef DV_BASE_HASH_H
#define DV_BASE_HASH_H

#include <stdint.h>

/* FNV-1a, 64 bits (Fowler, Noll and Vo), of `text` behind what `value` is the hash of;
   DV_HASH_EMPTY: of nothing. */
#define DV_HASH_EMPTY 0xCBF29CE484222325U
uint64_t dv_hash(uint64_t value, const char *text);

#endif
