/*
 * Fourier transforms of DV__LANES frames side by side: Stockham's self-sorting form, radix 4 with
 * one radix-2 pass where the size asks for it (Van Loan, "Computational Frameworks for the Fast
 * Fourier Transform", 1992, sections 1.7 and 2.4). The frame is the innermost index, so every
 * loop runs over contiguous floats and needs no shuffle.
 *
 * Each frame is one real transform of its own. Two frames in one complex transform would cost the
 * same, but rounding would leak a loud frame into its silent neighbour.
 */
#include "frontends/features/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One radix-4 pass: `length` points are still to be transformed, in `stride` interleaved runs. */
typedef struct pass {
    int64_t length, stride;
    const float *twiddles; /* (length / 4, 3, 2) */
} pass;

static float *store_factor(float *to, int64_t numerator, int64_t denominator)
{
    double phase = -2.0 * acos(-1.0) * (double)numerator / (double)denominator;
    to[0] = (float)cos(phase);
    to[1] = (float)sin(phase);
    return to + 2;
}

dv_status dv__fft_create(int64_t size, dv__fft *fft)
{
    dv_status status = DV_OK;
    memset(fft, 0, sizeof *fft);
    fft->size = size;
    /* 6 floats for size / 8 indices in the first pass, a quarter of that in each next. */
    DV_TRY_GOTO(dv__calloc((size_t)size, sizeof(float), &fft->twiddles));
    DV_TRY_GOTO(dv__calloc((size_t)(size / 4 + 1) * 2, sizeof(float), &fft->unpack));
    float *to = fft->twiddles;
    for (int64_t length = size / 2; length >= 4; length /= 4)
        for (int64_t p = 0; p < length / 4; p++)
            for (int64_t k = 1; k <= 3; k++)
                to = store_factor(to, k * p, length);
    to = fft->unpack;
    for (int64_t k = 0; k <= size / 4; k++)
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

int64_t dv__fft_buffer(const dv__fft *fft)
{
    return fft->size * DV__LANES;
}

/* in, out: (points, lanes) real parts, and the same of imaginary parts `half` floats further. */
DV__CLONES
static void radix4(const pass *stage, int64_t half, const float *restrict in, float *restrict out)
{
    int64_t run = stage->stride * DV__LANES;
    int64_t quarter = stage->length / 4 * run;
    for (int64_t p = 0; p < stage->length / 4; p++) {
        const float *w = stage->twiddles + 6 * p;
        const float w1r = w[0], w1i = w[1], w2r = w[2], w2i = w[3], w3r = w[4], w3i = w[5];
        const float *restrict re = in + p * run;
        const float *restrict im = re + half;
        float *restrict to_re = out + 4 * p * run;
        float *restrict to_im = to_re + half;
#pragma omp simd
        for (int64_t i = 0; i < run; i++) {
            float ar = re[i], ai = im[i];
            float br = re[i + quarter], bi = im[i + quarter];
            float cr = re[i + 2 * quarter], ci = im[i + 2 * quarter];
            float dr = re[i + 3 * quarter], di = im[i + 3 * quarter];
            float sum_r = ar + cr, sum_i = ai + ci, difference_r = ar - cr, difference_i = ai - ci;
            float other_r = br + dr, other_i = bi + di, turned_r = bi - di, turned_i = dr - br;
            to_re[i] = sum_r + other_r;
            to_im[i] = sum_i + other_i;
            float y1r = difference_r + turned_r, y1i = difference_i + turned_i;
            to_re[i + run] = y1r * w1r - y1i * w1i;
            to_im[i + run] = y1r * w1i + y1i * w1r;
            float y2r = sum_r - other_r, y2i = sum_i - other_i;
            to_re[i + 2 * run] = y2r * w2r - y2i * w2i;
            to_im[i + 2 * run] = y2r * w2i + y2i * w2r;
            float y3r = difference_r - turned_r, y3i = difference_i - turned_i;
            to_re[i + 3 * run] = y3r * w3r - y3i * w3i;
            to_im[i + 3 * run] = y3r * w3i + y3i * w3r;
        }
    }
}

/* The last pass of sizes that are no power of four: its factors are 1. In place. */
DV__CLONES
static void radix2(int64_t half, float *buffer)
{
    int64_t run = half / 2;
    for (int part = 0; part < 2; part++) {
        float *restrict low = buffer + part * half;
        float *restrict high = low + run;
#pragma omp simd
        for (int64_t i = 0; i < run; i++) {
            float a = low[i], b = high[i];
            low[i] = a + b;
            high[i] = a - b;
        }
    }
}

/*
 * From the transform Z of (even + i odd) to the power of X[k] = E + W^k O and X[n - k] = conj(E -
 * W^k O), n = size / 2, with E = (Z[k] + conj Z[n - k]) / 2 and O = (Z[k] - conj Z[n - k]) / 2i.
 */
DV__CLONES
static void unpack_power(const dv__fft *fft, const float *restrict z, float *restrict power)
{
    int64_t points = fft->size / 2;
    int64_t half = points * DV__LANES;
    for (int64_t k = 0; k <= points / 2; k++) {
        const float *restrict near = z + k * DV__LANES;
        const float *restrict far = z + (points - k) % points * DV__LANES;
        const float wr = fft->unpack[2 * k], wi = fft->unpack[2 * k + 1];
        float low[DV__LANES], high[DV__LANES];
#pragma omp simd
        for (int lane = 0; lane < DV__LANES; lane++) {
            float er = 0.5F * (near[lane] + far[lane]);
            float ei = 0.5F * (near[lane + half] - far[lane + half]);
            float or = 0.5F * (near[lane + half] + far[lane + half]);
            float oi = 0.5F * (far[lane] - near[lane]);
            float tr = wr * or -wi * oi;
            float ti = wr * oi + wi * or ;
            low[lane] = (er + tr) * (er + tr) + (ei + ti) * (ei + ti);
            high[lane] = (er - tr) * (er - tr) + (ei - ti) * (ei - ti);
        }
        memcpy(power + (points - k) * DV__LANES, high, sizeof high);
        memcpy(power + k * DV__LANES, low, sizeof low);
    }
}

const float *dv__fft_power(const dv__fft *fft, float *input, float *other)
{
    int64_t points = fft->size / 2;
    int64_t half = points * DV__LANES;
    pass stage = {points, 1, fft->twiddles};
    float *from = input;
    float *to = other;
    while (stage.length >= 4) {
        radix4(&stage, half, from, to);
        float *result = to;
        to = from;
        from = result;
        stage.twiddles += 6 * (stage.length / 4);
        stage.length /= 4;
        stage.stride *= 4;
    }
    if (stage.length == 2)
        radix2(half, from);
    unpack_power(fft, from, to);
    return to;
}
