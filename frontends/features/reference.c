/*
 * The reference: the definition of the features, formula by formula in double. It shares only the
 * configuration with the fast form, so that an error in one shows as a difference.
 */
#include "frontends/features/features_internal.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static double pi(void)
{
    return acos(-1.0);
}

static bool is_kaldi(const dv_features_config *config)
{
    return config->type == DV_FEATURES_FBANK;
}

/* The sample at t in the window mirrored at its ends as often as needed, with period 2 count. */
static int64_t mirrored(int64_t t, int64_t count)
{
    int64_t phase = (t % (2 * count) + 2 * count) % (2 * count);
    return phase < count ? phase : 2 * count - 1 - phase;
}

/* Point n of frame `frame` of the window, times Hann. Frames are centred with zeros outside the
   window, or they are Kaldi's, at half hops with the window mirrored. */
static double windowed(const dv_features_config *config, const float *window, int64_t frame,
                       int64_t n)
{
    int64_t samples = dv__features_samples(config);
    int64_t i = n - (config->n_fft - config->window) / 2;
    int64_t t = frame * config->hop + n - config->n_fft / 2;
    if (is_kaldi(config))
        t = mirrored(frame * config->hop + config->hop / 2 - config->window / 2 + i, samples);
    if (i < 0 || i >= config->window || t < 0 || t >= samples)
        return 0;
    double hann = 0.5 * (1 - cos(2 * pi() * (double)i / (double)config->window));
    return hann * (double)window[t];
}

/* Computes |sum_n x[n] exp(-2 pi i k n / N)|^2 for all k from frame (n_fft). turns (n_fft, 2) has
   cos and sin. */
static void power_spectrum(int64_t size, const double *frame, const double *turns, double *power)
{
    for (int64_t k = 0; k <= size / 2; k++) {
        double re = 0;
        double im = 0;
        for (int64_t n = 0; n < size; n++) {
            int64_t turn = k * n % size;
            re += frame[n] * turns[2 * turn];
            im -= frame[n] * turns[2 * turn + 1];
        }
        power[k] = re * re + im * im;
    }
}

/* Computes power (bins, frames). */
static dv_status spectrogram(const dv_features_config *config, const float *window, double *power)
{
    dv_status status = DV_OK;
    int64_t size = config->n_fft;
    int64_t frames = dv__features_frames(config);
    double *turns = NULL;
    double *frame = NULL;
    double *column = NULL;
    DV_TRY_GOTO(dv_calloc((size_t)size * 2, sizeof *turns, &turns));
    DV_TRY_GOTO(dv_calloc((size_t)size, sizeof *frame, &frame));
    DV_TRY_GOTO(dv_calloc((size_t)size, sizeof *column, &column));
    for (int64_t n = 0; n < size; n++) {
        turns[2 * n] = cos(2 * pi() * (double)n / (double)size);
        turns[2 * n + 1] = sin(2 * pi() * (double)n / (double)size);
    }
    for (int64_t t = 0; t < frames; t++) {
        for (int64_t n = 0; n < size; n++)
            frame[n] = windowed(config, window, t, n);
        power_spectrum(size, frame, turns, column);
        for (int64_t k = 0; k <= size / 2; k++)
            power[k * frames + t] = column[k];
    }
fail:
    free(turns);
    free(frame);
    free(column);
    return status;
}

static double mels(const dv_features_config *config, double hz)
{
    if (config->mel_scale == DV_MEL_HTK || is_kaldi(config))
        return 2595 * log10(1 + hz / 700);
    return hz < 1000 ? 3 * hz / 200 : 15 + 27 * log(hz / 1000) / log(6.4);
}

static double hertz(const dv_features_config *config, double mel)
{
    if (config->mel_scale == DV_MEL_HTK || is_kaldi(config))
        return 700 * (pow(10, mel / 2595) - 1);
    return mel < 15 ? 200 * mel / 3 : 1000 * pow(6.4, (mel - 15) / 27);
}

static double band_edge(const dv_features_config *config, int64_t index)
{
    double top = config->fmax > 0 ? config->fmax : 0.5 * (double)config->sample_rate;
    double share = (double)index / (double)(config->n_mels + 1);
    return hertz(config, (1 - share) * mels(config, config->fmin) + share * mels(config, top));
}

/* The height of band `band` at point `bin`, before its norm. It is straight over Hz, or for Kaldi's
   bands over mel. */
static double height(const dv_features_config *config, int64_t band, int64_t bin)
{
    double edges[3], at = (double)(bin * config->sample_rate) / (double)config->n_fft;
    for (int64_t i = 0; i < 3; i++)
        edges[i] = band_edge(config, band + i);
    for (int64_t i = 0; is_kaldi(config) && i < 3; i++)
        edges[i] = mels(config, edges[i]);
    if (is_kaldi(config))
        at = mels(config, at);
    if (at <= edges[0] || at >= edges[2])
        return 0;
    return at < edges[1] ? (at - edges[0]) / (edges[1] - edges[0])
                         : (edges[2] - at) / (edges[2] - edges[1]);
}

/* Computes the weights (bins) of one band. */
static void band_weights(const dv_features_config *config, int64_t band, double *weights)
{
    double sum = 0;
    for (int64_t bin = 0; bin <= config->n_fft / 2; bin++) {
        weights[bin] = height(config, band, bin);
        sum += weights[bin];
    }
    double divisor = 1;
    if (config->mel_norm == DV_MEL_NORM_SUM && sum > 0 && !is_kaldi(config))
        divisor = sum;
    if (config->mel_norm == DV_MEL_NORM_SLANEY && !is_kaldi(config))
        divisor = 0.5 * (band_edge(config, band + 2) - band_edge(config, band));
    for (int64_t bin = 0; bin <= config->n_fft / 2; bin++)
        weights[bin] /= divisor;
}

/* Computes bands (n_mels, frames) from power (bins, frames). */
static dv_status mel_spectrogram(const dv_features_config *config, const double *power,
                                 double *bands)
{
    int64_t frames = dv__features_frames(config);
    double *weights = NULL;
    DV_TRY(dv_calloc((size_t)config->n_fft, sizeof *weights, &weights));
    for (int64_t band = 0; band < config->n_mels; band++) {
        band_weights(config, band, weights);
        for (int64_t t = 0; t < frames; t++) {
            double sum = 0;
            for (int64_t bin = 0; bin <= config->n_fft / 2; bin++)
                sum += weights[bin] * power[bin * frames + t];
            bands[band * frames + t] = sum;
        }
    }
    free(weights);
    return DV_OK;
}

static void to_decibels(const dv_features_config *config, double *values, int64_t count)
{
    double maximum = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        values[i] = 10 * log10(fmax(1e-10, values[i]));
        maximum = fmax(maximum, values[i]);
    }
    if (config->top_db > 0)
        for (int64_t i = 0; i < count; i++)
            values[i] = fmax(values[i], maximum - config->top_db);
}

/* Computes features (n_mfcc, frames) from bands (n_mels, frames) by the orthonormal DCT-II. */
static void cepstrum(const dv_features_config *config, const double *bands, double *features)
{
    int64_t frames = dv__features_frames(config);
    double n = (double)config->n_mels;
    for (int64_t k = 0; k < config->n_mfcc; k++) {
        for (int64_t t = 0; t < frames; t++) {
            double sum = 0;
            for (int64_t band = 0; band < config->n_mels; band++)
                sum +=
                    bands[band * frames + t] * cos(pi() * (double)(k * (2 * band + 1)) / (2 * n));
            features[k * frames + t] = sum * sqrt((k == 0 ? 1 : 2) / n);
        }
    }
}

static double mean_of(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static double deviation_of(const double *values, int64_t count)
{
    double mean = mean_of(values, count);
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return sqrt(sum / (double)count);
}

static void normalize(const dv_features_config *config, double *features)
{
    int64_t frames = dv__features_frames(config);
    int64_t count = dv__features_rows(config) * frames;
    int64_t part = config->mean == DV_OVER_BAND ? frames : count;
    for (int64_t at = 0; config->mean != DV_OVER_NONE && at < count; at += part) {
        double mean = mean_of(features + at, part);
        for (int64_t i = at; i < at + part; i++)
            features[i] -= mean;
    }
    part = config->deviation == DV_OVER_BAND ? frames : count;
    for (int64_t at = 0; config->deviation != DV_OVER_NONE && at < count; at += part) {
        double deviation = deviation_of(features + at, part);
        for (int64_t i = at; i < at + part; i++)
            features[i] /= deviation + 0.01;
    }
}

/* Each step is done for the whole window before the next one begins. */
dv_status dv_frontend_reference(const dv_features_config *config, const float *window,
                                bool normalized, double *features)
{
    dv_status status = DV_OK;
    double *power = NULL;
    double *bands = NULL;
    DV_TRY(dv__features_check(config));
    int64_t frames = dv__features_frames(config);
    int64_t spectrum = (config->n_fft / 2 + 1) * frames;
    DV_TRY_GOTO(dv_calloc((size_t)spectrum, sizeof *power, &power));
    DV_TRY_GOTO(dv_calloc((size_t)(config->n_mels * frames), sizeof *bands, &bands));
    DV_TRY_GOTO(spectrogram(config, window, power));
    double *log_power = config->type == DV_FEATURES_SPECTROGRAM ? power : bands;
    int64_t count = config->type == DV_FEATURES_SPECTROGRAM ? spectrum : config->n_mels * frames;
    if (config->type != DV_FEATURES_SPECTROGRAM)
        DV_TRY_GOTO(mel_spectrogram(config, power, bands));
    to_decibels(config, log_power, count);
    if (config->type == DV_FEATURES_MFCC)
        cepstrum(config, bands, features);
    else
        for (int64_t i = 0; i < count; i++)
            features[i] = log_power[i];
    if (normalized)
        normalize(config, features);
fail:
    free(power);
    free(bands);
    return status;
}
