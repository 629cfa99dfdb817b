/* SHA-256 in plain C. The numbers in the comments are sections of FIPS 180-4. */
#include "engine/base/sha256.h"
#include "engine/base/input_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 64 };

typedef struct sha256 {
    uint32_t state[8];
    unsigned char block[BLOCK]; /* the unfinished block */
    size_t filled;              /* bytes in it */
    uint64_t size;              /* bytes of all blocks */
} sha256;

/* 4.2.2: the fractions of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

/* 6.2.2, step 1: the message schedule. */
static void schedule(const unsigned char *block, uint32_t words[64])
{
    for (int t = 0; t < 16; t++) {
        const unsigned char *b = block + 4 * t;
        words[t] =
            (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
    }
    for (int t = 16; t < 64; t++) {
        uint32_t before = words[t - 15], last = words[t - 2];
        words[t] = (turn(last, 17) ^ turn(last, 19) ^ last >> 10) + words[t - 7] +
                   (turn(before, 7) ^ turn(before, 18) ^ before >> 3) + words[t - 16];
    }
}

/* 6.2.2, step 3, for one round. It changes d and h; the caller rotates the words by passing them in
   another order. `add` is the sum of the round's constant and its word of the schedule. */
static inline void take_round(uint32_t a, uint32_t b, uint32_t c, uint32_t *d, uint32_t e,
                              uint32_t f, uint32_t g, uint32_t *h, uint32_t add)
{
    uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
    uint32_t first = *h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + add;
    *d += first;
    *h = first + (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority;
}

/* 6.2.2, steps 2 to 4. After eight rounds the words are in their own places again. */
static void take_block(sha256 *hash, const unsigned char *block)
{
    uint32_t w[64], *s = hash->state;
    uint32_t a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    schedule(block, w);
    for (int t = 0; t < 64; t++)
        w[t] += constants[t];
    for (int t = 0; t < 64; t += 8) {
        take_round(a, b, c, &d, e, f, g, &h, w[t]);
        take_round(h, a, b, &c, d, e, f, &g, w[t + 1]);
        take_round(g, h, a, &b, c, d, e, &f, w[t + 2]);
        take_round(f, g, h, &a, b, c, d, &e, w[t + 3]);
        take_round(e, f, g, &h, a, b, c, &d, w[t + 4]);
        take_round(d, e, f, &g, h, a, b, &c, w[t + 5]);
        take_round(c, d, e, &f, g, h, a, &b, w[t + 6]);
        take_round(b, c, d, &e, f, g, h, &a, w[t + 7]);
    }
    s[0] += a, s[1] += b, s[2] += c, s[3] += d, s[4] += e, s[5] += f, s[6] += g, s[7] += h;
}

static sha256 begin(void)
{
    return (sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                              0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

static void take(sha256 *hash, const unsigned char *bytes, size_t size)
{
    hash->size += size;
    for (; hash->filled == 0 && size >= BLOCK; bytes += BLOCK, size -= BLOCK)
        take_block(hash, bytes);
    while (size > 0) {
        size_t room = BLOCK - hash->filled, part = size < room ? size : room;
        memcpy(hash->block + hash->filled, bytes, part);
        hash->filled += part;
        bytes += part;
        size -= part;
        if (hash->filled == BLOCK) {
            take_block(hash, hash->block);
            hash->filled = 0;
        }
    }
}

/* 5.1.1: appends a one, zeros, and the length in bits. */
static void end(sha256 *hash, char digest[DV_SHA256_SIZE])
{
    static const unsigned char padding[BLOCK] = {0x80};
    unsigned char length[8];
    uint64_t bits = 8 * hash->size;
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    take(hash, padding, hash->filled < 56 ? 56 - hash->filled : 120 - hash->filled);
    take(hash, length, sizeof length);
    for (int i = 0; i < 8; i++)
        snprintf(digest + 8 * i, 9, "%08x", (unsigned)hash->state[i]);
}

void dv_sha256_bytes(const void *bytes, size_t size, char digest[DV_SHA256_SIZE])
{
    sha256 hash = begin();
    take(&hash, bytes, size);
    end(&hash, digest);
}

dv_status dv_sha256_file(const char *path, char digest[DV_SHA256_SIZE])
{
    unsigned char bytes[16384];
    size_t count;
    FILE *file;
    sha256 hash = begin();
    DV_TRY(dv_input_open(path, &file));
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
        take(&hash, bytes, count);
    bool good = ferror(file) == 0;
    int error = errno;
    fclose(file);
    if (!good)
        return DV_FAIL(DV_EIO, "cannot read %s: %s", path, strerror(error));
    end(&hash, digest);
    return DV_OK;
}
