/* Tables of the augmenter. They are made once, in double. */
#include "frontends/augment/augment_internal.h"

#include <math.h>

static double pi(void)
{
    return acos(-1.0);
}

/* ---- Resampling ---- */

/* The modified Bessel function of the first kind of order 0, by its power series. */
static double bessel(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; term > 1e-12 * sum; k++) {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

/* A low-pass at `cutoff`, where 1 is half the sample rate, times Kaiser's window with beta 6, which
   stops about 60 dB. */
static double kernel(double distance, double cutoff)
{
    double half = DV_RESAMPLE_TAPS / 2, beta = 6;
    double inside = 1 - (distance / half) * (distance / half);
    double argument = pi() * cutoff * distance;
    double sinc = fabs(argument) < 1e-9 ? 1 : sin(argument) / argument;
    return inside > 0 ? cutoff * sinc * bessel(beta * sqrt(inside)) / bessel(beta) : 0;
}

/* The taps of a phase sum to 1, so that a constant stays one. */
static void make_phase(double fraction, double cutoff, float *taps)
{
    double values[DV_RESAMPLE_TAPS], sum = 0;
    for (int tap = 0; tap < DV_RESAMPLE_TAPS; tap++) {
        values[tap] = kernel(tap - (DV_RESAMPLE_TAPS / 2 - 1) - fraction, cutoff);
        sum += values[tap];
    }
    for (int tap = 0; tap < DV_RESAMPLE_TAPS; tap++)
        taps[tap] = (float)(values[tap] / sum);
}

void dv__augment_resampler(double most, float *filters)
{
    for (int filter = 0; filter < DV_RESAMPLE_FILTERS; filter++) {
        double factor = 1 + (most - 1) * filter / (DV_RESAMPLE_FILTERS - 1);
        for (int phase = 0; phase < DV_RESAMPLE_PHASES; phase++)
            make_phase((double)phase / DV_RESAMPLE_PHASES, 0.97 / factor,
                       filters + (filter * DV_RESAMPLE_PHASES + phase) * DV_RESAMPLE_TAPS);
    }
}

/* ---- Telephone ---- */

void dv__augment_telephone(int64_t bins, int64_t sample_rate, float *gains)
{
    for (int64_t bin = 0; bin < bins; bin++) {
        double hz = 0.5 * (double)sample_rate * (double)bin / (double)(bins - 1);
        double below = pow(hz / 300, 8), above = pow(hz / 3400, 20);
        gains[bin] = (float)(below / (1 + below) / (1 + above));
    }
}

/* ---- Mixing ---- */

/* The continued fraction of the incomplete beta function for a == b, by Lentz's algorithm. */
static double beta_fraction(double a, double x)
{
    double c = 1, d = 1 - 2 * a * x / (a + 1);
    d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
    double value = d;
    for (int m = 1; m < 1000; m++) {
        for (int odd = 0; odd < 2; odd++) {
            double numerator = odd == 0
                                   ? m * (a - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                   : -(a + m) * (2 * a + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
            d = 1 + numerator * d;
            c = 1 + numerator / c;
            d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
            c = fabs(c) < 1e-300 ? 1e-300 : c;
            value *= c * d;
        }
        if (fabs(c * d - 1) < 1e-14)
            break;
    }
    return value;
}

/* P(X <= x) for X of Beta(a, a), x <= 1/2, where the fraction converges fast. */
static double beta_probability(double a, double x)
{
    if (x <= 0)
        return 0;
    double front = lgamma(2 * a) - 2 * lgamma(a) + a * log(x) + a * log1p(-x);
    return exp(front) * beta_fraction(a, x) / a;
}

/* Bisects in the logarithm, since for a small `alpha` the lowest quantiles are tiny. */
static double beta_quantile(double alpha, double probability)
{
    double low = log(1e-30), high = log(0.5);
    for (int i = 0; i < 80; i++) {
        double middle = 0.5 * (low + high);
        if (beta_probability(alpha, exp(middle)) < probability)
            low = middle;
        else
            high = middle;
    }
    return exp(high);
}

void dv__augment_mixing(double alpha, float *quantiles)
{
    for (int i = 0; i <= DV_MIX_POINTS / 2; i++) {
        double share = i == 0 ? 0 : beta_quantile(alpha, (double)i / DV_MIX_POINTS);
        quantiles[i] = (float)share;
        quantiles[DV_MIX_POINTS - i] = (float)(1 - share);
    }
}
