/* A hash of texts, for keys of random numbers and marks of data. It does not protect against
   forgery; sha256.h does. */
#ifndef DV_BASE_HASH_H
#define DV_BASE_HASH_H

#include <stdint.h>

/* Continues the 64-bit FNV-1a hash `value` (Fowler, Noll and Vo) with `text`. DV_HASH_EMPTY is the
   hash of an empty text. */
#define DV_HASH_EMPTY 0xCBF29CE484222325U
uint64_t dv_hash(uint64_t value, const char *text);

#endif
