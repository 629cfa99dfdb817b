/*
 * Sound files are hostile: what a header says is checked against the file and bounds what is read,
 * but no memory is taken on its word. The buffer grows with what the decoder really delivers.
 */
#include "frontends/audio.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sndfile.h>
#include <soxr.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK_FRAMES = 4096,
    MAX_CHANNELS = 64,
    MAX_RIFF_CHUNKS = 1000, /* before the samples: more is no sane file */
};

/* What resampling leaves as it is, of the band that both rates have: speech at 8 kHz uses it all,
   and soxr's 0.91 would take the last tenth of it. */
static const double passband = 0.96;

/* What is being read. */
typedef struct source {
    const char *path;
    int descriptor;
    int64_t size; /* bytes */
    SNDFILE *file;
    SF_INFO info;
    int64_t promised; /* frames by the header; -1 where it does not say */
} source;

/* libsndfile keeps the reason why nothing was opened in a variable that all threads share. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static dv_status open_sound(source *in)
{
    dv_status status = DV_OK;
    pthread_mutex_lock(&opening);
    in->file = sf_open_fd(in->descriptor, SFM_READ, &in->info, SF_FALSE);
    if (in->file == NULL)
        status = DV_FAIL(DV_EFORMAT, "%s: is not a sound file that can be read: %s", in->path,
                         sf_strerror(NULL));
    pthread_mutex_unlock(&opening);
    return status;
}

static dv_status source_open(source *in)
{
    struct stat facts;
    /* Without O_NONBLOCK a named pipe would wait here for a writer. */
    in->descriptor = open(in->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (in->descriptor < 0 || fstat(in->descriptor, &facts) != 0)
        return DV_FAIL(DV_EIO, "%s: cannot be opened: %s", in->path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return DV_FAIL(DV_EIO, "%s: is a directory, not a sound file", in->path);
    if (!S_ISREG(facts.st_mode))
        return DV_FAIL(DV_EIO, "%s: is not a regular file", in->path);
    if (facts.st_size == 0)
        return DV_FAIL(DV_EFORMAT, "%s: is empty (0 bytes)", in->path);
    in->size = (int64_t)facts.st_size;
    return open_sound(in);
}

static void source_close(source *in)
{
    if (in->file != NULL)
        sf_close(in->file);
    if (in->descriptor >= 0)
        close(in->descriptor);
}

static uint32_t little_endian(const unsigned char bytes[4])
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* The size that the header of a WAV file promises for its samples and where they start. False
   where the file is no WAV file or has no such chunk. */
static bool wav_data_chunk(const source *in, int64_t *start, int64_t *promised)
{
    unsigned char header[12];
    if (pread(in->descriptor, header, sizeof header, 0) != (ssize_t)sizeof header ||
        memcmp(header, "RIFF", 4) != 0 || memcmp(header + 8, "WAVE", 4) != 0)
        return false;
    int64_t at = 12;
    for (int i = 0; i < MAX_RIFF_CHUNKS; i++) {
        if (pread(in->descriptor, header, 8, (off_t)at) != 8)
            return false;
        int64_t size = (int64_t)little_endian(header + 4);
        if (memcmp(header, "data", 4) == 0) {
            *start = at + 8;
            *promised = size;
            return true;
        }
        at += 8 + size + (size & 1);
    }
    return false;
}

/*
 * libsndfile silently shortens a WAV file that ends early, so this is found here. Writers that
 * cannot seek leave a number near 2^31 or 2^32 as the size: then the file ends where it ends. With
 * 0, which a recorder leaves that was stopped hard, libsndfile finds no samples.
 */
static dv_status check_wav_size(const source *in)
{
    int64_t start = 0;
    int64_t promised = 0;
    if (!wav_data_chunk(in, &start, &promised) || promised >= 0x7FFFF000)
        return DV_OK;
    if (promised == 0)
        return DV_FAIL(DV_EFORMAT,
                       "%s: holds no samples: its header says 0 bytes of them, and %lld "
                       "bytes follow",
                       in->path, (long long)(in->size - start));
    if (in->size - start < promised)
        return DV_FAIL(DV_EFORMAT,
                       "%s: is truncated: its header promises %lld bytes of samples, "
                       "%lld are there",
                       in->path, (long long)promised, (long long)(in->size - start));
    return DV_OK;
}

/*
 * An MP3 file promises a length only in the "Xing" or "Info" mark of its first frame, which follows
 * the ID3 tag (its size: 4 bytes of 7 bits) and at most 38 bytes of frame header. Without the mark
 * libsndfile's number is a guess from the size of the file and the first frame's bit rate, at which
 * it also stops.
 */
static bool mp3_promises_length(const source *in)
{
    unsigned char bytes[48];
    int64_t at = 0;
    if (pread(in->descriptor, bytes, 10, 0) == 10 && memcmp(bytes, "ID3", 3) == 0)
        at = 10 + ((int64_t)(bytes[6] & 127) << 21 | (bytes[7] & 127) << 14 |
                   (bytes[8] & 127) << 7 | (bytes[9] & 127));
    if (pread(in->descriptor, bytes, sizeof bytes, (off_t)at) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 4; i + 4 <= sizeof bytes; i++)
        if (memcmp(bytes + i, "Xing", 4) == 0 || memcmp(bytes + i, "Info", 4) == 0)
            return true;
    return false;
}

static dv_status find_promise(source *in)
{
    int format = in->info.format & SF_FORMAT_TYPEMASK;
    bool unknown = in->info.frames == SF_COUNT_MAX;
    if (format == SF_FORMAT_OGG && unknown) /* the length stands in the last page */
        return DV_FAIL(DV_EFORMAT, "%s: is truncated: its last page is missing", in->path);
    if (format == SF_FORMAT_MPEG && !mp3_promises_length(in))
        unknown = true;
    in->promised = unknown ? -1 : (int64_t)in->info.frames;
    return DV_OK;
}

static dv_status check_info(const source *in, double max_seconds)
{
    const SF_INFO *info = &in->info;
    if (info->samplerate < DV_AUDIO_MIN_RATE || info->samplerate > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EFORMAT, "%s: sample rate is %d Hz, must be %d to %d", in->path,
                       info->samplerate, DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE);
    if (info->channels < 1 || info->channels > MAX_CHANNELS)
        return DV_FAIL(DV_EFORMAT, "%s: has %d channels, must be 1 to %d", in->path, info->channels,
                       MAX_CHANNELS);
    if (in->promised == 0)
        return DV_FAIL(DV_EFORMAT, "%s: holds no samples", in->path);
    double seconds = (double)in->promised / (double)info->samplerate;
    if (seconds > max_seconds)
        return DV_FAIL(DV_EFORMAT, "%s: is too long: %.1f s, at most %g s", in->path, seconds,
                       max_seconds);
    return DV_OK;
}

/* Makes room for `more` samples after `count`. */
static dv_status reserve(float **samples, int64_t *capacity, int64_t count, int64_t more)
{
    if (count + more <= *capacity)
        return DV_OK;
    int64_t wanted = 2 * (count + more);
    float *grown = realloc(*samples, (size_t)wanted * sizeof *grown);
    if (grown == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %lld samples", (long long)wanted);
    *samples = grown;
    *capacity = wanted;
    return DV_OK;
}

/* chunk (frames, channels) -> mono (frames): the mean of the channels. */
static dv_status mix_down(const source *in, const float *chunk, int64_t frames, int64_t position,
                          float *mono)
{
    int channels = in->info.channels;
    for (int64_t i = 0; i < frames; i++) {
        double sum = 0;
        for (int channel = 0; channel < channels; channel++)
            sum += (double)chunk[i * channels + channel];
        mono[i] = (float)(sum / channels);
        if (!isfinite(sum))
            return DV_FAIL(DV_EFORMAT, "%s: sample %lld is not a finite number", in->path,
                           (long long)(position + i));
        if (fabsf(mono[i]) > DV_AUDIO_LARGEST)
            return DV_FAIL(DV_EFORMAT, "%s: sample %lld is %g, far outside -1..1", in->path,
                           (long long)(position + i), (double)mono[i]);
    }
    return DV_OK;
}

/* Reads to the end of the file, or one chunk past the limit. On failure too, audio->samples is
   the caller's. */
static dv_status read_samples(source *in, double max_seconds, dv_audio *audio)
{
    dv_status status = DV_OK;
    float *chunk = NULL;
    int64_t capacity = 0;
    double most = max_seconds * (double)in->info.samplerate;
    DV_TRY_GOTO(dv__calloc((size_t)(CHUNK_FRAMES * in->info.channels), sizeof *chunk, &chunk));
    for (;;) {
        int64_t frames = sf_readf_float(in->file, chunk, CHUNK_FRAMES);
        if (frames <= 0)
            break;
        DV_TRY_GOTO(reserve(&audio->samples, &capacity, audio->count, frames));
        DV_TRY_GOTO(mix_down(in, chunk, frames, audio->count, audio->samples + audio->count));
        audio->count += frames;
        if ((double)audio->count > most) {
            status = DV_FAIL(DV_EFORMAT, "%s: is too long: more than %g s", in->path, max_seconds);
            goto fail;
        }
    }
    if (sf_error(in->file) != SF_ERR_NO_ERROR)
        status = DV_FAIL(DV_EFORMAT, "%s: is damaged: %s after %lld samples", in->path,
                         sf_strerror(in->file), (long long)audio->count);
fail:
    free(chunk);
    return status;
}

static dv_status check_count(const source *in, int64_t count)
{
    if (count < 1)
        return DV_FAIL(DV_EFORMAT, "%s: holds no samples", in->path);
    if (count < in->promised)
        return DV_FAIL(DV_EFORMAT,
                       "%s: is truncated: its header promises %lld samples, %lld are "
                       "there",
                       in->path, (long long)in->promised, (long long)count);
    return DV_OK;
}

/* The decoded file at its own rate. */
static dv_status read_file(source *in, double max_seconds, dv_audio *audio)
{
    DV_TRY(source_open(in));
    DV_TRY(check_wav_size(in));
    DV_TRY(find_promise(in));
    DV_TRY(check_info(in, max_seconds));
    DV_TRY(read_samples(in, max_seconds, audio));
    DV_TRY(check_count(in, audio->count));
    audio->sample_rate = in->info.samplerate;
    return DV_OK;
}

dv_status dv_audio_resample(const char *path, int64_t sample_rate, dv_audio *audio)
{
    double ratio = (double)sample_rate / (double)audio->sample_rate;
    /* One more than the exact length, for rounding. */
    size_t room = (size_t)ceil((double)audio->count * ratio) + 1, count = 0;
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    quality.passband_end = passband;
    float *resampled = NULL;
    DV_TRY(dv__calloc(room, sizeof *resampled, &resampled));
    soxr_error_t error =
        soxr_oneshot((double)audio->sample_rate, (double)sample_rate, 1, audio->samples,
                     (size_t)audio->count, NULL, resampled, room, &count, NULL, &quality, NULL);
    if (error != NULL || count < 1) {
        free(resampled);
        if (error != NULL)
            return DV_FAIL(DV_EFORMAT, "%s: resampling from %lld to %lld Hz failed: %s", path,
                           (long long)audio->sample_rate, (long long)sample_rate, error);
        return DV_FAIL(DV_EFORMAT, "%s: holds too few samples (%lld at %lld Hz) for %lld Hz", path,
                       (long long)audio->count, (long long)audio->sample_rate,
                       (long long)sample_rate);
    }
    free(audio->samples);
    audio->samples = resampled;
    audio->count = (int64_t)count;
    audio->sample_rate = sample_rate;
    return DV_OK;
}

dv_status dv_audio_read(const char *path, int64_t sample_rate, double max_seconds, dv_audio *audio)
{
    dv_status status = DV_OK;
    source in = {.path = path, .descriptor = -1};
    memset(audio, 0, sizeof *audio);
    if (sample_rate < 1 || sample_rate > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EARG, "%s: asked for at %lld Hz, must be 1 to %d", path,
                       (long long)sample_rate, DV_AUDIO_MAX_RATE);
    if (!(max_seconds > 0))
        return DV_FAIL(DV_EARG, "%s: asked for at most %g s, must be above 0", path, max_seconds);
    status = read_file(&in, max_seconds, audio);
    source_close(&in);
    if (status == DV_OK && audio->sample_rate != sample_rate)
        status = dv_audio_resample(path, sample_rate, audio);
    if (status != DV_OK)
        dv_audio_free(audio);
    return status;
}

/* samples (count) -> 16-bit, the scale of which libsndfile's reading is the inverse. */
static dv_status quantize(const char *path, const float *samples, int64_t count, short *to)
{
    for (int64_t i = 0; i < count; i++) {
        if (isnan(samples[i]))
            return DV_FAIL(DV_ENUMERIC, "%s: cannot be written: a sample is not a number", path);
        to[i] = (short)lrintf(fminf(fmaxf(samples[i] * 32768.0F, -32768.0F), 32767.0F));
    }
    return DV_OK;
}

static dv_status write_samples(const char *path, SNDFILE *file, const dv_audio *audio)
{
    short chunk[CHUNK_FRAMES];
    for (int64_t at = 0; at < audio->count; at += CHUNK_FRAMES) {
        int64_t left = audio->count - at;
        int64_t frames = left < CHUNK_FRAMES ? left : CHUNK_FRAMES;
        DV_TRY(quantize(path, audio->samples + at, frames, chunk));
        if (sf_writef_short(file, chunk, frames) != frames)
            return DV_FAIL(DV_EIO, "%s: cannot be written: %s", path, sf_strerror(file));
    }
    return DV_OK;
}

static dv_status create_sound(const char *path, SF_INFO *info, SNDFILE **out)
{
    dv_status status = DV_OK;
    pthread_mutex_lock(&opening);
    *out = sf_open(path, SFM_WRITE, info);
    if (*out == NULL)
        status = DV_FAIL(DV_EIO, "%s: cannot be written: %s", path, sf_strerror(NULL));
    pthread_mutex_unlock(&opening);
    return status;
}

/* A clip that ends early would be taken for a whole one. */
static void remove_partial(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) == 0 && S_ISREG(facts.st_mode))
        unlink(path);
}

dv_status dv_audio_write_wav(const char *path, const dv_audio *audio)
{
    if (audio->sample_rate < 1 || audio->sample_rate > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EARG, "%s: cannot be written at %lld Hz, must be 1 to %d", path,
                       (long long)audio->sample_rate, DV_AUDIO_MAX_RATE);
    SF_INFO info = {
        .samplerate = (int)audio->sample_rate,
        .channels = 1,
        .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16,
    };
    SNDFILE *file;
    DV_TRY(create_sound(path, &info, &file));
    dv_status status = write_samples(path, file, audio);
    if (sf_close(file) != 0 && status == DV_OK)
        status = DV_FAIL(DV_EIO, "%s: cannot be written: closing failed", path);
    if (status != DV_OK)
        remove_partial(path);
    return status;
}

void dv_audio_free(dv_audio *audio)
{
    free(audio->samples);
    memset(audio, 0, sizeof *audio);
}
