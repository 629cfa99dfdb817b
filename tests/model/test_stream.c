/* Streams answer each window as a session answers the same samples of the whole recording, to the
   bit, whatever the pieces are. */
#include "engine/base/rng.h"
#include "frontends/audio/resample.h"
#include "frontends/model/session.h"
#include "tests/support/counted_allocation.h"
#include "tests/support/must.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { RATE = 8000, CLASSES = 10, WINDOW = 8000, MOST_WINDOWS = 64, CHUNKINGS = 250 };

typedef struct rig {
    dv_model *model;
    dv_session *session, *other; /* for the stream, and for the wanted answers */
    dv_rng rng;
    uint32_t drawn;
} rig;

static int open_rig(void **state)
{
    rig *r = allocated(1, sizeof *r);
    must(dv_model_open("checkpoints/lightweight.safetensors", NULL, &r->model));
    must(dv_session_create(r->model, NULL, &r->session));
    must(dv_session_create(r->model, NULL, &r->other));
    r->rng = (dv_rng){.seed = 5, .use = DV_RNG_TEST};
    assert_int_equal(dv_model_sample_rate(r->model), RATE);
    assert_true(dv_model_window(r->model) == 1.0);
    *state = r;
    return 0;
}

static int close_rig(void **state)
{
    rig *r = *state;
    dv_session_free(r->session);
    dv_session_free(r->other);
    dv_model_close(r->model);
    free(r);
    return 0;
}

static size_t draw(rig *r, size_t most)
{
    return 1 + (size_t)(dv_rng_uniform(&r->rng, r->drawn++) * (double)most) % most;
}

/* Makes bursts of noise, like words. */
static float *make_sound(rig *r, size_t count, int64_t rate)
{
    float *samples = allocated(count, sizeof *samples);
    for (size_t i = 0; i < count; i++) {
        double swell = sin(3.14159 * (double)i / (0.7 * (double)rate));
        samples[i] = 0.2F * (float)(swell * swell * dv_rng_normal(&r->rng, r->drawn++)) + 0.01F;
    }
    return samples;
}

typedef struct heard {
    size_t count;
    double from[MOST_WINDOWS], to[MOST_WINDOWS];
    float answers[MOST_WINDOWS][CLASSES];
} heard;

static void poll_all(dv_stream *stream, heard *out)
{
    dv_stream_window window;
    int there;
    for (;;) {
        must(dv_stream_poll(stream, &window, &there));
        if (!there)
            return;
        assert_true(out->count < MOST_WINDOWS);
        out->from[out->count] = window.from;
        out->to[out->count] = window.to;
        memcpy(out->answers[out->count++], window.probabilities, sizeof out->answers[0]);
    }
}

/* The whole recording at the model's rate. *count becomes its number of samples. */
static float *resampled(const float *samples, size_t given, int64_t rate, size_t *count)
{
    dv_resampler *resampler;
    must(dv_resampler_create(RATE, &resampler));
    must(dv_resampler_begin(resampler, rate));
    float *out = allocated(given * RATE / (size_t)rate + 10, sizeof *out);
    int64_t got = dv_resampler_push(resampler, samples, (int64_t)given, out);
    got += dv_resampler_end(resampler, out + got);
    dv_resampler_free(resampler);
    *count = (size_t)got;
    return out;
}

/* A session answers the windows of the whole recording. */
static void answer_offline(rig *r, const float *samples, size_t count, size_t hop, heard *out)
{
    size_t from = 0, end = 0;
    out->count = 0;
    while (end < count) {
        bool last = from + WINDOW > count;
        if (last)
            from = count > WINDOW ? count - WINDOW : 0;
        end = from + WINDOW < count ? from + WINDOW : count;
        const dv_sound sound = {
            .samples = samples + from, .count = end - from, .sample_rate = RATE};
        out->from[out->count] = (double)from / RATE;
        out->to[out->count] = (double)end / RATE;
        must(dv_session_sound(r->other, &sound, out->answers[out->count++], NULL));
        from += hop;
        if (!last && from + WINDOW > count && end == count)
            break;
    }
}

static void assert_same(const heard *got, const heard *wanted)
{
    assert_int_equal(got->count, wanted->count);
    for (size_t i = 0; i < wanted->count; i++) {
        assert_true(got->from[i] == wanted->from[i] && got->to[i] == wanted->to[i]);
        assert_memory_equal(got->answers[i], wanted->answers[i], sizeof wanted->answers[i]);
    }
}

/* A stream gets the samples in pieces of 1 to 4,000, and is polled now and then. */
static void give_in_pieces(rig *r, dv_stream *stream, const float *samples, size_t count,
                           heard *out)
{
    out->count = 0;
    size_t most = draw(r, 10) > 1 ? 4000 : 40;
    for (size_t at = 0; at < count;) {
        size_t piece = draw(r, most);
        piece = piece < count - at ? piece : count - at;
        must(dv_stream_accept(stream, samples + at, piece));
        at += piece;
        if (draw(r, 3) == 1)
            poll_all(stream, out);
    }
    must(dv_stream_end(stream));
    poll_all(stream, out);
}

static void pieces_change_no_bit(void **state)
{
    static const int64_t rates[] = {8000, 16000, 44100, 48000};
    rig *r = *state;
    heard *wanted = allocated(1, sizeof *wanted), *got = allocated(1, sizeof *got);
    for (size_t k = 0; k < 4; k++) {
        const dv_stream_options options = {
            .size = sizeof options, .sample_rate = rates[k], .hop = 0.375};
        dv_stream *stream;
        must(dv_stream_create(r->session, &options, &stream));
        for (int i = 0; i < CHUNKINGS; i++) {
            size_t count = draw(r, (size_t)(3 * rates[k])), at_rate;
            float *samples = make_sound(r, count, rates[k]);
            float *whole = resampled(samples, count, rates[k], &at_rate);
            give_in_pieces(r, stream, samples, count, got);
            answer_offline(r, whole, at_rate, 3000, wanted);
            assert_same(got, wanted);
            dv_stream_reset(stream);
            free(whole);
            free(samples);
        }
        dv_stream_free(stream);
    }
    free(got);
    free(wanted);
}

static void samples_of_16_bits_are_the_same(void **state)
{
    rig *r = *state;
    enum { COUNT = 40000 };
    heard *wanted = allocated(1, sizeof *wanted), *got = allocated(1, sizeof *got);
    const dv_stream_options options = {.size = sizeof options, .sample_rate = 16000};
    dv_stream *stream;
    float *samples = make_sound(r, COUNT, 16000);
    int16_t *shorts = allocated(COUNT, sizeof *shorts);
    for (int i = 0; i < COUNT; i++) {
        shorts[i] = (int16_t)lrintf(32768 * samples[i]);
        samples[i] = (float)shorts[i] / 32768;
    }
    must(dv_stream_create(r->session, &options, &stream));
    give_in_pieces(r, stream, samples, COUNT, wanted);
    dv_stream_reset(stream);
    must(dv_stream_accept_int16(stream, shorts, COUNT));
    poll_all(stream, got);
    must(dv_stream_end(stream));
    must(dv_stream_end(stream));
    poll_all(stream, got);
    assert_same(got, wanted);
    dv_stream_free(stream);
    free(shorts);
    free(samples);
    free(got);
    free(wanted);
}

static void nothing_is_allocated_once_it_runs(void **state)
{
    rig *r = *state;
    enum { COUNT = 48000 };
    heard *got = allocated(1, sizeof *got);
    const dv_stream_options options = {.size = sizeof options, .sample_rate = 48000};
    dv_stream *stream;
    float *samples = make_sound(r, COUNT, COUNT);
    must(dv_stream_create(r->session, &options, &stream));
    int64_t before = 0;
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < COUNT; k += 480)
            must(dv_stream_accept(stream, samples + k, 480));
        poll_all(stream, got);
        if (i == 2)
            before = allocation_count();
    }
    assert_int_equal(allocation_count(), before);
    assert_true(got->count >= 40);
    dv_stream_free(stream);
    free(samples);
    free(got);
}

/* A word is reported once, not in each window that holds it. Smoothing is the mean of windows. */
static void words_are_heard_once(void **state)
{
    rig *r = *state;
    enum { COUNT = 8 * RATE };
    float thresholds[CLASSES], *samples = make_sound(r, COUNT, RATE), *row, means[CLASSES];
    dv_stream *stream;
    dv_stream_window window;
    dv_stream_options options = {.size = sizeof options, .hop = 0.25, .smoothing = 0.5};
    float history[MOST_WINDOWS][CLASSES];
    int there, count = 0, heard_count = 0;
    size_t before = CLASSES;
    for (int k = 0; k < CLASSES; k++)
        thresholds[k] = 0;
    options.thresholds = thresholds;
    must(dv_stream_create(r->session, &options, &stream));
    must(dv_stream_accept(stream, samples, COUNT));
    for (;;) {
        must(dv_stream_poll(stream, &window, &there));
        if (!there)
            break;
        row = history[count++];
        memcpy(row, window.probabilities, sizeof history[0]);
        int averaged = count < 3 ? count : 3;
        size_t best = 0;
        for (size_t k = 0; k < CLASSES; k++) {
            double sum = 0;
            for (int i = count - averaged; i < count; i++)
                sum += (double)history[i][k];
            means[k] = (float)(sum / averaged);
            assert_true(fabsf(means[k] - window.smoothed[k]) < 1e-6F);
            best = window.smoothed[k] > window.smoothed[best] ? k : best;
        }
        assert_int_equal(window.label, best);
        assert_true(window.probability == window.smoothed[best]);
        assert_int_equal(window.heard, best != before); /* all thresholds are 0 */
        heard_count += window.heard;
        before = best;
    }
    assert_int_equal(count, 29);
    assert_in_range(heard_count, 1, count);
    dv_stream_free(stream);

    for (int k = 0; k < CLASSES; k++)
        thresholds[k] = 1.5F;
    must(dv_stream_create(r->session, &options, &stream));
    must(dv_stream_accept(stream, samples, COUNT));
    for (there = 1; there;) {
        must(dv_stream_poll(stream, &window, &there));
        assert_true(!there || !window.heard);
    }
    dv_stream_free(stream);
    free(samples);
}

/* Three hops are four windows, whatever the rounding of the numbers. */
static void smoothing_counts_whole_hops(void **state)
{
    rig *r = *state;
    static const double hops[] = {0.67, 0.11, 0.1}, spans[] = {2.01, 0.33, 0.3};
    float *samples = allocated(4 * WINDOW, sizeof *samples);
    samples[0] = 0.5F;
    for (size_t i = 0; i < sizeof hops / sizeof *hops; i++) {
        float answers[4][CLASSES];
        dv_stream *stream;
        dv_stream_window window;
        int there;
        const dv_stream_options options = {
            .size = sizeof options, .hop = hops[i], .smoothing = spans[i]};
        must(dv_stream_create(r->session, &options, &stream));
        for (int k = 0; k < 5; k++) { /* the first window differs from the rest */
            must(dv_stream_accept(stream, samples,
                                  k == 0 ? WINDOW : (size_t)lround(hops[i] * RATE)));
            must(dv_stream_poll(stream, &window, &there));
            assert_true(there);
            memcpy(answers[k % 4], window.probabilities, sizeof answers[0]);
            samples[0] = 0;
            samples[100 * k + 50] = 0.9F;
        }
        for (size_t k = 0; k < CLASSES; k++) {
            double sum = 0;
            for (int j = 0; j < 4; j++)
                sum += (double)answers[j][k];
            assert_true(fabsf((float)(sum / 4) - window.smoothed[k]) < 1e-6F);
        }
        dv_stream_free(stream);
    }
    free(samples);
}

static void assert_refused(rig *r, dv_stream_options options, const char *message)
{
    dv_stream *stream;
    options.size = sizeof options;
    assert_int_equal(dv_stream_create(r->session, &options, &stream), DV_EARG);
    assert_null(stream);
    if (strstr(dv_error_message(), message) == NULL)
        fail_msg("'%s' is not in: %s", message, dv_error_message());
}

static void what_is_wrong_is_refused(void **state)
{
    rig *r = *state;
    enum { MINUTE = 60 * RATE };
    const float bad[CLASSES] = {0, -1}, loud[] = {0, 20000};
    dv_stream *stream;
    float *samples = allocated(MINUTE + 1, sizeof *samples);
    heard *got = allocated(1, sizeof *got);
    assert_refused(r, (dv_stream_options){.hop = 1.5}, "hop is 1.5 s, must be 0 to 1 s");
    assert_refused(r, (dv_stream_options){.hop = -1}, "hop is -1 s");
    assert_refused(r, (dv_stream_options){.hop = NAN}, "hop is nan");
    assert_refused(r, (dv_stream_options){.hop = 1e-9}, "less than a sample");
    assert_refused(r, (dv_stream_options){.smoothing = 61}, "smoothing is 61 s");
    assert_refused(r, (dv_stream_options){.sample_rate = 7}, "sample rate is 7 Hz");
    assert_refused(r, (dv_stream_options){.thresholds = bad},
                   "the threshold of '1' is -1, must be 0 or more");
    must(dv_stream_create(r->session, NULL, &stream));
    assert_int_equal(dv_stream_accept(stream, loud, 2), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "sample 1 is 20000"));
    assert_int_equal(dv_stream_accept(stream, samples, MINUTE + 1), DV_EARG);
    must(dv_stream_accept(stream, samples, MINUTE - 8));
    assert_int_equal(dv_stream_accept(stream, samples, 9), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "poll it first"));
    must(dv_stream_accept(stream, samples, 8));
    must(dv_stream_end(stream));
    assert_int_equal(dv_stream_accept(stream, samples, 1), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "has ended"));
    dv_stream_reset(stream);
    must(dv_stream_end(stream)); /* without samples there is no window */
    poll_all(stream, got);
    assert_int_equal(got->count, 0);
    dv_stream_free(stream);
    dv_stream_free(NULL);
    free(got);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_change_no_bit),
        cmocka_unit_test(samples_of_16_bits_are_the_same),
        cmocka_unit_test(nothing_is_allocated_once_it_runs),
        cmocka_unit_test(words_are_heard_once),
        cmocka_unit_test(smoothing_counts_whole_hops),
        cmocka_unit_test(what_is_wrong_is_refused),
    };
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
