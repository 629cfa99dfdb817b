#include "frontends/audio/audio.h"
#include "tests/support/scratch.h"

#include <math.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    WAV16 = SF_FORMAT_WAV | SF_FORMAT_PCM_16,
    WAV_FLOAT = SF_FORMAT_WAV | SF_FORMAT_FLOAT,
    HEADER = 44, /* bytes before the samples of a plain 16-bit WAV file */
};

/* Writes samples (frames, channels) with libsndfile. False if it cannot write the format. */
static bool write_sound(const char *path, int format, int rate, int channels, const float *samples,
                        int64_t frames)
{
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (file == NULL)
        return false;
    assert_int_equal(sf_writef_float(file, samples, frames), frames);
    sf_close(file);
    return true;
}

static float *sine(int64_t frames, double hertz, int rate, double amplitude)
{
    float *samples = calloc((size_t)(frames > 0 ? frames : 1), sizeof *samples);
    assert_non_null(samples);
    for (int64_t i = 0; i < frames; i++)
        samples[i] = (float)(amplitude * sin(2 * acos(-1.0) * hertz * (double)i / rate));
    return samples;
}

static void write_sine(const char *path, int format, int rate, int64_t frames)
{
    float *samples = sine(frames, 440, rate, 0.5);
    assert_true(write_sound(path, format, rate, 1, samples, frames));
    free(samples);
}

/* Asserts that the file is refused with this code and a message that names it and contains
   `part`. */
static void assert_refused(const char *path, dv_status code, const char *part)
{
    dv_audio audio = {.samples = (float *)(uintptr_t)1, .count = 2, .sample_rate = 3};
    dv_status status = dv_audio_read(path, 8000, 10, NULL, &audio);
    if (status != code)
        fail_msg("status %d, not %d: %s", (int)status, (int)code, dv_error_message());
    if (strstr(dv_error_message(), part) == NULL || strstr(dv_error_message(), path) == NULL)
        fail_msg("'%s' and '%s' are not in the message: %s", path, part, dv_error_message());
    assert_null(audio.samples);
    assert_int_equal(audio.count, 0);
    assert_int_equal(audio.sample_rate, 0);
}

static void store_little_endian(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* Writes a 16-bit WAV file of `frames` with the bytes at `offset` replaced by a number. */
static void write_patched(const char *path, int64_t frames, size_t offset, uint32_t value)
{
    write_sine(path, WAV16, 8000, frames);
    size_t size = 0;
    unsigned char *bytes = file_load(path, &size);
    assert_int_equal(size, HEADER + 2 * frames);
    assert_memory_equal(bytes + 36, "data", 4);
    store_little_endian(bytes + offset, value);
    file_store(path, bytes, size);
    free(bytes);
}

static void test_no_sound_file(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "missing.wav", path);
    assert_refused(path, DV_EIO, "No such file");
    scratch_path(*state, "folder.wav", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(path, DV_EIO, "is a directory");
    assert_int_equal(rmdir(path), 0);
    scratch_path(*state, "pipe.wav", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, DV_EIO, "not a regular file");
    assert_refused("/dev/null", DV_EIO, "not a regular file");
    scratch_path(*state, "empty.wav", path);
    file_store(path, "", 0);
    assert_refused(path, DV_EFORMAT, "empty");
    scratch_path(*state, "text.wav", path);
    static const char text[] = "RIFF is what this text begins with, and nothing more.\n";
    file_store(path, text, sizeof text - 1);
    assert_refused(path, DV_EFORMAT, "is a text, not a sound file");
    file_store(path, "x", 1);
    assert_refused(path, DV_EFORMAT, "is a text, not a sound file");
}

static void test_no_samples(void **state)
{
    static const int formats[] = {WAV16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    for (int i = 0; i < 2; i++) {
        char path[SCRATCH_PATH_SIZE];
        scratch_path(*state, "nothing", path);
        float unused = 0;
        assert_true(write_sound(path, formats[i], 8000, 1, &unused, 0));
        assert_refused(path, DV_EFORMAT, "");
    }
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "nothing.wav", path);
    write_sine(path, WAV16, 8000, 0);
    assert_refused(path, DV_EFORMAT, "holds no samples");
    write_sine(path, WAV16, 48000, 1);
    dv_audio audio;
    if (dv_audio_read(path, 8000, 10, NULL, &audio) == DV_OK)
        assert_true(audio.count >= 1);
    dv_audio_free(&audio);
}

static void test_truncated(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "cut.wav", path);
    write_sine(path, WAV16, 8000, 8000);
    assert_int_equal(truncate(path, HEADER + 5000), 0);
    assert_refused(path, DV_EFORMAT, "promises 16000 bytes of samples, 5000 are there");
    write_sine(path, WAV16, 8000, 8000);
    assert_int_equal(truncate(path, 16000 - 1), 0); /* more than a header's length is missing */
    assert_refused(path, DV_EFORMAT, "truncated");
    write_sine(path, WAV16, 8000, 8000);
    assert_int_equal(truncate(path, HEADER), 0);
    assert_refused(path, DV_EFORMAT, "truncated");
    for (int size = 1; size < HEADER; size++) {
        write_sine(path, WAV16, 8000, 100);
        assert_int_equal(truncate(path, size), 0);
        assert_refused(path, DV_EFORMAT, "");
    }
}

static void test_truncated_compressed(void **state)
{
    static const struct {
        int format;
        double least; /* smallest share of the file that is kept */
    } cases[] = {
        {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 0.05},
        {SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.05},
        {SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 0.05},
    };
    float *samples = sine(72000, 440, 8000, 0.5);
    for (int64_t k = 0; k < 72000; k++)
        samples[k] += 0.2F * (float)sin((double)(k * k));
    for (int i = 0; i < 3; i++) {
        char path[SCRATCH_PATH_SIZE];
        scratch_path(*state, "cut", path);
        if (!write_sound(path, cases[i].format, 8000, 1, samples, 72000)) {
            print_message("not tested: libsndfile does not write format 0x%x\n", cases[i].format);
            continue;
        }
        struct stat facts;
        assert_int_equal(stat(path, &facts), 0);
        for (double share = 0.95; share > cases[i].least; share -= 0.15) {
            assert_int_equal(truncate(path, (off_t)((double)facts.st_size * share)), 0);
            assert_refused(path, DV_EFORMAT, i == 1 ? "truncated" : "");
        }
    }
    free(samples);
}

/* Writers that cannot seek back leave these sizes. The samples then reach to the end of the file.
 */
static void test_streaming_headers(void **state)
{
    static const uint32_t sizes[] = {0xFFFFFFFFU, 0x7FFFFFFFU, 0x7FFFF000U};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "stream.wav", path);
    for (int i = 0; i < 3; i++) {
        dv_audio audio;
        write_patched(path, 8000, 40, sizes[i]);
        if (dv_audio_read(path, 8000, 10, NULL, &audio) != DV_OK)
            fail_msg("size 0x%x: %s", sizes[i], dv_error_message());
        assert_int_equal(audio.count, 8000);
        dv_audio_free(&audio);
    }
}

static void test_absurd_headers(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "absurd.wav", path);
    write_patched(path, 100, 24, 0);
    assert_refused(path, DV_EFORMAT, "");
    write_patched(path, 100, 24, 1);
    assert_refused(path, DV_EFORMAT, "sample rate is 1 Hz");
    write_patched(path, 100, 24, 0x7FFFFFFF);
    assert_refused(path, DV_EFORMAT, "sample rate is 2147483647 Hz");
    write_patched(path, 100, 24, 0xFFFFFFFF);
    assert_refused(path, DV_EFORMAT, "");
    write_patched(path, 100, 20, 0x00000001); /* PCM, 0 channels */
    assert_refused(path, DV_EFORMAT, "");
    write_patched(path, 100, 20, 0xFFFF0001); /* PCM, 65535 channels */
    assert_refused(path, DV_EFORMAT, "");
    float *samples = sine(100 * 65, 440, 8000, 0.5);
    assert_true(write_sound(path, WAV16, 8000, 65, samples, 100));
    free(samples);
    assert_refused(path, DV_EFORMAT, "has 65 channels");
}

/* Writes a header and a hole: 2 GB that take no space on the disk and must take none in memory. */
static void write_sparse(const char *path, uint32_t promised)
{
    write_patched(path, 100, 40, promised);
    assert_int_equal(truncate(path, (off_t)HEADER + 2000000000), 0);
}

static void test_too_long(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "long.wav", path);
    write_sparse(path, 2000000000U);
    assert_refused(path, DV_EFORMAT, "is too long: 125000.0 s, at most 10 s");
    write_sparse(path, 0xFFFFFFFFU);
    assert_refused(path, DV_EFORMAT, "is too long");
    write_sine(path, WAV16, 8000, 80001);
    assert_refused(path, DV_EFORMAT, "is too long: 10.0 s, at most 10 s");
    write_sine(path, WAV16, 8000, 80000);
    dv_audio audio;
    assert_int_equal(dv_audio_read(path, 8000, 10, NULL, &audio), DV_OK);
    assert_int_equal(audio.count, 80000);
    dv_audio_free(&audio);
}

static void test_samples_that_are_no_numbers(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 1e30F};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "bad.wav", path);
    for (int i = 0; i < 4; i++) {
        float *samples = sine(6000, 440, 8000, 0.5);
        samples[5000] = bad[i];
        assert_true(write_sound(path, WAV_FLOAT, 8000, 1, samples, 6000));
        free(samples);
        assert_refused(path, DV_EFORMAT, i < 3 ? "sample 5000 is not a finite number" : "1e+30");
    }
    /* Infinities of both signs mix to NaN, not to 0. */
    float pair[2] = {INFINITY, -INFINITY};
    assert_true(write_sound(path, WAV_FLOAT, 8000, 2, pair, 1));
    assert_refused(path, DV_EFORMAT, "sample 0 is not a finite number");
}

static void test_bad_arguments(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_audio audio;
    scratch_path(*state, "good.wav", path);
    write_sine(path, WAV16, 8000, 100);
    assert_int_equal(dv_audio_read(path, 0, 10, NULL, &audio), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "0 Hz"));
    assert_int_equal(dv_audio_read(path, 8000, 0, NULL, &audio), DV_EARG);
    assert_int_equal(dv_audio_read(path, 8000, NAN, NULL, &audio), DV_EARG);
    assert_non_null(strstr(dv_error_message(), path));
}

static void test_stereo_is_mixed(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "stereo.wav", path);
    float *samples = calloc(2 * 5000, sizeof *samples);
    assert_non_null(samples);
    for (int i = 0; i < 5000; i++) {
        samples[2 * i] = (float)i / 5000;
        samples[2 * i + 1] = -0.5F;
    }
    assert_true(write_sound(path, WAV_FLOAT, 8000, 2, samples, 5000));
    dv_audio audio;
    assert_int_equal(dv_audio_read(path, 8000, 10, NULL, &audio), DV_OK);
    assert_int_equal(audio.count, 5000);
    for (int i = 0; i < 5000; i++)
        assert_true(fabs((double)audio.samples[i] - ((double)i / 5000 - 0.5) / 2) < 1e-6);
    dv_audio_free(&audio);
    free(samples);
}

/* The amplitude of a frequency in the middle half of a clip. */
static double amplitude_at(const dv_audio *audio, double hertz)
{
    double re = 0;
    double im = 0;
    int64_t from = audio->count / 4;
    int64_t count = audio->count / 2;
    for (int64_t i = 0; i < count; i++) {
        double hann = 1 - cos(2 * acos(-1.0) * (double)i / (double)count);
        double phase = 2 * acos(-1.0) * hertz * (double)(from + i) / (double)audio->sample_rate;
        re += hann * (double)audio->samples[from + i] * cos(phase);
        im += hann * (double)audio->samples[from + i] * sin(phase);
    }
    return 2 * sqrt(re * re + im * im) / (double)count;
}

/* Makes `count` samples of 1 kHz at one rate, without a file. */
static dv_audio tone(int rate, int64_t count)
{
    return (dv_audio){.samples = sine(count, 1000, rate, 0.5), .count = count, .sample_rate = rate};
}

static void check_resampled(const scratch *folder, int from, int64_t to)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(folder, "tone.wav", path);
    float *samples = sine(from, 1000, from, 0.5);
    for (int64_t i = 0; i < from && from > 12000; i++) /* above half the new rate, must vanish */
        samples[i] += (float)(0.3 * sin(2 * acos(-1.0) * 6000 * (double)i / from));
    assert_true(write_sound(path, WAV_FLOAT, from, 1, samples, from));
    free(samples);
    dv_audio audio;
    assert_int_equal(dv_audio_read(path, to, 10, NULL, &audio), DV_OK);
    assert_int_equal(audio.sample_rate, to);
    assert_in_range(audio.count, to - 1, to + 1);
    assert_true(fabs(amplitude_at(&audio, 1000) - 0.5) < 1e-3);
    assert_true(amplitude_at(&audio, 1040) < 1e-3);
    assert_true(to > 8000 || amplitude_at(&audio, 2000) < 1e-3); /* 6000 Hz would fold to 2000 */
    for (int64_t i = 0; i < audio.count; i++)
        assert_true(isfinite(audio.samples[i]));
    dv_audio_free(&audio);
}

static void test_resampling(void **state)
{
    check_resampled(*state, 16000, 8000);
    check_resampled(*state, 44100, 8000);
    check_resampled(*state, 48000, 8000);
    check_resampled(*state, 8000, 16000);
    check_resampled(*state, 11025, 8000);
}

/* The samples are those of the tone at the other rate, so nothing is late or early. */
static void test_resampling_keeps_time(void **state)
{
    static const int rates[][2] = {{16000, 8000}, {44100, 8000}, {48000, 16000}, {8000, 22050}};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        int to = rates[i][1];
        dv_audio audio = tone(rates[i][0], rates[i][0]);
        assert_int_equal(dv_audio_resample("tone", to, NULL, &audio), DV_OK);
        assert_int_equal(audio.count, to);
        float *wanted = sine(to, 1000, to, 0.5);
        for (int k = to / 8; k < to - to / 8; k++)
            assert_float_equal(audio.samples[k], wanted[k], 8e-6F);
        free(wanted);
        dv_audio_free(&audio);
    }
}

/* Tones nearly up to half the lower rate stay; tones above it vanish. */
static void test_resampling_keeps_the_band(void **state)
{
    static const struct {
        double hertz, least, most;
    } tones[] = {{3000, 0.4999, 0.5001}, {3800, 0.4999, 0.5001}, {4180, 0, 1e-5}, {4500, 0, 1e-5}};
    (void)state;
    for (size_t i = 0; i < sizeof tones / sizeof tones[0]; i++) {
        dv_audio audio = {.samples = sine(16000, tones[i].hertz, 16000, 0.5),
                          .count = 16000,
                          .sample_rate = 16000};
        double folded = tones[i].hertz > 4000 ? 8000 - tones[i].hertz : tones[i].hertz;
        assert_int_equal(dv_audio_resample("tone", 8000, NULL, &audio), DV_OK);
        double got = amplitude_at(&audio, folded);
        if (!(got >= tones[i].least && got <= tones[i].most))
            fail_msg("%g Hz of 0.5 became %g", tones[i].hertz, got);
        dv_audio_free(&audio);
    }
}

static void test_resampling_at_its_limits(void **state)
{
    static const struct {
        int from, to, count;
    } cases[] = {{DV_AUDIO_MAX_RATE, 1000, DV_AUDIO_MAX_RATE},
                 {DV_AUDIO_MIN_RATE, 192000, 100},
                 {DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE, 10},
                 {44100, 8000, 6},
                 {8000, 44100, 1},
                 {47999, 8001, 47999}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_audio audio = tone(cases[i].from, cases[i].count);
        int64_t exact = (int64_t)round((double)cases[i].count * cases[i].to / cases[i].from);
        assert_int_equal(dv_audio_resample("tone", cases[i].to, NULL, &audio), DV_OK);
        assert_in_range(audio.count, exact - 1, exact + 1);
        for (int64_t k = 0; k < audio.count; k++)
            assert_true(fabsf(audio.samples[k]) < 0.75F);
        dv_audio_free(&audio);
    }
    dv_audio few = tone(DV_AUDIO_MAX_RATE, 1);
    assert_int_equal(dv_audio_resample("few", 1000, NULL, &few), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "few: holds too few samples (1 at 768000 Hz)"));
    assert_int_equal(few.count, 1);
    dv_audio_free(&few);
}

/* Files of several rates give the same with one shared resampler as with one resampler each. */
static void test_reading_with_a_resampler(void **state)
{
    static const int rates[] = {16000, 44100, 8000, 16000, 48000, 44100};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "kept.wav", path);
    dv_resampler *resampler;
    assert_int_equal(dv_resampler_create(8000, &resampler), DV_OK);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        dv_audio kept, own;
        write_sine(path, WAV16, rates[i], rates[i] / 4);
        assert_int_equal(dv_audio_read(path, 8000, 10, resampler, &kept), DV_OK);
        assert_int_equal(dv_audio_read(path, 8000, 10, NULL, &own), DV_OK);
        assert_int_equal(kept.count, 2000);
        assert_int_equal(own.count, 2000);
        assert_memory_equal(kept.samples, own.samples, 2000 * sizeof(float));
        dv_audio_free(&kept);
        dv_audio_free(&own);
    }
    dv_resampler_free(resampler);
}

static void test_formats(void **state)
{
    static const struct {
        const char *name;
        int format;
        double tolerance;
    } cases[] = {
        {"tone.wav", WAV16, 1e-3},
        {"tone24.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 1e-3},
        {"tone.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1e-3},
        {"tone.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0.03},
        {"tone.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 0.03},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[SCRATCH_PATH_SIZE];
        dv_audio audio;
        scratch_path(*state, cases[i].name, path);
        float *samples = sine(16000, 440, 16000, 0.5);
        bool made = write_sound(path, cases[i].format, 16000, 1, samples, 16000);
        free(samples);
        if (!made) {
            print_message("not tested: libsndfile does not write %s\n", cases[i].name);
            continue;
        }
        if (dv_audio_read(path, 8000, 10, NULL, &audio) != DV_OK)
            fail_msg("%s", dv_error_message());
        assert_in_range(audio.count, 7999, 8001);
        assert_true(fabs(amplitude_at(&audio, 440) - 0.5) < cases[i].tolerance);
        dv_audio_free(&audio);
    }
}

/* An MP3 file of constant bit rate has no mark with its length. It is read to its end. */
static void test_mp3_without_length(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "plain.mp3", path);
    SF_INFO info = {.samplerate = 16000, .channels = 1};
    info.format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (file == NULL) {
        print_message("skipped: libsndfile does not write MP3\n");
        skip();
    }
    int mode = SF_BITRATE_MODE_CONSTANT;
    sf_command(file, SFC_SET_BITRATE_MODE, &mode, sizeof mode);
    float *samples = sine(80000, 440, 16000, 0.5);
    assert_int_equal(sf_writef_float(file, samples, 80000), 80000);
    sf_close(file);
    free(samples);
    dv_audio audio;
    if (dv_audio_read(path, 16000, 10, NULL, &audio) != DV_OK)
        fail_msg("%s", dv_error_message());
    assert_in_range(audio.count, 80000, 84000);
    dv_audio_free(&audio);
    struct stat facts;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(truncate(path, facts.st_size * 3 / 4 + 5), 0);
    assert_int_equal(dv_audio_read(path, 16000, 10, NULL, &audio), DV_OK);
    assert_in_range(audio.count, 58000, 64000);
    dv_audio_free(&audio);
    assert_int_equal(dv_audio_read(path, 16000, 2, NULL, &audio), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "is too long: more than 2 s"));
}

static void test_write_wav(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "out.wav", path);
    float values[5] = {0, 0.5F, -1, 3, -3};
    dv_audio audio = {.samples = values, .count = 5, .sample_rate = 8000};
    dv_audio back;
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_OK);
    assert_int_equal(dv_audio_read(path, 8000, 1, NULL, &back), DV_OK);
    assert_int_equal(back.count, 5);
    static const float expected[5] = {0, 0.5F, -1, 32767.0F / 32768, -1};
    for (int i = 0; i < 5; i++)
        assert_true(back.samples[i] == expected[i]);
    dv_audio_free(&back);
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    assert_non_null(file);
    assert_int_equal(info.format, WAV16);
    sf_close(file);
}

static void test_write_wav_refusals(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    float value = NAN;
    dv_audio audio = {.samples = &value, .count = 1, .sample_rate = 8000};
    scratch_path(*state, "out.wav", path);
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_ENUMERIC);
    assert_non_null(strstr(dv_error_message(), path));
    assert_int_equal(access(path, F_OK), -1); /* no partial clip is left */
    value = 0;
    audio.sample_rate = 0;
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_EARG);
    audio.sample_rate = 8000;
    scratch_path(*state, "missing/out.wav", path);
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_EIO);
    assert_non_null(strstr(dv_error_message(), path));
    if (access("/dev/full", W_OK) == 0)
        assert_int_equal(dv_audio_write_wav("/dev/full", &audio), DV_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_sound_file),
        cmocka_unit_test(test_no_samples),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_truncated_compressed),
        cmocka_unit_test(test_streaming_headers),
        cmocka_unit_test(test_absurd_headers),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_samples_that_are_no_numbers),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_stereo_is_mixed),
        cmocka_unit_test(test_resampling),
        cmocka_unit_test(test_resampling_keeps_time),
        cmocka_unit_test(test_resampling_keeps_the_band),
        cmocka_unit_test(test_resampling_at_its_limits),
        cmocka_unit_test(test_reading_with_a_resampler),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_mp3_without_length),
        cmocka_unit_test(test_write_wav),
        cmocka_unit_test(test_write_wav_refusals),
    };
    return cmocka_run_group_tests_name("audio", tests, scratch_setup, scratch_teardown);
}
