/* The fields of the section `features`, their checks, and the making of a front-end with its
   tables. */
#include "frontends/features/features_internal.h"

#include <math.h>
#include <stdlib.h>

const char *const dv_feature_type_names[] = {"mfcc", "mel", "spectrogram", "fbank", NULL};
static const char *const placement_names[] = {"energy", "middle", "start", NULL};
static const char *const level_names[] = {"none", "peak", "rms", NULL};
static const char *const mel_scale_names[] = {"slaney", "htk", NULL};
static const char *const mel_norm_names[] = {"slaney", "none", "sum", NULL};
static const char *const norm_over_names[] = {"none", "clip", "band", NULL};

enum { MAX_FRAMES = 65536 };

/* clang-format off */
#define INT(member, fallback, minimum, maximum, help) \
    DV_INT(dv_features_config, member, fallback, minimum, maximum, help)
#define FLOAT(member, fallback, minimum, maximum, help) \
    DV_FLOAT(dv_features_config, member, fallback, minimum, maximum, help)
#define ENUM(member, fallback, choices, help) \
    DV_ENUM(dv_features_config, member, fallback, choices, help)

const dv_field dv_features_fields[] = {
    ENUM(type, "mfcc", dv_feature_type_names, "kind of features"),
    INT(sample_rate, "8000", 1000, 192000, "sample rate, Hz; clips at other rates are resampled"),
    FLOAT(duration, "1.0", 0.05, 60, "window that the model sees, s"),
    INT(n_fft, "1024", 16, 32768,
        "points of the Fourier transform, a power of two; auto takes the least that holds the window"),
    INT(window, "1024", 2, 32768, "length of the Hann window, at most n_fft, in samples or as a time such as 25 ms"),
    INT(hop, "256", 1, 32768, "distance of frames, in samples or as a time such as 16 ms"),
    INT(n_mels, "64", 1, 1024, "number of mel bands (mel, mfcc, fbank)"),
    INT(n_mfcc, "13", 1, 1024, "number of cepstral coefficients (mfcc), at most n_mels"),
    FLOAT(fmin, "0", 0, 96000, "lower end of the mel bands, Hz"),
    FLOAT(fmax, "0", 0, 96000, "upper end of the mel bands, Hz; 0 takes half the sample rate"),
    ENUM(mel_scale, "slaney", mel_scale_names, "mel scale (mel, mfcc)"),
    ENUM(mel_norm, "slaney", mel_norm_names,
         "height of a band's triangle (mel, mfcc): 'slaney' has area 1 over Hz, 'none' height 1, "
         "'sum' weights that sum to 1"),
    FLOAT(top_db, "80", 0, 200, "range below the clip's maximum, dB; 0 sets no floor"),
    ENUM(placement, "energy", placement_names,
         "place of the window in the clip: on the word, found by its energy; in the middle; at the start"),
    ENUM(level, "rms", level_names,
         "level of the clip: 'none' leaves it, 'peak' brings the peak to 1, 'rms' the loud part to -20 dB"),
    ENUM(mean, "band", norm_over_names, "range over which the mean is subtracted"),
    ENUM(deviation, "clip", norm_over_names,
         "range over which is divided by the standard deviation"),
    DV_END,
};
/* clang-format on */

static dv_status check_number(const dv_field *field, double value)
{
    if (!(value >= field->minimum && value <= field->maximum)) /* also refuses NaN */
        return DV_FAIL(DV_ECONFIG, "features: %s is %g, must be %g to %g", field->key, value,
                       field->minimum, field->maximum);
    return DV_OK;
}

static dv_status check_choice(const dv_field *field, int value)
{
    int count = 0;
    while (field->choices[count] != NULL)
        count++;
    if (value < 0 || value >= count)
        return DV_FAIL(DV_ECONFIG, "features: %s is choice number %d, must be 0 to %d", field->key,
                       value, count - 1);
    return DV_OK;
}

static dv_status check_field(const dv_features_config *config, const dv_field *field)
{
    const char *value = (const char *)config + field->offset;
    switch (field->kind) {
    case DV_FIELD_INT:
        return check_number(field, (double)*(const int64_t *)(const void *)value);
    case DV_FIELD_FLOAT:
        return check_number(field, *(const double *)(const void *)value);
    default:
        return check_choice(field, *(const int *)(const void *)value);
    }
}

static dv_status check_mel(const dv_features_config *config)
{
    double half_rate = (double)config->sample_rate / 2;
    if (config->fmax > half_rate)
        return DV_FAIL(DV_ECONFIG, "features: fmax is %g Hz, above half the sample_rate (%g Hz)",
                       config->fmax, half_rate);
    if (config->fmin >= dv__features_fmax(config))
        return DV_FAIL(DV_ECONFIG, "features: fmin is %g Hz, must be below fmax (%g Hz)",
                       config->fmin, dv__features_fmax(config));
    if (config->type == DV_FEATURES_MFCC && config->n_mfcc > config->n_mels)
        return DV_FAIL(DV_ECONFIG, "features: n_mfcc is %lld, must be at most n_mels (%lld)",
                       (long long)config->n_mfcc, (long long)config->n_mels);
    return DV_OK;
}

/* Checks the fields one by one, then against each other. */
dv_status dv__features_check(const dv_features_config *config)
{
    for (const dv_field *field = dv_features_fields; field->kind != DV_FIELD_END; field++)
        DV_TRY(check_field(config, field));
    if ((config->n_fft & (config->n_fft - 1)) != 0)
        return DV_FAIL(DV_ECONFIG, "features: n_fft is %lld, must be a power of two",
                       (long long)config->n_fft);
    if (config->window > config->n_fft)
        return DV_FAIL(
            DV_ECONFIG,
            "features: window is %lld, must be at most n_fft (%lld); n_fft: auto makes it fit",
            (long long)config->window, (long long)config->n_fft);
    if (dv__features_frames(config) < 1)
        return DV_FAIL(DV_ECONFIG,
                       "features: hop is %lld, more than twice the %lld samples of %g s: there is "
                       "no frame of fbank",
                       (long long)config->hop, (long long)dv__features_samples(config),
                       config->duration);
    if (dv__features_frames(config) > MAX_FRAMES)
        return DV_FAIL(DV_ECONFIG,
                       "features: hop is %lld, which makes %lld frames of %g s, above "
                       "the limit of %d",
                       (long long)config->hop, (long long)dv__features_frames(config),
                       config->duration, MAX_FRAMES);
    return check_mel(config);
}

int64_t dv__features_samples(const dv_features_config *config)
{
    return llround(config->duration * (double)config->sample_rate);
}

int64_t dv__features_frames(const dv_features_config *config)
{
    if (config->type == DV_FEATURES_FBANK)
        return (dv__features_samples(config) + config->hop / 2) / config->hop;
    return 1 + dv__features_samples(config) / config->hop;
}

/* The window lies in the middle of the n_fft points. */
int64_t dv__features_lead(const dv_features_config *config)
{
    if (config->type != DV_FEATURES_FBANK)
        return config->n_fft / 2;
    return (config->n_fft - config->window) / 2 + config->window / 2 - config->hop / 2;
}

int64_t dv__features_rows(const dv_features_config *config)
{
    switch ((dv_feature_type)config->type) {
    case DV_FEATURES_MFCC:
        return config->n_mfcc;
    case DV_FEATURES_MEL:
    case DV_FEATURES_FBANK:
        return config->n_mels;
    case DV_FEATURES_SPECTROGRAM:
    case DV_FEATURE_TYPES:
        break;
    }
    return config->n_fft / 2 + 1;
}

double dv__features_fmax(const dv_features_config *config)
{
    return config->fmax > 0 ? config->fmax : (double)config->sample_rate / 2;
}

/* The periodic Hann window 0.5 - 0.5 cos(2 pi i / window), in the middle of n_fft zeros. */
static dv_status make_window(dv_frontend *frontend)
{
    int64_t size = frontend->config.window;
    int64_t before = (frontend->config.n_fft - size) / 2;
    DV_TRY(dv_calloc((size_t)frontend->config.n_fft, sizeof(float), &frontend->window));
    for (int64_t i = 0; i < size; i++) {
        double phase = 2.0 * acos(-1.0) * (double)i / (double)size;
        frontend->window[before + i] = (float)(0.5 - 0.5 * cos(phase));
    }
    return DV_OK;
}

/* Makes the offsets and weights with which the transform loads its samples. */
static dv_status make_loads(dv_frontend *frontend)
{
    const dv_features_config *config = &frontend->config;
    int64_t blocks = (frontend->frames + DV__LANES - 1) / DV__LANES;
    int64_t pitch = blocks * DV__LANES + (config->n_fft - 1) / config->hop;
    frontend->pitch = (pitch + 3) / 4 * 4; /* split_phases lays out four hops at a time */
    frontend->phases = config->hop < config->n_fft ? config->hop : config->n_fft;
    DV_TRY(dv_calloc((size_t)config->n_fft, sizeof(float), &frontend->weights));
    DV_TRY(dv_calloc((size_t)config->n_fft, sizeof(int32_t), &frontend->offsets));
    for (int64_t n = 0; n < config->n_fft; n++) {
        frontend->weights[n] = 0.5F * frontend->window[n];
        frontend->offsets[n] = (int32_t)(n % config->hop * frontend->pitch + n / config->hop);
    }
    return DV_OK;
}

/* The orthonormal DCT-II: sqrt(2 / n) cos(pi row (band + 1/2) / n), with sqrt(1 / n) in the first
   row. */
static dv_status make_dct(dv_frontend *frontend)
{
    int64_t rows = frontend->config.n_mfcc;
    int64_t bands = frontend->config.n_mels;
    DV_TRY(dv_calloc((size_t)(rows * bands), sizeof(float), &frontend->dct));
    for (int64_t row = 0; row < rows; row++) {
        double scale = sqrt((row == 0 ? 1.0 : 2.0) / (double)bands);
        for (int64_t band = 0; band < bands; band++) {
            double phase = acos(-1.0) * (double)row * ((double)band + 0.5) / (double)bands;
            frontend->dct[row * bands + band] = (float)(scale * cos(phase));
        }
    }
    return DV_OK;
}

/* Only the tables that the type of features needs are made. */
dv_status dv_frontend_create(const dv_features_config *config, dv_frontend **out)
{
    dv_status status = DV_OK;
    dv_frontend *frontend = NULL;
    *out = NULL;
    DV_TRY(dv__features_check(config));
    DV_TRY(dv_calloc(1, sizeof *frontend, &frontend));
    frontend->config = *config;
    frontend->samples = dv__features_samples(config);
    frontend->frames = dv__features_frames(config);
    frontend->rows = dv__features_rows(config);
    frontend->bins = config->n_fft / 2 + 1;
    frontend->lead = dv__features_lead(config);
    frontend->edges = config->type == DV_FEATURES_FBANK ? DV_EDGES_MIRRORED : DV_EDGES_ZEROS;
    frontend->levels = config->type == DV_FEATURES_SPECTROGRAM ? frontend->bins : config->n_mels;
    DV_TRY_GOTO(make_window(frontend));
    DV_TRY_GOTO(make_loads(frontend));
    DV_TRY_GOTO(dv__fft_create(config->n_fft, &frontend->fft));
    if (config->type != DV_FEATURES_SPECTROGRAM)
        DV_TRY_GOTO(dv__mel_create(config, &frontend->mel));
    if (config->type == DV_FEATURES_MFCC)
        DV_TRY_GOTO(make_dct(frontend));
    *out = frontend;
    return DV_OK;
fail:
    dv_frontend_free(frontend);
    return status;
}

void dv_frontend_free(dv_frontend *frontend)
{
    if (frontend == NULL)
        return;
    free(frontend->window);
    free(frontend->weights);
    free(frontend->offsets);
    dv__fft_free(&frontend->fft);
    dv__mel_free(&frontend->mel);
    free(frontend->dct);
    free(frontend);
}

const dv_features_config *dv_frontend_config(const dv_frontend *frontend)
{
    return &frontend->config;
}

int64_t dv_frontend_rows(const dv_frontend *frontend)
{
    return frontend->rows;
}

int64_t dv_frontend_frames(const dv_frontend *frontend)
{
    return frontend->frames;
}

int64_t dv_frontend_samples(const dv_frontend *frontend)
{
    return frontend->samples;
}

/* Fills in all sizes. The tables stay the front-end's. */
void dv_frontend_tables(const dv_frontend *frontend, dv_feature_tables *out)
{
    const dv_features_config *config = &frontend->config;
    *out = (dv_feature_tables){.samples = frontend->samples,
                               .frames = frontend->frames,
                               .rows = frontend->rows,
                               .n_fft = config->n_fft,
                               .hop = config->hop,
                               .bands = config->n_mels,
                               .coefficients = config->n_mfcc,
                               .lead = frontend->lead,
                               .edges = frontend->edges,
                               .window = frontend->window,
                               .mel_first = frontend->mel.first,
                               .mel_start = frontend->mel.start,
                               .mel_weights = frontend->mel.weights,
                               .dct = frontend->dct,
                               .top_db = config->top_db,
                               .mean = (dv_norm_over)config->mean,
                               .deviation = (dv_norm_over)config->deviation};
}
