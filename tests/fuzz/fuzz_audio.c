/* Reads sound files at several rates, as a predictor does, and writes them as WAV. Leaks of
   libsndfile and the libraries below it do not count. */
#include "frontends/audio/audio.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libsndfile\nleak:libvorbis\nleak:libopus\nleak:libFLAC\nleak:libmpg123\n";
}

enum { PATH_SIZE = 600, MOST_BYTES = 65536, MOST_CHANNELS = 6, FRAMES = 600, LONG = 12000 };

/* ---- First inputs ---- */

typedef struct format {
    const char *name;
    int format, channels;
} format;

static const format formats[] = {
    {"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1},
    {"float.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 2},
    {"double.wav", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, 1},
    {"u8.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 1},
    {"24.wav", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, 1},
    {"six.wav", SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, 6},
    {"ima.wav", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, 1},
    {"gsm.wav", SF_FORMAT_WAV | SF_FORMAT_GSM610, 1},
    {"rifx.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG, 1},
    {"a.rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 1},
    {"a.w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, 1},
    {"a.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 1},
    {"a.aifc", SF_FORMAT_AIFF | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE, 2},
    {"a.au", SF_FORMAT_AU | SF_FORMAT_ULAW, 1},
    {"little.au", SF_FORMAT_AU | SF_FORMAT_PCM_16 | SF_ENDIAN_LITTLE, 1},
    {"a.caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 1},
    {"alac.caf", SF_FORMAT_CAF | SF_FORMAT_ALAC_16, 1},
    {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1},
    {"24.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, 2},
    {"vorbis.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 1},
    {"opus.ogg", SF_FORMAT_OGG | SF_FORMAT_OPUS, 1},
    {"a.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 1}, /* its first frame is marked "Info" */
};

static bool is_ogg(const format *kind)
{
    return (kind->format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG;
}

/* Writes a tone, with opposite signs in every second channel. Leaves out a format that this
   libsndfile cannot write. */
static void write_format(const char *path, const format *kind)
{
    int frames = is_ogg(kind) ? LONG : FRAMES; /* OGG needs more for several pages */
    SF_INFO info = {.samplerate = 8000, .channels = kind->channels, .format = kind->format};
    SNDFILE *file = sf_format_check(&info) != 0 ? sf_open(path, SFM_WRITE, &info) : NULL;
    for (int i = 0; file != NULL && i < frames; i++) {
        float frame[MOST_CHANNELS], sample = (float)(0.5 * sin(0.3 * i));
        for (int channel = 0; channel < kind->channels; channel++)
            frame[channel] = channel % 2 == 0 ? sample : -sample;
        if (sf_writef_float(file, frame, 1) != 1)
            fuzz_must(DV_FAIL(DV_EIO, "%s: %s", path, sf_strerror(file)));
    }
    if (file != NULL && sf_close(file) != 0)
        fuzz_must(DV_FAIL(DV_EIO, "%s: %s", path, sf_strerror(NULL)));
}

/* Reads a file into bytes (MOST_BYTES). Returns their number, 0 without the file. */
static size_t load(const char *path, unsigned char *bytes)
{
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(bytes, 1, MOST_BYTES, file) : 0;
    if (file != NULL)
        fclose(file);
    return size;
}

/* Writes WAV files with other sizes of the samples, as recorders and writers into a pipe leave
   them. */
static void write_sizes(const char *folder, unsigned char *bytes, size_t size)
{
    static const struct {
        const char *name;
        unsigned char low, high; /* the first byte of the size, and its other three */
    } sizes[] = {{"none.wav", 0, 0}, {"endless.wav", 0xFF, 0xFF}, {"long.wav", 0xFF, 0}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        bytes[40] = sizes[i].low;
        memset(bytes + 41, sizes[i].high, 3);
        fuzz_write_seed(folder, sizes[i].name, bytes, size);
    }
    bytes[40] = (2 * FRAMES + 8) & 0xFF; /* a few bytes more than the file has */
    bytes[41] = (2 * FRAMES + 8) >> 8;
    fuzz_write_seed(folder, "beyond.wav", bytes, size);
}

/* Writes MP3 as writers into a pipe leave it: without the first frame, which has the mark, and
   behind a tag and empty bytes. */
static void write_unmarked(const char *folder, unsigned char *bytes, size_t size)
{
    enum { TAG = 10, EMPTY = 100 };
    static const unsigned char tag[TAG] = "ID3\4\0\0\0\0\0\0";
    size_t second = 4;
    while (second + 2 < size && memcmp(bytes + second, bytes, 2) != 0)
        second++;
    if (second + 2 >= size)
        return;
    fuzz_write_seed(folder, "unmarked.mp3", bytes + second, size - second);
    size -= second;
    memmove(bytes + TAG + EMPTY, bytes + second, size);
    memcpy(bytes, tag, TAG);
    memset(bytes + TAG, 0, EMPTY);
    fuzz_write_seed(folder, "tagged.mp3", bytes, size + TAG + EMPTY);
}

/* Writes OGG as an unclosed recorder leaves it: without the last page. */
static void write_open(const char *folder, const char *name, const unsigned char *bytes,
                       size_t size)
{
    char seed[64];
    while (size > 0 && memcmp(bytes + size, "OggS", 4) != 0)
        size--;
    snprintf(seed, sizeof seed, "open-%s", name);
    fuzz_write_seed(folder, seed, bytes, size);
}

static void write_foreign(const char *folder)
{
    static const char *const begins[] = {"    ftypM4A ", "#!AMR\n", "\x1A\x45\xDF\xA3", "\xFF\xF1"};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "foreign-%zu", i);
        fuzz_write_seed(folder, name, begins[i], strlen(begins[i]));
    }
}

void fuzz_write_seeds(const char *folder)
{
    static unsigned char bytes[MOST_BYTES + 1024];
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, formats[i].name);
        write_format(path, &formats[i]);
        size_t size = load(path, bytes);
        if (is_ogg(&formats[i]))
            write_open(folder, formats[i].name, bytes, size);
        if (strcmp(formats[i].name, "a.wav") == 0)
            write_sizes(folder, bytes, size);
        if (strcmp(formats[i].name, "a.mp3") == 0)
            write_unmarked(folder, bytes, size);
    }
    write_foreign(folder);
}

/* ---- One input ---- */

static void check_finite(const dv_audio *audio)
{
    for (int64_t i = 0; i < audio->count; i++) {
        if (!isfinite(audio->samples[i]))
            fuzz_must(DV_FAIL(DV_EFORMAT, "sample %lld is not finite", (long long)i));
    }
    for (int remark = 0; remark < DV_AUDIO_REMARK_COUNT; remark++) {
        if ((audio->facts.remarks >> remark & 1) != 0 &&
            dv_audio_remark_text((dv_audio_remark)remark)[0] == '\0')
            fuzz_must(DV_FAIL(DV_EFORMAT, "remark %d says nothing", remark));
    }
}

/* Writes the sound that was read. It must have the same number of samples when read again. */
static void write_again(const char *path, const dv_audio *audio)
{
    char other[PATH_SIZE];
    dv_audio again;
    snprintf(other, sizeof other, "%s.other", path);
    fuzz_must(dv_audio_write_wav(other, audio));
    fuzz_must(dv_audio_read(other, audio->sample_rate, 10, NULL, &again));
    if (again.count != audio->count)
        fuzz_must(DV_FAIL(DV_EFORMAT, "%lld samples were written, %lld are read",
                          (long long)audio->count, (long long)again.count));
    dv_audio_free(&again);
    remove(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t rates[] = {8000, 16000, 44100};
    const char *path = fuzz_file("a.wav", data, size);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        dv_audio audio;
        if (dv_audio_read(path, rates[i], 2, NULL, &audio) != DV_OK)
            continue;
        check_finite(&audio);
        if (i == 0)
            write_again(path, &audio);
        dv_audio_free(&audio);
    }
    return 0;
}
