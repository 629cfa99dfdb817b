/* Windowed sincs with the window and the formulas of J. F. Kaiser, "Nonrecursive digital filter
   design using the I0-sinh window function", Proc. IEEE ISCAS, 1974. */
#include "engine/base/clones.h"
#include "frontends/audio/resample_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TERMS = 24,         /* terms of the series of I0, exact for a float up to an argument of 12 */
    MOST_PHASES = 1024, /* the most phases of a filter that has a row for each phase */
    GRID_STEPS = 1024   /* rows to interpolate between, for one sample of twice the lower rate; the
                           error is 130 dB down */
};

/* Attenuation of the stop bands, dB. The polyphase filter has a little to spare, because the
   remainders of both filters add up. */
static const double sharp_attenuation = 99, coarse_attenuation = 106;
static const double pi = 3.14159265358979323846;

/* The width of the window, in samples, for a transition of so many cycles per sample. */
static double window_width(double attenuation, double transition)
{
    return (attenuation - 7.95) / (2.285 * 2 * pi * transition);
}

/* Multiplies values[i] by the window at places[i], up to a constant factor. Places are in units of
   half the window's width; beyond -1 to 1 the window is 0. Its I0(x) is the sum over k of
   (x^2 / 4)^k / k!^2, computed in Horner's form for all places at once. `places` is overwritten. */
DV__CLONES
static void apply_window(double attenuation, int64_t count, double *restrict places,
                         double *restrict windows, double *restrict values)
{
    const double beta = 0.1102 * (attenuation - 8.7);
    for (int64_t i = 0; i < count; i++) {
        places[i] = beta * beta / 4 * (1 - places[i] * places[i]);
        windows[i] = 1;
    }
    for (int k = TERMS; k > 0; k--) {
        const double factor = 1 / ((double)k * k);
        for (int64_t i = 0; i < count; i++)
            windows[i] = 1 + windows[i] * places[i] * factor;
    }
    for (int64_t i = 0; i < count; i++)
        values[i] *= places[i] >= 0 ? windows[i] : 0;
}

void dv__half_band_design(float *coefs)
{
    enum { REACH = DV__HALF_BAND_REACH, STEPS = REACH / DV__SIDE_BY_SIDE };
    double values[REACH], places[REACH], windows[REACH], sum = 0;
    for (int j = 0; j < REACH; j++) {
        double distance = j + 0.5; /* in samples of the lower rate */
        places[j] = distance / REACH;
        values[j] = (j % 2 == 0 ? 1 : -1) / (pi * distance);
    }
    apply_window(sharp_attenuation, REACH, places, windows, values);
    for (int j = 0; j < REACH; j++)
        sum += 2 * values[j];
    for (int j = 0; j < REACH; j++)
        coefs[j % DV__SIDE_BY_SIDE * STEPS + j / DV__SIDE_BY_SIDE] = (float)(values[j] / sum);
}

/* The continuous filter from which the rows of a polyphase filter are cut. */
typedef struct prototype {
    double cutoff; /* cycles per sample */
    double width;  /* half of the window's width, samples */
    double *work;  /* (5, 2 * reach), owned: sines and cosines of 2 pi cutoff times the distance
                      from the sample next below, and room for places, windows and values */
} prototype;

/* Cuts the row for a sample of the result that lies `offset`, 0 to 1, behind a sample of the sound.
   The sines come from the formula for the sine of a difference. A coefficient is 0 where the sinc
   is 0. Constants keep their value on average over the rows. A single row need not keep them, since
   it may leave a multiple of the rate to the half-band filter. */
static void cut_row(const prototype *from, int64_t reach, double offset, float *row)
{
    const int64_t count = 2 * reach;
    const double *sines = from->work, *cosines = sines + count;
    double *places = from->work + 2 * count, *windows = places + count, *values = windows + count;
    double angle = 2 * pi * from->cutoff * offset, sine = sin(angle), cosine = cos(angle);
    for (int64_t k = 0; k < count; k++) {
        double distance = (double)(k + 1 - reach) - offset;
        places[k] = distance / from->width;
        values[k] = fabs(distance) < 1e-9
                        ? 2 * from->cutoff
                        : (sines[k] * cosine - cosines[k] * sine) / (pi * distance);
    }
    apply_window(coarse_attenuation, count, places, windows, values);
    for (int64_t k = 0; k < count; k++)
        row[k] = fabs(values[k]) < 1e-12 ? 0 : (float)values[k];
}

/* Scales the coefficients so that the mean of the rows has the sum 1. */
static void normalize(dv__polyphase *filter)
{
    double sum = 0;
    for (int64_t i = 0; i < filter->steps * filter->taps; i++)
        sum += (double)filter->coefs[i];
    for (int64_t i = 0; i < dv__polyphase_size(filter); i++)
        filter->coefs[i] = (float)((double)filter->coefs[i] * (double)filter->steps / sum);
}

static dv_status cut_rows(prototype *from, dv__polyphase *filter)
{
    const int64_t count = 2 * filter->reach;
    DV_TRY(dv_calloc((size_t)dv__polyphase_size(filter), sizeof *filter->coefs, &filter->coefs));
    DV_TRY(dv_calloc((size_t)(5 * count), sizeof *from->work, &from->work));
    for (int64_t k = 0; k < count; k++) {
        double angle = 2 * pi * from->cutoff * (double)(k + 1 - filter->reach);
        from->work[k] = sin(angle);
        from->work[count + k] = cos(angle);
    }
    for (int64_t i = 0; i < filter->steps + filter->between; i++)
        cut_row(from, filter->reach, (double)i / (double)filter->steps,
                filter->coefs + i * filter->taps);
    normalize(filter);
    return DV_OK;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A ratio of large numbers gets a grid of phases in place of all phases, so that a filter never has
   more than some ten thousand coefficients. */
dv_status dv__polyphase_design(int64_t from, int64_t to, int64_t low, dv__polyphase *filter)
{
    double fine = (double)from / (double)low;
    int64_t divisor = common_divisor(from, to);
    prototype made = {.cutoff = 1 / fine,
                      .width = window_width(coarse_attenuation, 0.96 / fine) / 2};
    *filter = (dv__polyphase){
        .up = to / divisor, .down = from / divisor, .reach = (int64_t)ceil(made.width)};
    filter->taps = (2 * filter->reach + DV__SIDE_BY_SIDE - 1) / DV__SIDE_BY_SIDE * DV__SIDE_BY_SIDE;
    filter->between = filter->up > MOST_PHASES || filter->down > MOST_PHASES;
    filter->steps = filter->between ? (int64_t)ceil(2 * GRID_STEPS / fine) : filter->up;
    dv_status status = cut_rows(&made, filter);
    free(made.work);
    if (status != DV_OK)
        dv__polyphase_free(filter);
    return status;
}

int64_t dv__polyphase_size(const dv__polyphase *filter)
{
    return (filter->steps + filter->between) * filter->taps;
}

void dv__polyphase_free(dv__polyphase *filter)
{
    free(filter->coefs);
    memset(filter, 0, sizeof *filter);
}
