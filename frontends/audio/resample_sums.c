/*
 * The hot loops. The order of each sum depends only on the filter: sample by sample, or in WIDTH
 * lanes that are then added up. Each product and each sum is rounded (-ffp-contract=off). So the
 * result does not depend, to the bit, on the start of a loop, the number of sums side by side, or
 * the instruction set.
 */
#include "engine/base/clones.h"
#include "frontends/audio/resample_internal.h"

#include <string.h>

enum { WIDTH = DV__SIDE_BY_SIDE };

typedef float vector __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4), may_alias));

/* The vector at p. */
#define AT(p) (*(const vector *)(p))

/*
 * Computes the sums of `blocks` vectors. Vectors that lie WIDTH apart need the same samples at
 * distances that differ by WIDTH. So the distances are taken in steps of WIDTH, and each sample is
 * loaded once for all vectors.
 */
static inline __attribute__((always_inline)) void
half_band_block(const float *coefs, const float *middle, const int blocks, float *to)
{
    enum { STEPS = DV__HALF_BAND_REACH / WIDTH };
    vector sums[4] = {{0}, {0}, {0}, {0}};
    for (int first = 0; first < WIDTH; first++, coefs += STEPS) {
        vector above[4 + STEPS - 1], below[4 + STEPS - 1];
#pragma GCC unroll 8
        for (int i = 0; i < blocks + STEPS - 1; i++) {
            above[i] = AT(middle + first + i * WIDTH);
            below[i] = AT(middle - 1 - first + (i - STEPS + 1) * WIDTH);
        }
#pragma GCC unroll 5
        for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 4
            for (int block = 0; block < blocks; block++)
                sums[block] +=
                    coefs[step] * (above[block + step] + below[block + STEPS - 1 - step]);
    }
    for (int block = 0; block < blocks; block++)
        memcpy(to + block * WIDTH, &sums[block], sizeof(vector));
}

DV__CLONES
static void half_band_in_registers(const float *coefs, const float *middle, int64_t count,
                                   float *sums)
{
    int64_t i = 0;
    for (; i + 4 * WIDTH <= count; i += 4 * WIDTH)
        half_band_block(coefs, middle + i, 4, sums + i);
    for (; i < count; i += WIDTH)
        half_band_block(coefs, middle + i, 1, sums + i);
}

enum { NARROW = WIDTH / 2 };
typedef float narrow_vector
    __attribute__((vector_size(NARROW * sizeof(float)), aligned(4), may_alias));

/* The same sums in the same order, but each sample is loaded where it is needed. With 16 registers
   of 8 floats this is three times as fast. */
DV__CLONES
static void half_band_from_cache(const float *coefs, const float *middle, int64_t count,
                                 float *sums)
{
    enum { STEPS = DV__HALF_BAND_REACH / WIDTH, BLOCKS = 4 };
    for (int64_t i = 0; i < count; i += BLOCKS * NARROW) {
        narrow_vector block[BLOCKS] = {{0}, {0}, {0}, {0}};
        const int blocks = count - i > (BLOCKS - 2) * NARROW ? BLOCKS : BLOCKS - 2;
        for (int k = 0; k < DV__HALF_BAND_REACH; k++) {
            const float *above = middle + i + k / STEPS + k % STEPS * WIDTH;
            const float *below = middle + i - 1 - k / STEPS - k % STEPS * WIDTH;
#pragma GCC unroll 4
            for (int b = 0; b < BLOCKS; b++)
                if (b < blocks)
                    block[b] += coefs[k] * (*(const narrow_vector *)(above + b * NARROW) +
                                            *(const narrow_vector *)(below + b * NARROW));
        }
        memcpy(sums + i, block, (size_t)blocks * sizeof *block);
    }
}

void dv__half_band_sums(const float *coefs, const float *middle, int64_t count, float *sums)
{
    if (dv__has_many_registers())
        half_band_in_registers(coefs, middle, count, sums);
    else
        half_band_from_cache(coefs, middle, count, sums);
}

DV__CLONES
void dv__half_band_means(const float *restrict samples, const float *restrict sums, int64_t count,
                         float *restrict to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = 0.5F * (samples[2 * i] + sums[i]);
}

DV__CLONES
void dv__interleave(const float *restrict samples, const float *restrict sums, int64_t count,
                    float *restrict to)
{
    for (int64_t i = 0; i < count; i++) {
        to[2 * i] = samples[i];
        to[2 * i + 1] = sums[i];
    }
}

/* The usual steps are constants, so that the compiler makes vector code for them. */
DV__CLONES
void dv__take_every(int64_t step, const float *restrict samples, int64_t count, float *restrict to)
{
#define TAKE(known)                                                                                \
    for (int64_t i = 0; i < count; i++)                                                            \
    to[i] = samples[i * (known)]
    switch (step) {
    case 2:
        TAKE(2);
        break;
    case 3:
        TAKE(3);
        break;
    default:
        TAKE(step);
    }
#undef TAKE
}

static void scatter(const float *sums, int64_t count, int64_t stride, float *to)
{
    if (stride == 1) {
        memcpy(to, sums, (size_t)count * sizeof *to);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        to[i * stride] = sums[i];
}

/* Computes the sums of `blocks` vectors and stores the first `count` of them. It goes from part to
   part as the samples do. */
static inline __attribute__((always_inline)) void
phase_block(const float *coefs, int64_t taps, const dv__parts *samples, int64_t first, int64_t i,
            const int blocks, int64_t count, int64_t stride, float *to)
{
    const float *from =
        samples->at + first % samples->parts * samples->pitch + first / samples->parts + i;
    int64_t left = samples->parts - first % samples->parts; /* parts up to the last one */
    vector sums[4] = {{0}, {0}, {0}, {0}};
    for (int64_t k = 0; k < taps; k++) {
        if (coefs[k] != 0) {
#pragma GCC unroll 4
            for (int block = 0; block < blocks; block++)
                sums[block] += coefs[k] * AT(from + block * WIDTH);
        }
        from += samples->pitch;
        if (--left == 0) {
            from += 1 - samples->parts * samples->pitch;
            left = samples->parts;
        }
    }
    scatter((const float *)sums, count, stride, to + i * stride);
}

DV__CLONES
void dv__phase_sums(const float *coefs, int64_t taps, const dv__parts *samples, int64_t first,
                    int64_t count, int64_t stride, float *to)
{
    int64_t i = 0;
    for (; i + 4 * WIDTH <= count; i += 4 * WIDTH)
        phase_block(coefs, taps, samples, first, i, 4, 4 * WIDTH, stride, to);
    for (; i < count; i += WIDTH)
        phase_block(coefs, taps, samples, first, i, 1, count - i < WIDTH ? count - i : WIDTH,
                    stride, to);
}

/* The sum of the lanes, halved step by step. */
static inline __attribute__((always_inline)) float sum_of(const vector *lanes)
{
    vector v = *lanes;
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    return v[0] + v[1];
}

/* Here the products of one sum are computed side by side, in lanes that do not depend on the
   machine. */
DV__CLONES
void dv__row_sums(const dv__polyphase *filter, const float *samples, int64_t phase, int64_t count,
                  float *to)
{
    const int64_t taps = filter->taps, whole = filter->down / filter->up;
    const int64_t rest = filter->down % filter->up;
    for (int64_t i = 0; i < count; i++) {
        const float *row = filter->coefs + phase * taps;
        vector sums = {0};
        for (int64_t k = 0; k < taps; k += WIDTH)
            sums += AT(samples + k) * AT(row + k);
        to[i] = sum_of(&sums);
        phase += rest;
        samples += whole;
        if (phase >= filter->up) {
            phase -= filter->up;
            samples++;
        }
    }
}

/* dv__row_sums with coefficients that are interpolated between a row and the next. */
DV__CLONES
void dv__interpolated_sums(const dv__polyphase *filter, const float *samples, int64_t phase,
                           int64_t count, float *to)
{
    const int64_t taps = filter->taps, whole = filter->down / filter->up;
    const int64_t rest = filter->down % filter->up;
    for (int64_t i = 0; i < count; i++) {
        const float *row = filter->coefs + phase * filter->steps / filter->up * taps;
        const float part = (float)(phase * filter->steps % filter->up) / (float)filter->up;
        vector sums = {0};
        for (int64_t k = 0; k < taps; k += WIDTH)
            sums += AT(samples + k) * (AT(row + k) + part * (AT(row + taps + k) - AT(row + k)));
        to[i] = sum_of(&sums);
        phase += rest;
        samples += whole;
        if (phase >= filter->up) {
            phase -= filter->up;
            samples++;
        }
    }
}
