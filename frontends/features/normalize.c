/*
 * Normalisation over the utterance. First the mean over the clip or over each band is subtracted.
 * Then the rest is divided by its standard deviation (about its own mean) + 0.01, again over the
 * clip or over each band. Sums are double, so that a constant gives 0 and never NaN.
 */
#include "frontends/features/features_internal.h"

#include <math.h>

DV__CLONES
static void subtract_mean(float *restrict values, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i];
    float mean = (float)(sum / (double)count);
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        values[i] -= mean;
}

DV__CLONES
static void divide_deviation(float *restrict values, int64_t count)
{
    double sum = 0;
    double squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)values[i];
    double mean = sum / (double)count;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)values[i] - mean;
        squares += difference * difference;
    }
    float factor = (float)(1.0 / (sqrt(squares / (double)count) + 0.01));
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        values[i] *= factor;
}

static void over(int what, void (*apply)(float *values, int64_t count), int64_t rows,
                 int64_t frames, float *features)
{
    if (what == DV_OVER_CLIP)
        apply(features, rows * frames);
    if (what == DV_OVER_BAND)
        for (int64_t row = 0; row < rows; row++)
            apply(features + row * frames, frames);
}

void dv__features_normalize(const dv_features_config *config, int64_t rows, int64_t frames,
                            float *features)
{
    over(config->mean, subtract_mean, rows, frames, features);
    over(config->deviation, divide_deviation, rows, frames, features);
}
