/* Sound files. What libsndfile and the libraries below it leak is not ours. */
#include "frontends/audio.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"

#include <math.h>
#include <sndfile.h>
#include <stdio.h>

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libsndfile\nleak:libvorbis\nleak:libopus\nleak:libFLAC\nleak:libmpg123\n";
}

typedef struct format {
    const char *name;
    int format, channels;
} format;

static const format formats[] = {
    {"a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1},
    {"float.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 2},
    {"24.wav", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, 1},
    {"a.aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 1},
    {"a.au", SF_FORMAT_AU | SF_FORMAT_ULAW, 1},
    {"a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1},
    {"a.w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, 1},
    {"a.caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16, 1},
    {"a.rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, 1},
};

void fuzz_write_seeds(const char *folder)
{
    enum { FRAMES = 300 };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        SF_INFO info = {.samplerate = 8000, .channels = formats[i].channels};
        char path[512];
        info.format = formats[i].format;
        snprintf(path, sizeof path, "%s/%s", folder, formats[i].name);
        SNDFILE *file = sf_open(path, SFM_WRITE, &info);
        for (int k = 0; file != NULL && k < FRAMES * formats[i].channels; k++) {
            float sample = (float)(0.5 * sin(0.3 * k));
            (void)sf_write_float(file, &sample, 1);
        }
        if (file == NULL || sf_close(file) != 0)
            fuzz_must(DV_FAIL(DV_EIO, "%s: %s", path, sf_strerror(NULL)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_audio audio;
    if (dv_audio_read(fuzz_file("a.wav", data, size), 8000, 2, &audio) != DV_OK)
        return 0;
    for (int64_t i = 0; i < audio.count; i++) {
        if (!isfinite(audio.samples[i]))
            fuzz_must(DV_FAIL(DV_EFORMAT, "sample %lld is not finite", (long long)i));
    }
    dv_audio_free(&audio);
    return 0;
}
