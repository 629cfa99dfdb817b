#include "frontends/audio/audio.h"
#include "frontends/audio/resample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double pi = 3.14159265358979323846;

/* ---- Sounds ---- */

typedef struct sound {
    float *samples; /* (count), owned */
    int64_t count;
} sound;

static sound new_sound(int64_t count)
{
    sound s = {calloc((size_t)(count > 0 ? count : 1), sizeof(float)), count};
    assert_non_null(s.samples);
    return s;
}

static uint32_t random_bits(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

static sound noise(int64_t count, uint64_t seed)
{
    sound s = new_sound(count);
    for (int64_t i = 0; i < count; i++)
        s.samples[i] = (float)random_bits(&seed) / 1073741824.0F - 1;
    return s;
}

/* Makes a cosine, which is not zero at 0 Hz either. */
static sound tone(int64_t count, double hertz, int64_t rate)
{
    sound s = new_sound(count);
    for (int64_t i = 0; i < count; i++)
        s.samples[i] = (float)cos(2 * pi * hertz * (double)i / (double)rate + 0.4);
    return s;
}

static dv_resampler *resampler_to(int64_t to)
{
    dv_resampler *resampler;
    assert_int_equal(dv_resampler_create(to, &resampler), DV_OK);
    assert_int_equal(dv_resampler_rate(resampler), to);
    return resampler;
}

/* Resamples in pieces of 1 to `most` samples, or at once for 0. */
static sound resampled(dv_resampler *resampler, int64_t from, const sound *s, int64_t most,
                       uint64_t seed)
{
    assert_int_equal(dv_resampler_begin(resampler, from), DV_OK);
    sound out = new_sound(dv_resampler_room(resampler, s->count));
    int64_t done = 0;
    for (int64_t at = 0, piece; at < s->count; at += piece) {
        piece = most > 0 ? 1 + random_bits(&seed) % most : s->count;
        piece = piece < s->count - at ? piece : s->count - at;
        int64_t room = dv_resampler_room(resampler, piece);
        int64_t got = dv_resampler_push(resampler, s->samples + at, piece, out.samples + done);
        assert_in_range(got, 0, room);
        done += got;
    }
    int64_t rest = dv_resampler_room(resampler, 0);
    assert_int_equal(done + rest, out.count);
    assert_int_equal(dv_resampler_end(resampler, out.samples + done), rest);
    return out;
}

static const int64_t sources[] = {8000,  16000, 44100, 48000, 11025,  22050, 32000,
                                  96000, 24000, 8001,  7999,  767999, 100,   192000};
enum { SOURCES = sizeof sources / sizeof sources[0] };
static const int64_t targets[] = {8000, 16000};

/* ---- Pieces ---- */

static void check_pieces(dv_resampler *resampler, int64_t from, int64_t to, int trials)
{
    int64_t count = from < 1000 ? 60 : from < 100000 ? 9001 : 60001;
    sound s = noise(count, (uint64_t)from);
    sound whole = resampled(resampler, from, &s, 0, 0);
    assert_int_equal(whole.count, dv_resampled_length(from, to, count));
    for (int trial = 0; trial < trials; trial++) {
        int64_t most = trial == 0 ? 1 : trial % 3 == 0 ? 40 : 4000;
        sound pieces = resampled(resampler, from, &s, most, (uint64_t)trial);
        assert_memory_equal(pieces.samples, whole.samples, (size_t)whole.count * sizeof(float));
        free(pieces.samples);
    }
    free(whole.samples);
    free(s.samples);
}

/* No one of a thousand ways to cut sounds into pieces changes a bit. */
static void test_pieces_change_nothing(void **state)
{
    (void)state;
    for (int t = 0; t < 2; t++) {
        dv_resampler *resampler = resampler_to(targets[t]);
        for (int i = 0; i < SOURCES; i++)
            check_pieces(resampler, sources[i], targets[t], 36);
        dv_resampler_free(resampler);
    }
}

/* A sound does not depend on those before it, nor on the resampler's cache. */
static void test_sounds_are_apart(void **state)
{
    (void)state;
    sound s = noise(5000, 1);
    dv_resampler *used = resampler_to(16000);
    for (int i = 0; i < 2 * SOURCES; i++) {
        int64_t from = sources[i % SOURCES];
        dv_resampler *fresh = resampler_to(16000);
        sound first = resampled(fresh, from, &s, 0, 0), again = resampled(used, from, &s, 0, 0);
        assert_memory_equal(first.samples, again.samples, (size_t)first.count * sizeof(float));
        free(first.samples);
        free(again.samples);
        dv_resampler_free(fresh);
        /* A sound that is broken off leaves nothing behind. */
        assert_int_equal(dv_resampler_begin(used, from), DV_OK);
        sound rest = new_sound(dv_resampler_room(used, s.count));
        dv_resampler_push(used, s.samples, s.count, rest.samples);
        free(rest.samples);
    }
    dv_resampler_free(used);
    free(s.samples);
}

/* ---- Against formulas ---- */

/* exp(-x) I0(x) by its integral, which has no code in common with a series. */
static double bessel_i0(double x)
{
    double sum = 0;
    for (int i = 0; i < 64; i++)
        sum += exp(x * (cos(pi * (i + 0.5) / 64) - 1));
    return sum / 64;
}

/* The value of `s` at `place`, in samples, without everything above half of `low`. One long sinc in
   double precision, far sharper than the tested filter. */
static double ideal(const sound *s, double place, double low)
{
    const double half = 400 / low, beta = 12;
    int64_t first = (int64_t)ceil(place - half), last = (int64_t)floor(place + half);
    double sum = 0;
    for (int64_t i = first > 0 ? first : 0; i <= last && i < s->count; i++) {
        double t = (double)i - place, edge = fmax(1 - t * t / (half * half), 0);
        double sinc = fabs(t) < 1e-12 ? low : sin(pi * low * t) / (pi * t);
        sum += (double)s->samples[i] * sinc * bessel_i0(beta * sqrt(edge)) *
               exp(beta * (sqrt(edge) - 1));
    }
    return sum / bessel_i0(beta);
}

/* Makes ten tones within 0.9 of half the lower rate, which swell from silence and fade to it. */
static sound chord(int64_t count, int64_t from, int64_t low)
{
    sound s = new_sound(count);
    for (int64_t i = 0; i < count; i++) {
        double hump = pow(sin(pi * (double)i / (double)count), 2), sum = 0;
        for (int k = 1; k <= 10; k++)
            sum += sin(2 * pi * 0.045 * k * (double)low * (double)i / (double)from + k);
        s.samples[i] = (float)(0.1 * hump * sum);
    }
    return s;
}

static void test_ideal_resampling(void **state)
{
    static const int64_t rates[][2] = {{16000, 8000}, {44100, 8000}, {48000, 8000}, {8000, 16000},
                                       {11025, 8000}, {8001, 8000},  {7999, 8000},  {8000, 44100}};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        int64_t from = rates[i][0], to = rates[i][1], low = from < to ? from : to;
        sound s = chord(from / 10, from, low);
        dv_resampler *resampler = resampler_to(to);
        sound out = resampled(resampler, from, &s, 0, 0);
        for (int64_t n = 0; n < out.count; n += 7) {
            double place = (double)n * (double)from / (double)to;
            double wanted = ideal(&s, place, (double)low / (double)from);
            if (fabs((double)out.samples[n] - wanted) > 4e-5)
                fail_msg("%ld -> %ld Hz: sample %ld is %.8f, not %.8f", (long)from, (long)to,
                         (long)n, (double)out.samples[n], wanted);
        }
        free(out.samples);
        free(s.samples);
        dv_resampler_free(resampler);
    }
}

/* ---- Tones ---- */

/* The largest distance of the resampled tone's middle half from `gain` times the tone at `to` Hz.
 */
static double distance_from_tone(int64_t from, int64_t to, double hertz, double gain)
{
    int64_t count = from / 4 + 400 * (from / to + 1);
    sound s = tone(count, hertz, from);
    dv_resampler *resampler = resampler_to(to);
    sound out = resampled(resampler, from, &s, 0, 0), same = tone(out.count, hertz, to);
    double most = 0;
    for (int64_t n = out.count / 4; n < out.count * 3 / 4; n++)
        most = fmax(most, fabs((double)out.samples[n] - gain * (double)same.samples[n]));
    free(s.samples);
    free(out.samples);
    free(same.samples);
    dv_resampler_free(resampler);
    return most;
}

static void test_tones(void **state)
{
    static const double kept[] = {0, 0.01, 0.3, 0.7, 0.9, 0.96}, gone[] = {1.04, 1.1, 1.5, 1.9};
    (void)state;
    for (int i = 0; i < SOURCES * 2; i++) {
        int64_t from = sources[i / 2], to = targets[i % 2];
        if (from < 1000)
            continue;
        double half = (double)(from < to ? from : to) / 2;
        for (int k = 0; k < 6; k++) {
            double off = distance_from_tone(from, to, kept[k] * half, 1);
            if (!(off < 1e-4))
                fail_msg("%ld -> %ld Hz: %g of the band is off by %g", (long)from, (long)to,
                         kept[k], off);
        }
        for (int k = 0; k < 4 && from != to; k++) {
            double left = distance_from_tone(from, to, gone[k] * half, 0);
            if (gone[k] * half < (double)from / 2 && !(left < 1.6e-5))
                fail_msg("%ld -> %ld Hz: %g is left of %g of the band", (long)from, (long)to, left,
                         gone[k]);
        }
    }
}

/* A constant stays the same, away from the silence around it. */
static void test_constants(void **state)
{
    (void)state;
    for (int i = 0; i < SOURCES; i++)
        if (sources[i] >= 1000) {
            double off = distance_from_tone(sources[i], 8000, 0, 1);
            if (!(off < 1.6e-5))
                fail_msg("%ld Hz: a constant is off by %g", (long)sources[i], off);
        }
}

/* ---- Lengths and limits ---- */

static void test_lengths(void **state)
{
    (void)state;
    assert_int_equal(dv_resampled_length(16000, 8000, 0), 0);
    assert_int_equal(dv_resampled_length(16000, 8000, 1), 1); /* a half is rounded up */
    assert_int_equal(dv_resampled_length(48000, 8000, 2), 0);
    assert_int_equal(dv_resampled_length(48000, 8000, 3), 1);
    assert_int_equal(dv_resampled_length(44100, 8000, 44100), 8000);
    assert_int_equal(dv_resampled_length(767999, 8000, 767999000), 8000000);
    for (int i = 0; i < SOURCES; i++) {
        dv_resampler *resampler = resampler_to(8000);
        for (int64_t count = 0; count < 5; count++) {
            sound s = noise(count, 3), out = resampled(resampler, sources[i], &s, 1, 1);
            assert_int_equal(out.count, llround((double)(count * 8000) / (double)sources[i]));
            free(s.samples);
            free(out.samples);
        }
        dv_resampler_free(resampler);
    }
}

static void test_same_rate(void **state)
{
    (void)state;
    dv_resampler *resampler = resampler_to(16000);
    sound s = noise(1000, 5), out = resampled(resampler, 16000, &s, 30, 1);
    assert_memory_equal(s.samples, out.samples, 1000 * sizeof(float));
    free(s.samples);
    free(out.samples);
    dv_resampler_free(resampler);
}

/* A file may name any rate. No rate makes filters that take long to design or much memory. */
static void test_size_is_bounded(void **state)
{
    static const int64_t to[] = {DV_AUDIO_MIN_RATE, 997, 8000, 44100, DV_AUDIO_MAX_RATE};
    static const int64_t from[] = {
        DV_AUDIO_MAX_RATE, 767999, 767957, 500009, 48001, 8001, 1013, 1000, 101, 100};
    (void)state;
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        dv_resampler *resampler = resampler_to(to[i]);
        for (size_t k = 0; k < sizeof from / sizeof from[0]; k++) {
            size_t before = dv_resampler_size(resampler);
            assert_int_equal(dv_resampler_begin(resampler, from[k]), DV_OK);
            assert_true(dv_resampler_size(resampler) < before + ((size_t)1 << 20));
        }
        size_t size = dv_resampler_size(resampler);
        for (size_t k = 2; k < sizeof from / sizeof from[0]; k++)
            assert_int_equal(dv_resampler_begin(resampler, from[k]), DV_OK);
        assert_int_equal(dv_resampler_size(resampler), size); /* all eight filters were kept */
        dv_resampler_free(resampler);
    }
}

static void test_bad_rates(void **state)
{
    (void)state;
    dv_resampler *resampler;
    assert_int_equal(dv_resampler_create(DV_AUDIO_MIN_RATE - 1, &resampler), DV_EARG);
    assert_null(resampler);
    assert_int_equal(dv_resampler_create(DV_AUDIO_MAX_RATE + 1, &resampler), DV_EARG);
    dv_resampler_free(NULL);
    resampler = resampler_to(8000);
    assert_int_equal(dv_resampler_begin(resampler, DV_AUDIO_MIN_RATE - 1), DV_EARG);
    assert_int_equal(dv_resampler_begin(resampler, DV_AUDIO_MAX_RATE + 1), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "768001 Hz"));
    dv_resampler_free(resampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_change_nothing),
        cmocka_unit_test(test_sounds_are_apart),
        cmocka_unit_test(test_ideal_resampling),
        cmocka_unit_test(test_tones),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_same_rate),
        cmocka_unit_test(test_size_is_bounded),
        cmocka_unit_test(test_bad_rates),
    };
    return cmocka_run_group_tests_name("resample", tests, NULL, NULL);
}
