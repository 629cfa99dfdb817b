/* Sound files with wrong headers, and read errors of the system. */
#include "frontends/audio/audio.h"
#include "tests/support/scratch.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAMES = 24000, RATE = 8000, LOUD = 12000 };

/* ---- Files ---- */

typedef struct bytes {
    unsigned char *at; /* (size), owned */
    size_t size;
} bytes;

/* Makes FRAMES samples of a quiet tone, then LOUD samples of noise, so that the first frame of an
   MP3 file differs from the others. */
static void make_sound(float *samples)
{
    for (int i = 0; i < FRAMES; i++)
        samples[i] = 0.01F * (float)sin(0.3 * i) +
                     (i >= LOUD ? 0.4F * (float)sin((double)i * (double)i) : 0);
}

/* Writes the same samples with libsndfile. False if it cannot write the format. */
static bool make_file(const char *path, int format, bool variable_rate, bytes *out)
{
    float samples[FRAMES];
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = format};
    SNDFILE *file = sf_format_check(&info) ? sf_open(path, SFM_WRITE, &info) : NULL;
    if (file == NULL) {
        print_message("not tested: libsndfile does not write format 0x%x\n", (unsigned)format);
        return false;
    }
    int mode = variable_rate ? SF_BITRATE_MODE_VARIABLE : SF_BITRATE_MODE_CONSTANT;
    sf_command(file, SFC_SET_BITRATE_MODE, &mode, sizeof mode);
    make_sound(samples);
    assert_int_equal(sf_writef_float(file, samples, FRAMES), FRAMES);
    sf_close(file);
    out->at = file_load(path, &out->size);
    return true;
}

static size_t find(const bytes *file, const char *text)
{
    for (size_t i = 0; i + 4 <= file->size; i++) {
        if (memcmp(file->at + i, text, 4) == 0)
            return i;
    }
    fail_msg("no '%s' in the file", text);
    return 0;
}

static void put(unsigned char *at, const char *text, size_t count)
{
    memcpy(at, text, count);
}

static void store_number(unsigned char *at, uint64_t value, int width, bool big)
{
    for (int i = 0; i < width; i++)
        at[big ? width - 1 - i : i] = (unsigned char)(value >> 8 * i);
}

static uint64_t load_number(const unsigned char *at, int width, bool big)
{
    uint64_t value = 0;
    for (int i = 0; i < width; i++)
        value |= (uint64_t)at[big ? width - 1 - i : i] << 8 * i;
    return value;
}

/* ---- Expected results ---- */

/* Asserts that the file is read with these remarks. */
static dv_audio read_good(const char *path, unsigned remarks)
{
    dv_audio audio;
    if (dv_audio_read(path, RATE, 10, NULL, &audio) != DV_OK)
        fail_msg("%s", dv_error_message());
    if (audio.facts.remarks != remarks)
        fail_msg("%s: remarks 0x%x, not 0x%x", path, audio.facts.remarks, remarks);
    return audio;
}

static void assert_reads(const char *path, int64_t count, unsigned remarks)
{
    dv_audio audio = read_good(path, remarks);
    assert_int_equal(audio.count, count);
    dv_audio_free(&audio);
}

static void assert_refused(const char *path, dv_status code, const char *part)
{
    dv_audio audio;
    dv_status status = dv_audio_read(path, RATE, 10, NULL, &audio);
    if (status != code)
        fail_msg("%s: status %d, not %d: %s", path, (int)status, (int)code, dv_error_message());
    if (strstr(dv_error_message(), part) == NULL || strstr(dv_error_message(), path) == NULL)
        fail_msg("'%s' and '%s' are not in the message: %s", path, part, dv_error_message());
    assert_null(audio.samples);
}

/* ---- Containers ---- */

static const struct container {
    int format;
    const char *name, *chunk; /* text that marks the chunk */
    int behind, width;        /* bytes from this text to the size; bytes of the size */
    bool big;                 /* the size is big-endian */
} containers[] = {
    {SF_FORMAT_WAV, "a.wav", "data", 4, 4, false},
    {SF_FORMAT_WAV | SF_ENDIAN_BIG, "rifx.wav", "data", 4, 4, true},
    {SF_FORMAT_WAVEX, "wavex.wav", "data", 4, 4, false},
    {SF_FORMAT_RF64, "rf64.wav", "ds64", 16, 8, false},
    {SF_FORMAT_AIFF, "a.aiff", "SSND", 4, 4, true},
    {SF_FORMAT_AIFF | SF_ENDIAN_LITTLE, "a.aifc", "SSND", 4, 4, true},
    {SF_FORMAT_AU, "a.au", ".snd", 8, 4, true},
    {SF_FORMAT_AU | SF_ENDIAN_LITTLE, "little.au", "dns.", 8, 4, false},
    {SF_FORMAT_W64, "a.w64", "data", 16, 8, false},
    {SF_FORMAT_CAF, "a.caf", "data", 4, 8, true},
};

typedef struct trial {
    const struct container *kind;
    bytes file;
    size_t size_at;
    char path[SCRATCH_PATH_SIZE];
} trial;

/* Stores the first `kept` bytes of the file with this size. */
static void store_sized(const trial *t, uint64_t size, size_t kept)
{
    store_number(t->file.at + t->size_at, size, t->kind->width, t->kind->big);
    file_store(t->path, t->file.at, kept);
}

/* Tries wrong sizes. Those of writers that cannot seek back stand for the end of the file. */
static void try_sizes(const trial *t, uint64_t size)
{
    static const uint64_t streamed[] = {UINT64_MAX, 0x7FFFFFFF, 0x7FFFF000, 0x7FFFEFFF,
                                        0x7FFFEFF4, 0x7F000008, 0x7EFFFFF6};
    size_t all = t->file.size;
    for (size_t i = 0; i < sizeof streamed / sizeof streamed[0]; i++) {
        store_sized(t, streamed[i], all);
        assert_reads(t->path, FRAMES, 0);
    }
    store_sized(t, size - 2 * FRAMES, all); /* no samples */
    assert_reads(t->path, FRAMES, 1U << DV_AUDIO_SIZE_0);
    store_sized(t, size + 24, all);
    assert_reads(t->path, FRAMES, 1U << DV_AUDIO_BEYOND);
    store_sized(t, size + 300, all);
    assert_refused(t->path, DV_EFORMAT, "promises 48300 bytes of samples, 48000 are there");
    store_sized(t, size, all - FRAMES);
    assert_refused(t->path, DV_EFORMAT, "promises 48000 bytes of samples, 24000 are there");
    store_sized(t, size, all);
    assert_reads(t->path, FRAMES, 0);
}

static void test_containers(void **state)
{
    for (size_t i = 0; i < sizeof containers / sizeof containers[0]; i++) {
        trial t = {.kind = &containers[i]};
        scratch_path(*state, t.kind->name, t.path);
        if (!make_file(t.path, t.kind->format | SF_FORMAT_PCM_16, false, &t.file))
            continue;
        t.size_at = find(&t.file, t.kind->chunk) + (size_t)t.kind->behind;
        uint64_t size = load_number(t.file.at + t.size_at, t.kind->width, t.kind->big);
        try_sizes(&t, size);
        free(t.file.at);
    }
}

/* An empty chunk of samples with another chunk behind it is not that of a stopped recorder. */
static void test_no_samples_before_a_chunk(void **state)
{
    bytes file = {0};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "empty.wav", path);
    assert_true(make_file(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, false, &file));
    store_number(file.at + 40, 0, 4, false);
    put(file.at + 44, "LIST\x10\0\0\0", 8);
    file_store(path, file.at, 44 + 8 + 16);
    assert_refused(path, DV_EFORMAT, "holds no samples");
    free(file.at);
}

/* ---- MP3 ---- */

/* Makes an MP3 file without a mark of its length, as writers into a pipe leave it, by removing the
   frame with the mark. */
static bool make_unmarked(const char *path, bytes *file)
{
    if (!make_file(path, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, true, file))
        return false;
    size_t second = 4;
    while (memcmp(file->at + second, file->at, 2) != 0)
        second++;
    assert_in_range(second, 100, 1000);
    file->size -= second;
    memmove(file->at, file->at + second, file->size);
    return true;
}

static void test_mp3_is_read_to_its_end(void **state)
{
    bytes file = {0};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "pipe.mp3", path);
    if (!make_unmarked(path, &file))
        skip();
    unsigned char *behind = calloc(700 + 10 + 128 + file.size, 1);
    assert_non_null(behind);
    file_store(path, file.at, file.size);
    dv_audio whole = read_good(path, 0);
    assert_in_range(whole.count, FRAMES, FRAMES + 2 * 1152);
    /* Empty bytes and a tag stand before the sound, a tag of another kind behind it. */
    put(behind + 700, "ID3\4\0\0\0\0\0\0", 10);
    memcpy(behind + 710, file.at, file.size);
    put(behind + 710 + file.size, "TAG", 3);
    file_store(path, behind, 700 + 10 + 128 + file.size);
    dv_audio same = read_good(path, 0);
    assert_int_equal(same.count, whole.count);
    for (int64_t i = 0; i < same.count; i++)
        assert_float_equal(same.samples[i], whole.samples[i], 0);
    /* The file is cut within its last frame; the others are whole. */
    file_store(path, file.at, file.size - 20);
    dv_audio cut = read_good(path, 0);
    assert_in_range(cut.count, whole.count - 1152, whole.count);
    dv_audio_free(&cut);
    dv_audio_free(&same);
    dv_audio_free(&whole);
    free(behind);
    free(file.at);
}

/* In files of ffmpeg the chunk "fact" also counts the padding of the encoder. */
static void test_mp3_in_wav(void **state)
{
    bytes file = {0};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "mp3.wav", path);
    if (!make_unmarked(path, &file))
        skip();
    unsigned char head[70] = "RIFF\0\0\0\0WAVEfmt \x1E\0\0\0\x55\0\1\0";
    store_number(head + 24, RATE, 4, false);
    store_number(head + 28, 2000, 4, false); /* bytes a second, block and bits, all wrong */
    store_number(head + 32, 1, 2, false);
    put(head + 36, "\x0C\0\1\0\2\0\0\0\x48\0\1\0\x71\5", 14);
    put(head + 50, "fact\4\0\0\0", 8);
    store_number(head + 58, FRAMES + 5000, 4, false);
    put(head + 62, "data", 4);
    store_number(head + 66, file.size, 4, false);
    unsigned char *whole = malloc(sizeof head + file.size);
    assert_non_null(whole);
    store_number(head + 4, sizeof head + file.size - 8, 4, false);
    memcpy(whole, head, sizeof head);
    memcpy(whole + sizeof head, file.at, file.size);
    file_store(path, whole, sizeof head + file.size);
    dv_audio audio = read_good(path, 0);
    assert_in_range(audio.count, FRAMES, FRAMES + 3000);
    dv_audio_free(&audio);
    file_store(path, whole, sizeof head + file.size / 2);
    assert_refused(path, DV_EFORMAT, "is truncated");
    free(whole);
    free(file.at);
}

/* ---- OGG ---- */

static size_t last_page(const bytes *file)
{
    size_t at = file->size - 4;
    while (memcmp(file->at + at, "OggS", 4) != 0)
        at--;
    return at;
}

/* An unclosed recorder leaves whole pages, the last of them without a mark. */
static void test_ogg_without_an_end(void **state)
{
    static const int formats[] = {SF_FORMAT_VORBIS, SF_FORMAT_OPUS};
    for (int i = 0; i < 2; i++) {
        bytes file = {0};
        char path[SCRATCH_PATH_SIZE];
        scratch_path(*state, "open.ogg", path);
        if (!make_file(path, SF_FORMAT_OGG | formats[i], false, &file))
            continue;
        assert_reads(path, FRAMES, 0);
        size_t last = last_page(&file);
        file_store(path, file.at, last);
        dv_audio audio = read_good(path, 1U << DV_AUDIO_UNENDED);
        assert_in_range(audio.count, RATE / 2, FRAMES - 1);
        dv_audio_free(&audio);
        for (size_t cut = last + 1; cut < file.size; cut += cut < last + 30 ? 1 : 97) {
            file_store(path, file.at, cut);
            assert_refused(path, DV_EFORMAT, "its last page is missing");
        }
        free(file.at);
    }
}

/* libsndfile 1.2.0 would leak 6 KB for each file. Under ASan, where mallinfo2 reports nothing, its
   leak detector finds the leak. */
static void test_truncated_ogg_leaks_nothing(void **state)
{
    bytes file = {0};
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "cut.ogg", path);
    if (!make_file(path, SF_FORMAT_OGG | SF_FORMAT_VORBIS, false, &file))
        skip();
    size_t before = 0;
    for (size_t i = 0; i < 3000; i++) {
        if (i == 30)
            before = mallinfo2().uordblks;
        if (i % 100 == 0) /* cut within the headers, at their ends and in the samples */
            file_store(path, file.at, i % 200 == 0 ? 58 : 60 + (file.size - 60) * i / 3000);
        assert_refused(path, DV_EFORMAT, "is truncated");
    }
    assert_true(mallinfo2().uordblks < before + 65536);
    free(file.at);
}

/* ---- Unsupported formats ---- */

static void test_foreign_formats_are_named(void **state)
{
    static const struct {
        const char *begin;
        size_t size;
        const char *part;
    } cases[] = {
        {"\0\0\0\x1C"
         "ftypM4A ",
         12, "is M4A, which is not read; this line converts it: ffmpeg -i "},
        {"\0\0\0\x1C"
         "ftypisom",
         12, "is MP4, which is not read"},
        {"\0\0\0\x1C"
         "ftyp3gp4",
         12, "is 3GP, which is not read"},
        {"\x30\x26\xB2\x75\x8E\x66\xCF\x11", 8, "is WMA (ASF), which is not read"},
        {"#!AMR\n", 6, "is AMR, which is not read; this line converts it: ffmpeg -i "},
        {"\x1A\x45\xDF\xA3", 4, "is WebM, which is not read"},
        {"OggS\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x33\x7F"
         "FLAC\1",
         34, "is FLAC in OGG"},
        {"no sound", 8, "are read: WAV, AIFF, AU, W64, CAF, FLAC, MP3, OGG with Vorbis or Opus"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[SCRATCH_PATH_SIZE], content[100] = "";
        scratch_path(*state, "foreign", path);
        memcpy(content, cases[i].begin, cases[i].size);
        file_store(path, content, sizeof content);
        assert_refused(path, DV_EFORMAT, cases[i].part);
    }
}

/* ---- Channels ---- */

/* Writes `channels` channels; channel c is the sound times gains[c]. */
static void write_channels(const char *path, int channels, const float *gains)
{
    static float samples[FRAMES], all[FRAMES * 8];
    SF_INFO info = {.samplerate = RATE, .channels = channels};
    info.format = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
    make_sound(samples);
    for (int i = 0; i < FRAMES * channels; i++)
        all[i] = samples[i / channels] * gains[i % channels];
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    assert_int_equal(sf_writef_float(file, all, FRAMES), FRAMES);
    sf_close(file);
}

static void test_channels_that_cancel(void **state)
{
    static const struct {
        int channels;
        float gains[8], taken; /* gain of the sound that is read */
        bool cancelled;
    } cases[] = {
        {2, {1, -1}, 1, true},        {2, {-0.9F, 1}, 1, true}, {4, {0.5F, -1, -0.5F, 1}, -1, true},
        {2, {1, -0.4F}, 0.3F, false}, {2, {1, 0}, 0.5F, false}, {8, {0, 0, 0, 1}, 0.125F, false},
        {2, {0, 0}, 0, false},
    };
    float samples[FRAMES];
    char path[SCRATCH_PATH_SIZE];
    make_sound(samples);
    scratch_path(*state, "channels.wav", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_channels(path, cases[i].channels, cases[i].gains);
        dv_audio audio = read_good(path, cases[i].cancelled ? 1U << DV_AUDIO_CANCELLED : 0);
        assert_int_equal(audio.count, FRAMES);
        for (int k = 0; k < FRAMES; k++)
            assert_float_equal(audio.samples[k], cases[i].taken * samples[k], 1e-6F);
        dv_audio_free(&audio);
    }
}

/* ---- Errors of the system ---- */

static int fails_with, good_reads; /* errno of pread after so many good calls, 0 for none */

ssize_t __real_pread(int descriptor, void *to, size_t count, off_t at);
ssize_t __wrap_pread(int descriptor, void *to, size_t count, off_t at);

ssize_t __wrap_pread(int descriptor, void *to, size_t count, off_t at)
{
    if (fails_with == 0 || good_reads-- > 0)
        return __real_pread(descriptor, to, count, at);
    errno = fails_with;
    return -1;
}

/* A small file is read in one step. A large one is read in several: the header, the decoder's
   header and the samples. */
static void test_failing_disk(void **state)
{
    enum { LARGE = 50000 };
    static float samples[LARGE];
    bytes file = {0};
    char path[SCRATCH_PATH_SIZE], large[SCRATCH_PATH_SIZE];
    scratch_path(*state, "disk.wav", path);
    scratch_path(*state, "large.wav", large);
    assert_true(make_file(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, false, &file));
    free(file.at);
    const dv_audio audio = {.samples = samples, .count = LARGE, .sample_rate = RATE};
    assert_int_equal(dv_audio_write_wav(large, &audio), DV_OK);
    for (int good = -1; good < 8; good++) {
        const char *name = good < 0 ? path : large;
        fails_with = good % 2 == 0 ? EIO : ESTALE;
        good_reads = good < 0 ? 0 : good;
        assert_refused(name, DV_ESYSTEM, "cannot be read: ");
        fails_with = 0;
        assert_reads(name, good < 0 ? FRAMES : LARGE, 0);
    }
}

static void test_too_many_open_files(void **state)
{
    bytes file = {0};
    char path[SCRATCH_PATH_SIZE];
    struct rlimit before, none;
    scratch_path(*state, "many.wav", path);
    assert_true(make_file(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, false, &file));
    free(file.at);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dv_audio audio;
    dv_status status = dv_audio_read(path, RATE, 10, NULL, &audio);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, DV_ESYSTEM);
    assert_non_null(strstr(dv_error_message(), "cannot be opened: Too many open files"));
}

/* ---- Files of users ---- */

static void test_files_of_users(void **state)
{
    static const struct {
        const char *name;
        int64_t count; /* 0 if the file is refused with the text */
        unsigned remarks;
        const char *part;
    } cases[] = {
        {"whole.wav", 8995, 0, ""},
        {"fan_pipe.mp3", 22464, 0, ""},
        {"soxs_24_1.wav", 8995, 0, ""},
        {"rf64_cut.wav", 0, 0, "is truncated"},
        {"cut_a.aiff", 0, 0, "is truncated"},
        {"mp3_in.wav", 9404, 0, ""},
        {"opus_noeos.ogg", 8908, 1U << DV_AUDIO_UNENDED, ""},
        {"flac_native.ogg", 0, 0, "FLAC in OGG"},
        {"size_whole_file.wav", 8995, 1U << DV_AUDIO_BEYOND, ""},
        {"size_0.wav", 8995, 1U << DV_AUDIO_SIZE_0, ""},
        {"mp3_junk_first.mp3", 8995, 0, ""},
        {"stereo_inv.wav", 8995, 1U << DV_AUDIO_CANCELLED, ""},
    };
    (void)state;
    if (access("../shared/cases/sound", R_OK) != 0) {
        print_message("skipped: ../shared/cases/sound is not there\n");
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[SCRATCH_PATH_SIZE];
        snprintf(path, sizeof path, "../shared/cases/sound/%s", cases[i].name);
        if (cases[i].count > 0)
            assert_reads(path, cases[i].count, cases[i].remarks);
        else
            assert_refused(path, DV_EFORMAT, cases[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_no_samples_before_a_chunk),
        cmocka_unit_test(test_mp3_is_read_to_its_end),
        cmocka_unit_test(test_mp3_in_wav),
        cmocka_unit_test(test_ogg_without_an_end),
        cmocka_unit_test(test_truncated_ogg_leaks_nothing),
        cmocka_unit_test(test_foreign_formats_are_named),
        cmocka_unit_test(test_channels_that_cancel),
        cmocka_unit_test(test_failing_disk),
        cmocka_unit_test(test_too_many_open_files),
        cmocka_unit_test(test_files_of_users),
    };
    return cmocka_run_group_tests_name("audio headers", tests, scratch_setup, scratch_teardown);
}
