/*
 * Triangular mel filters. The scales are those of Slaney's Auditory Toolbox (linear below 1 kHz,
 * 200/3 Hz a step; logarithmic above, 27 steps for a factor of 6.4) and of HTK
 * (2595 log10(1 + f / 700)). The triangles are straight over Hz; those of fbank are straight over
 * HTK's scale.
 */
#include "frontends/features/features_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double slaney_step = 200.0 / 3.0; /* Hz per mel below the knee */
static const double slaney_knee = 1000.0;      /* Hz */

static double slaney_log_step(void)
{
    return log(6.4) / 27.0;
}

static double mel_from_hz(int scale, double hz)
{
    if (scale == DV_MEL_HTK)
        return 2595.0 * log10(1.0 + hz / 700.0);
    if (hz < slaney_knee)
        return hz / slaney_step;
    return slaney_knee / slaney_step + log(hz / slaney_knee) / slaney_log_step();
}

static double hz_from_mel(int scale, double mel)
{
    double knee = slaney_knee / slaney_step;
    if (scale == DV_MEL_HTK)
        return 700.0 * (pow(10.0, mel / 2595.0) - 1.0);
    if (mel < knee)
        return mel * slaney_step;
    return slaney_knee * exp((mel - knee) * slaney_log_step());
}

static int scale_of(const dv_features_config *config)
{
    return config->type == DV_FEATURES_FBANK ? DV_MEL_HTK : config->mel_scale;
}

/* The place of a frequency on the axis of straight triangles, which is mel for fbank, else Hz. */
static double axis_from_hz(const dv_features_config *config, double hz)
{
    return config->type == DV_FEATURES_FBANK ? mel_from_hz(DV_MEL_HTK, hz) : hz;
}

/* Corner number `index`, in Hz. The n_mels + 2 corners are evenly spaced in mel from fmin to
   fmax. */
static double corner(const dv_features_config *config, int64_t index)
{
    double low = mel_from_hz(scale_of(config), config->fmin);
    double high = mel_from_hz(scale_of(config), dv__features_fmax(config));
    double step = (high - low) / (double)(config->n_mels + 1);
    return hz_from_mel(scale_of(config), low + step * (double)index);
}

/* Computes the weights of one triangle over all bins, before their norm. Returns the number of
   positive ones. */
static int64_t triangle(const dv_features_config *config, const double corners[3], double *row)
{
    int64_t positive = 0;
    double left = axis_from_hz(config, corners[0]), middle = axis_from_hz(config, corners[1]);
    double right = axis_from_hz(config, corners[2]);
    for (int64_t bin = 0; bin <= config->n_fft / 2; bin++) {
        double hz = (double)bin * (double)config->sample_rate / (double)config->n_fft;
        double at = axis_from_hz(config, hz);
        row[bin] = fmax(0.0, fmin((at - left) / (middle - left), (right - at) / (right - middle)));
        positive += row[bin] > 0;
    }
    return positive;
}

static double norm_factor(const dv_features_config *config, const double corners[3],
                          const double *row)
{
    if (config->mel_norm == DV_MEL_NORM_NONE || config->type == DV_FEATURES_FBANK)
        return 1.0;
    if (config->mel_norm == DV_MEL_NORM_SLANEY)
        return 2.0 / (corners[2] - corners[0]);
    double sum = 0;
    for (int64_t bin = 0; bin <= config->n_fft / 2; bin++)
        sum += row[bin];
    return 1.0 / sum;
}

/* Adds a band. row (bins) is scratch. A triangle's weights have no gaps, so a run is enough. */
static dv_status add_band(const dv_features_config *config, int64_t band, double *row, dv__mel *mel)
{
    double corners[3];
    for (int64_t i = 0; i < 3; i++)
        corners[i] = corner(config, band + i);
    int64_t positive = triangle(config, corners, row);
    if (positive == 0)
        return DV_FAIL(DV_ECONFIG,
                       "features: mel band %lld of n_mels %lld (%.1f to %.1f Hz) holds "
                       "no point of n_fft %lld: fewer bands or a longer transform are needed",
                       (long long)(band + 1), (long long)config->n_mels, corners[0], corners[2],
                       (long long)config->n_fft);
    double factor = norm_factor(config, corners, row);
    int64_t first = 0;
    while (row[first] <= 0)
        first++;
    mel->first[band] = first;
    mel->start[band + 1] = mel->start[band] + positive;
    for (int64_t i = 0; i < positive; i++)
        mel->weights[mel->start[band] + i] = (float)(row[first + i] * factor);
    return DV_OK;
}

/* The weights of all bands lie in one array, band after band. */
dv_status dv__mel_create(const dv_features_config *config, dv__mel *mel)
{
    dv_status status = DV_OK;
    double *row = NULL;
    size_t bands = (size_t)config->n_mels;
    size_t bins = (size_t)config->n_fft / 2 + 1;
    memset(mel, 0, sizeof *mel);
    mel->bands = config->n_mels;
    DV_TRY_GOTO(dv_calloc(bins, sizeof *row, &row));
    DV_TRY_GOTO(dv_calloc(bands, sizeof *mel->first, &mel->first));
    DV_TRY_GOTO(dv_calloc(bands + 1, sizeof *mel->start, &mel->start));
    /* A bin lies inside at most two triangles. */
    DV_TRY_GOTO(dv_calloc(2 * bins, sizeof *mel->weights, &mel->weights));
    for (int64_t band = 0; band < config->n_mels; band++)
        DV_TRY_GOTO(add_band(config, band, row, mel));
    free(row);
    return DV_OK;
fail:
    free(row);
    dv__mel_free(mel);
    return status;
}

void dv__mel_free(dv__mel *mel)
{
    free(mel->first);
    free(mel->start);
    free(mel->weights);
    memset(mel, 0, sizeof *mel);
}
