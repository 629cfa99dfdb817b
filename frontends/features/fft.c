/*
 * Fourier transforms of DV__LANES frames side by side. The frame is the innermost index, so every
 * loop runs over contiguous floats and needs no shuffle.
 *
 * A first pass of radix 8 goes from the samples to eight transforms of an eighth of the size. Each
 * of these is small enough to be finished in the first-level cache, in Stockham's self-sorting form
 * (Van Loan, "Computational Frameworks for the Fast Fourier Transform", 1992, sections 1.7 and
 * 2.4), in passes of radix 8 and a last one of 8, 4 or 2. The powers come from pairs of the eight:
 * point k belongs to transform k % 8 and needs point size / 2 - k.
 *
 * Each frame is one real transform of its own. Two frames in one complex transform would cost the
 * same, but rounding would leak a loud frame into its silent neighbour.
 */
#include "frontends/features/features_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* POINT is the size of a complex number in DV__LANES transforms: real parts, then imaginary
   parts. */
enum { POINT = 2 * DV__LANES, RADIX = 8, FACTORS = 2 * (RADIX - 1) };

/* The number in one lane. */
typedef struct complex_number {
    float r, i;
} complex_number;

typedef struct octet {
    complex_number a, b, c, d, e, f, g, h;
} octet;

/* One pass, over `stride` interleaved runs of `length` points. */
typedef struct pass {
    int64_t length, stride;
    const float *twiddles; /* (length / 8, 7, 2) */
} pass;

/* ---- Tables ---- */

static float *store_factor(float *to, int64_t numerator, int64_t denominator)
{
    double phase = -2.0 * acos(-1.0) * (double)numerator / (double)denominator;
    to[0] = (float)cos(phase);
    to[1] = (float)sin(phase);
    return to + 2;
}

/* The factors are computed in double and rounded once. */
dv_status dv__fft_create(int64_t size, dv__fft *fft)
{
    dv_status status = DV_OK;
    int64_t points = size / 2;
    memset(fft, 0, sizeof *fft);
    fft->size = size;
    /* The first pass has FACTORS for size / 16 indices, each next pass an eighth of that. */
    DV_TRY_GOTO(dv_calloc((size_t)size, sizeof(float), &fft->twiddles));
    DV_TRY_GOTO(dv_calloc((size_t)points * 2, sizeof(float), &fft->unpack));
    float *to = fft->twiddles;
    for (int64_t length = points; length >= RADIX; length /= RADIX)
        for (int64_t p = 0; p < length / RADIX; p++)
            for (int64_t k = 1; k < RADIX; k++)
                to = store_factor(to, k * p, length);
    to = fft->unpack;
    for (int64_t k = 0; k < points; k++)
        to = store_factor(to, k, size);
    return DV_OK;
fail:
    dv__fft_free(fft);
    return status;
}

void dv__fft_free(dv__fft *fft)
{
    free(fft->twiddles);
    free(fft->unpack);
    memset(fft, 0, sizeof *fft);
}

/* Floats from one of the eight transforms to the next. There is one point more than needed, so that
   the same point of all eight is not in the same set of the cache. */
static int64_t part_size(const dv__fft *fft)
{
    return (fft->size / 2 / RADIX + 1) * POINT;
}

int64_t dv__fft_work(const dv__fft *fft)
{
    return (RADIX + 2) * part_size(fft); /* two parts of work space */
}

/* ---- Butterflies ---- */

static inline complex_number plus(complex_number a, complex_number b)
{
    return (complex_number){a.r + b.r, a.i + b.i};
}

static inline complex_number minus(complex_number a, complex_number b)
{
    return (complex_number){a.r - b.r, a.i - b.i};
}

/* -i a */
static inline complex_number turned(complex_number a)
{
    return (complex_number){a.i, -a.r};
}

/* exp(-i pi / 4) a */
static inline complex_number half_turned(complex_number a)
{
    const float root = 0.707106781186547524F;
    return (complex_number){root * (a.r + a.i), root * (a.i - a.r)};
}

static inline complex_number times(complex_number a, const float *w)
{
    return (complex_number){a.r * w[0] - a.i * w[1], a.r * w[1] + a.i * w[0]};
}

/* The transform of four numbers, in a, b, c, d. */
static inline octet transformed4(complex_number a, complex_number b, complex_number c,
                                 complex_number d)
{
    complex_number sum = plus(a, c), difference = minus(a, c);
    complex_number other = plus(b, d), side = turned(minus(b, d));
    return (octet){.a = plus(sum, other),
                   .b = plus(difference, side),
                   .c = minus(sum, other),
                   .d = minus(difference, side)};
}

static inline octet transformed8(octet x)
{
    octet even = transformed4(plus(x.a, x.e), plus(x.b, x.f), plus(x.c, x.g), plus(x.d, x.h));
    octet odd = transformed4(minus(x.a, x.e), half_turned(minus(x.b, x.f)), turned(minus(x.c, x.g)),
                             turned(half_turned(minus(x.d, x.h))));
    return (octet){even.a, odd.a, even.b, odd.b, even.c, odd.c, even.d, odd.d};
}

/* Multiplies by w (7, 2), the factors of all numbers but the first. */
static inline octet twiddled(octet y, const float *w)
{
    return (octet){y.a,
                   times(y.b, w),
                   times(y.c, w + 2),
                   times(y.d, w + 4),
                   times(y.e, w + 6),
                   times(y.f, w + 8),
                   times(y.g, w + 10),
                   times(y.h, w + 12)};
}

static inline complex_number load(const float *from)
{
    return (complex_number){from[0], from[DV__LANES]};
}

static inline void store(float *to, complex_number value)
{
    to[0] = value.r;
    to[DV__LANES] = value.i;
}

static inline octet load8(const float *from, int64_t step)
{
    return (octet){load(from),
                   load(from + step),
                   load(from + 2 * step),
                   load(from + 3 * step),
                   load(from + 4 * step),
                   load(from + 5 * step),
                   load(from + 6 * step),
                   load(from + 7 * step)};
}

static inline void store8(float *to, int64_t step, octet y)
{
    store(to, y.a);
    store(to + step, y.b);
    store(to + 2 * step, y.c);
    store(to + 3 * step, y.d);
    store(to + 4 * step, y.e);
    store(to + 5 * step, y.f);
    store(to + 6 * step, y.g);
    store(to + 7 * step, y.h);
}

/* ---- Passes ---- */

/* The windowed samples 2 `point` and 2 `point` + 1 as one complex number. */
static inline complex_number sample(const dv__frames *frames, int64_t point, int lane)
{
    const int32_t *offsets = frames->offsets + 2 * point;
    const float *weights = frames->weights + 2 * point;
    return (complex_number){frames->samples[offsets[0] + lane] * weights[0],
                            frames->samples[offsets[1] + lane] * weights[1]};
}

/* out (8 parts, points / 8, POINT) */
DV__CLONES
static void first_pass(const dv__fft *fft, const dv__frames *frames, float *restrict out)
{
    const int64_t n = fft->size / 2 / RADIX;
    const int64_t step = part_size(fft);
    for (int64_t p = 0; p < n; p++) {
        const float *w = fft->twiddles + FACTORS * p;
        float *restrict to = out + p * POINT;
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            octet x = {sample(frames, p, lane),         sample(frames, p + n, lane),
                       sample(frames, p + 2 * n, lane), sample(frames, p + 3 * n, lane),
                       sample(frames, p + 4 * n, lane), sample(frames, p + 5 * n, lane),
                       sample(frames, p + 6 * n, lane), sample(frames, p + 7 * n, lane)};
            store8(to + lane, step, twiddled(transformed8(x), w));
        }
    }
}

DV__CLONES
static void middle_pass(const pass *stage, const float *restrict in, float *restrict out)
{
    const int64_t n = stage->length / RADIX;
    const int64_t stride = stage->stride;
    for (int64_t p = 0; p < n; p++) {
        const float *w = stage->twiddles + FACTORS * p;
        for (int64_t q = 0; q < stride; q++) {
            const float *restrict from = in + (q + stride * p) * POINT;
            float *restrict to = out + (q + stride * RADIX * p) * POINT;
#pragma omp simd
            for (int lane = 0; lane < DV__LANES; lane++) {
                octet x = load8(from + lane, stride * n * POINT);
                store8(to + lane, stride * POINT, twiddled(transformed8(x), w));
            }
        }
    }
}

/* The last pass is in place and needs no factors. */
DV__CLONES
static void last_pass8(int64_t stride, float *buffer)
{
    for (int64_t q = 0; q < stride; q++) {
        float *at = buffer + q * POINT;
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            octet x = load8(at + lane, stride * POINT);
            store8(at + lane, stride * POINT, transformed8(x));
        }
    }
}

DV__CLONES
static void last_pass4(int64_t stride, float *buffer)
{
    const int64_t step = stride * POINT;
    for (int64_t q = 0; q < stride; q++) {
        float *at = buffer + q * POINT;
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            octet y = transformed4(load(at + lane), load(at + lane + step),
                                   load(at + lane + 2 * step), load(at + lane + 3 * step));
            store(at + lane, y.a);
            store(at + lane + step, y.b);
            store(at + lane + 2 * step, y.c);
            store(at + lane + 3 * step, y.d);
        }
    }
}

DV__CLONES
static void last_pass2(int64_t stride, float *buffer)
{
    for (int64_t i = 0; i < stride; i++) {
        float *low = buffer + i * POINT, *high = low + stride * POINT;
#pragma omp simd
        for (int lane = 0; lane < POINT; lane++) {
            float a = low[lane], b = high[lane];
            low[lane] = a + b;
            high[lane] = a - b;
        }
    }
}

/* Finishes the transform in `part`, one of the eight. The result is there or in `other`. */
static const float *transform_part(const dv__fft *fft, float *part, float *other)
{
    pass stage = {fft->size / 2 / RADIX, 1, fft->twiddles + FACTORS * (fft->size / 2 / RADIX)};
    while (stage.length > RADIX) {
        middle_pass(&stage, part, other);
        float *result = other;
        other = part;
        part = result;
        stage.twiddles += FACTORS * (stage.length / RADIX);
        stage.length /= RADIX;
        stage.stride *= RADIX;
    }
    if (stage.length == 8)
        last_pass8(stage.stride, part);
    else if (stage.length == 4)
        last_pass4(stage.stride, part);
    else if (stage.length == 2)
        last_pass2(stage.stride, part);
    return part;
}

/* ---- Powers ---- */

/* The points k = first, first + 8, ... and their partners size / 2 - k. */
typedef struct partners {
    const float *near, *far; /* `far` is the partner of the first point and goes down */
    int64_t first, count;
} partners;

/*
 * Computes the power of X[k] = E + W^k O and X[n - k] = conj(E - W^k O), n = size / 2, from the
 * transform Z of (even + i odd) / 2, with E = Z[k] + conj Z[n - k] and
 * O = (Z[k] - conj Z[n - k]) / i.
 */
DV__CLONES
static void unpack(const dv__fft *fft, const partners *pair, float *restrict power)
{
    const int64_t points = fft->size / 2;
    for (int64_t q = 0; q < pair->count; q++) {
        const int64_t k = pair->first + RADIX * q;
        const float *restrict near = pair->near + q * POINT;
        const float *restrict far = pair->far - q * POINT;
        const float wr = fft->unpack[2 * k], wi = fft->unpack[2 * k + 1];
        float *low = power + k * DV__LANES; /* at the middle point low and high are the same */
        float *high = power + (points - k) * DV__LANES;
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            float er = near[lane] + far[lane];
            float ei = near[lane + DV__LANES] - far[lane + DV__LANES];
            float or = near[lane + DV__LANES] + far[lane + DV__LANES];
            float oi = far[lane] - near[lane];
            float tr = wr * or -wi * oi;
            float ti = wr * oi + wi * or ;
            high[lane] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
            low[lane] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
        }
    }
}

void dv__fft_power(const dv__fft *fft, const dv__frames *frames, float *work, float *power)
{
    const int64_t count = fft->size / 2 / RADIX; /* points of a part */
    const int64_t size = part_size(fft);
    float *space = work + RADIX * size, *more_space = space + size;
    first_pass(fft, frames, work);
    /* Part 0 is its own partner, and in it point 0 is the partner of itself. */
    const float *part = transform_part(fft, work, space);
    unpack(fft, &(partners){part, part, 0, 1}, power);
    unpack(fft, &(partners){part + POINT, part + (count - 1) * POINT, RADIX, count / 2}, power);
    for (int64_t r = 1; r < RADIX / 2; r++) {
        const float *near = transform_part(fft, work + r * size, space);
        const float *far = transform_part(fft, work + (RADIX - r) * size, more_space);
        unpack(fft, &(partners){near, far + (count - 1) * POINT, r, count}, power);
    }
    part = transform_part(fft, work + RADIX / 2 * size, space);
    unpack(fft, &(partners){part, part + (count - 1) * POINT, RADIX / 2, (count + 1) / 2}, power);
}
