/* Stretches of sound files, and the lengths of the files. */
#include "frontends/audio/audio.h"
#include "tests/support/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RATE = 8000, SECONDS = 7, FRAMES = RATE * SECONDS };

/* Makes 7 s of a tone that rises from 100 to 700 Hz, so that each moment sounds different. */
static float *sweep(void)
{
    float *samples = calloc(FRAMES, sizeof *samples);
    assert_non_null(samples);
    double phase = 0;
    for (int i = 0; i < FRAMES; i++) {
        phase += 2 * acos(-1.0) * (100 + 600.0 * i / FRAMES) / RATE;
        samples[i] = (float)(0.5 * sin(phase));
    }
    return samples;
}

static void write_sweep(const scratch *folder, const char *name, int format,
                        char path[SCRATCH_PATH_SIZE])
{
    scratch_path(folder, name, path);
    float *samples = sweep();
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = format};
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    assert_int_equal(sf_writef_float(file, samples, FRAMES), FRAMES);
    sf_close(file);
    free(samples);
}

/* A stretch has the same samples as in the whole file, in every format, however short the longest
   clip may be. */
static void same_samples(void **state)
{
    static const struct {
        const char *name;
        int format;
    } formats[] = {{"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16},
                   {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16},
                   {"a.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
                   {"a.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16}};
    static const double starts[] = {0, 0.001, 2.345, SECONDS - 1};
    for (size_t k = 0; k < sizeof formats / sizeof formats[0]; k++) {
        char path[SCRATCH_PATH_SIZE];
        dv_audio whole;
        double seconds;
        write_sweep(*state, formats[k].name, formats[k].format, path);
        assert_int_equal(dv_audio_read(path, RATE, SECONDS, NULL, &whole), DV_OK);
        assert_int_equal(dv_audio_seconds(path, &seconds), DV_OK);
        assert_true(seconds == SECONDS);
        for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
            dv_audio part;
            assert_int_equal(dv_audio_read_stretch(path, RATE, starts[i], 1, NULL, &part), DV_OK);
            assert_int_equal(part.count, RATE);
            int64_t first = llround(starts[i] * RATE);
            for (int64_t n = 0; n < part.count; n++)
                assert_true(fabsf(part.samples[n] - whole.samples[first + n]) < 1e-3F);
            dv_audio_free(&part);
        }
        dv_audio_free(&whole);
    }
}

static void at_another_rate(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_audio part;
    write_sweep(*state, "a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, path);
    assert_int_equal(dv_audio_read_stretch(path, 16000, 3, 0.5, NULL, &part), DV_OK);
    assert_int_equal(part.count, 8000);
    assert_int_equal(part.sample_rate, 16000);
    dv_audio_free(&part);
}

static void beyond_the_end(void **state)
{
    static const struct {
        double start, length;
        const char *part;
    } cases[] = {{6.5, 1, "a.wav: ends before 7.5 s"}, {8, 1, "a.wav: cannot be read from 8 s on"}};
    char path[SCRATCH_PATH_SIZE];
    dv_audio part;
    double seconds;
    write_sweep(*state, "a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            dv_audio_read_stretch(path, RATE, cases[i].start, cases[i].length, NULL, &part),
            DV_EFORMAT);
        if (strstr(dv_error_message(), cases[i].part) == NULL)
            fail_msg("%s", dv_error_message());
        assert_null(part.samples);
    }
    scratch_path(*state, "b.wav", path);
    assert_int_equal(dv_audio_seconds(path, &seconds), DV_EIO);
    file_store(path, "no sound at all", 15);
    assert_int_equal(dv_audio_seconds(path, &seconds), DV_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_samples),
        cmocka_unit_test(at_another_rate),
        cmocka_unit_test(beyond_the_end),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
