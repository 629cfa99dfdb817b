/*
 * Sound files may be hostile. The size in a header is checked against the file and bounds what is
 * read, but no memory is allocated on its word. The buffer grows with the samples that the decoder
 * really delivers.
 */
#include "frontends/audio/audio.h"
#include "frontends/audio/audio_file.h"
#include "frontends/audio/audio_levels.h"
#include "frontends/audio/file_content.h"
#include "frontends/audio/resample.h"

#include <math.h>
#include <pthread.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHUNK_FRAMES = 4096,
    MP3_FRAMES = 576, /* a larger read would lose good frames that come before a truncated one */
};

/* The part of a sound that is asked for, s. */
typedef struct extent {
    double most;          /* a longer sound is refused if all of it is asked for */
    double start, length; /* a stretch; length 0 stands for the whole sound */
} extent;

/* An open sound file with its decoder. */
typedef struct audio_input {
    dv__sound_file *bytes;
    dv__sound_header header;
    int64_t position; /* the decoder's position in the bytes that it is shown */
    SNDFILE *file;
    SF_INFO info;
    int64_t promised; /* frames according to the header; -1 if it does not say */
    int channel;      /* the only channel that is read; -1 for the mean of all */
} audio_input;

/* ---- The decoder's view of the file: without the hidden bytes, with the right size ---- */

static sf_count_t shown_size(void *user)
{
    const audio_input *in = user;
    return in->bytes->size - in->header.first;
}

static sf_count_t shown_seek(sf_count_t offset, int whence, void *user)
{
    audio_input *in = user;
    if (whence == SEEK_END && in->header.endless)
        return -1;
    int64_t from = whence == SEEK_END ? shown_size(in) : whence == SEEK_CUR ? in->position : 0;
    if (offset > INT64_MAX - from || from + offset < 0)
        return -1;
    in->position = from + offset;
    return in->position;
}

static sf_count_t shown_tell(void *user)
{
    return ((const audio_input *)user)->position;
}

static sf_count_t shown_read(void *to, sf_count_t count, void *user)
{
    audio_input *in = user;
    const dv__sound_header *header = &in->header;
    int64_t at = header->first + in->position;
    int64_t got = at < in->bytes->size ? dv__sound_file_read(in->bytes, at, count, to) : 0;
    for (int i = 0; i < header->patch_size; i++) {
        int64_t place = header->patch_at + i - at;
        if (place >= 0 && place < got)
            ((unsigned char *)to)[place] = header->patch[i];
    }
    in->position += got;
    return got;
}

/* Guards the variable, shared by all threads, in which libsndfile keeps the reason of a failure to
   open. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static void lock_opening(void)
{
    pthread_mutex_lock(&opening);
}

static void unlock_opening(void)
{
    pthread_mutex_unlock(&opening);
}

/* Without this a child forked while another thread opens a file would find the lock taken for
   ever. */
static void keep_over_fork(void)
{
    (void)pthread_atfork(lock_opening, unlock_opening, unlock_opening);
}
static pthread_once_t kept_over_fork = PTHREAD_ONCE_INIT;

/* Names what the file is instead of a sound, where that is known, or else the decoder's reason. */
static dv_status fail_unread(dv__sound_file *bytes, const char *reason)
{
    static const char formats[] = "WAV, AIFF, AU, W64, CAF, FLAC, MP3, OGG with Vorbis or Opus";
    char begin[DV_CONTENT_BYTES], phrase[DV_CONTENT_PHRASE_SIZE];
    int64_t count = dv__sound_file_read(bytes, 0, sizeof begin, begin);
    const char *name;
    dv_content kind = dv_content_of(begin, (size_t)count, &name);
    dv_content_phrase_of(bytes->path, begin, (size_t)count, phrase);
    if (phrase[0] != '\0' && kind != DV_CONTENT_SOUND)
        return DV_FAIL(DV_EFORMAT, "%s: is %s, not a sound file; these formats are read: %s",
                       bytes->path, phrase, formats);
    return DV_FAIL(DV_EFORMAT,
                   "%s: is not a sound file that can be read (%.*s); these formats are "
                   "read: %s",
                   bytes->path, (int)strcspn(reason, "."), reason, formats);
}

static dv_status open_decoder(audio_input *in)
{
    SF_VIRTUAL_IO shown = {
        .get_filelen = shown_size, .seek = shown_seek, .read = shown_read, .tell = shown_tell};
    dv_status status = DV_OK;
    pthread_once(&kept_over_fork, keep_over_fork);
    pthread_mutex_lock(&opening);
    in->file = sf_open_virtual(&shown, SFM_READ, &in->info, in);
    if (in->file == NULL)
        status = fail_unread(in->bytes, sf_strerror(NULL));
    pthread_mutex_unlock(&opening);
    DV_TRY(dv__sound_file_check(in->bytes));
    return status;
}

static void find_promise(audio_input *in)
{
    bool unknown = in->info.frames == SF_COUNT_MAX || in->header.unmeasured;
    in->promised = unknown ? -1 : (int64_t)in->info.frames;
}

static dv_status check_info(const audio_input *in, const extent *asked)
{
    const SF_INFO *info = &in->info;
    if (info->samplerate < DV_AUDIO_MIN_RATE || info->samplerate > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EFORMAT, "%s: sample rate is %d Hz, must be %d to %d", in->bytes->path,
                       info->samplerate, DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE);
    if (info->channels < 1 || info->channels > DV__MOST_CHANNELS)
        return DV_FAIL(DV_EFORMAT, "%s: has %d channels, must be 1 to %d", in->bytes->path,
                       info->channels, DV__MOST_CHANNELS);
    if (in->promised == 0)
        return DV_FAIL(DV_EFORMAT, "%s: holds no samples", in->bytes->path);
    double seconds = (double)in->promised / (double)info->samplerate;
    if (asked->length == 0 && seconds > asked->most)
        return DV_FAIL(DV_EFORMAT, "%s: is too long: %.1f s, at most %g s", in->bytes->path,
                       seconds, asked->most);
    return DV_OK;
}

/* Goes to the start of the stretch. *count becomes its number of frames. */
static dv_status find_stretch(audio_input *in, const extent *asked, int64_t *count)
{
    *count = INT64_MAX;
    if (asked->length == 0)
        return DV_OK;
    int64_t start = llround(asked->start * in->info.samplerate);
    *count = llround(asked->length * in->info.samplerate);
    if (sf_seek(in->file, start, SEEK_SET) != start)
        return DV_FAIL(DV_EFORMAT, "%s: cannot be read from %g s on", in->bytes->path,
                       asked->start);
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
        return DV_FAIL(DV_ENOMEM, "out of memory: a sound of %lld samples", (long long)wanted);
    *samples = grown;
    *capacity = wanted;
    return DV_OK;
}

/* Computes mono (frames) from chunk (frames, channels): the mean of the channels, or the channel
   that is asked for. With one channel both are the same memory. */
static dv_status mix_down(const audio_input *in, const float *chunk, int64_t frames,
                          int64_t position, float *mono, dv__levels *seen)
{
    int channels = in->info.channels;
    if (channels == 1 && dv__levels_add_quiet(seen, chunk, frames))
        return DV_OK;
    for (int64_t i = 0; i < frames; i++) {
        const float *frame = chunk + i * channels;
        double sum = 0;
        for (int channel = 0; channel < channels; channel++) {
            sum += (double)frame[channel];
            dv__levels_add(seen, channel, frame[channel]);
        }
        mono[i] = in->channel < 0 ? (float)(sum / channels) : frame[in->channel];
        seen->mean += sum / channels * (sum / channels);
        if (!isfinite(sum))
            return DV_FAIL(DV_EFORMAT, "%s: sample %lld is not a finite number", in->bytes->path,
                           (long long)(position + i));
        if (fabsf(mono[i]) > DV_AUDIO_LARGEST)
            return DV_FAIL(DV_EFORMAT, "%s: sample %lld is %g, far outside -1..1", in->bytes->path,
                           (long long)(position + i), (double)mono[i]);
    }
    return DV_OK;
}

/* Reads `wanted` frames, or to the end of the file, or one chunk past the limit. A single channel
   is read straight into audio->samples, which the caller owns, also after a failure. */
static dv_status read_samples(audio_input *in, double max_seconds, int64_t wanted, dv_audio *audio,
                              dv__levels *seen)
{
    dv_status status = DV_OK;
    float *chunk = NULL;
    int64_t capacity = 0;
    double most = max_seconds * (double)in->info.samplerate;
    int channels = in->info.channels;
    if (channels > 1)
        DV_TRY_GOTO(dv_calloc((size_t)(CHUNK_FRAMES * channels), sizeof *chunk, &chunk));
    int64_t step = in->header.endless ? MP3_FRAMES : CHUNK_FRAMES;
    while (audio->count < wanted) {
        int64_t left = wanted - audio->count;
        DV_TRY_GOTO(reserve(&audio->samples, &capacity, audio->count, step));
        float *mono = audio->samples + audio->count, *read = channels > 1 ? chunk : mono;
        int64_t frames = sf_readf_float(in->file, read, left < step ? left : step);
        if (frames <= 0)
            break;
        DV_TRY_GOTO(mix_down(in, read, frames, audio->count, mono, seen));
        audio->count += frames;
        if ((double)audio->count > most) {
            status = DV_FAIL(DV_EFORMAT, "%s: is too long: more than %g s", in->bytes->path,
                             max_seconds);
            goto fail;
        }
    }
    DV_TRY_GOTO(dv__sound_file_check(in->bytes));
    /* MP3 without a length may end within a frame. */
    bool at_end = in->header.endless && in->position >= shown_size(in);
    if (sf_error(in->file) != SF_ERR_NO_ERROR && !at_end)
        status = DV_FAIL(DV_EFORMAT, "%s: is damaged: %s after %lld samples", in->bytes->path,
                         sf_strerror(in->file), (long long)audio->count);
fail:
    free(chunk);
    return status;
}

static dv_status check_count(const audio_input *in, const extent *asked, int64_t wanted,
                             int64_t count)
{
    if (asked->length > 0 && count < wanted)
        return DV_FAIL(DV_EFORMAT, "%s: ends before %g s", in->bytes->path,
                       asked->start + asked->length);
    if (asked->length > 0)
        return DV_OK;
    if (count < 1)
        return DV_FAIL(DV_EFORMAT, "%s: holds no samples", in->bytes->path);
    if (count < in->promised)
        return DV_FAIL(DV_EFORMAT,
                       "%s: is truncated: its header promises %lld samples, %lld are "
                       "there",
                       in->bytes->path, (long long)in->promised, (long long)count);
    return DV_OK;
}

/* Reads the header, opens the decoder and checks the facts. */
static dv_status begin(audio_input *in, const extent *asked)
{
    DV_TRY(dv__sound_header_read(in->bytes, &in->header));
    DV_TRY(open_decoder(in));
    find_promise(in);
    return check_info(in, asked);
}

/* Reads the part that is asked for, at the file's own rate. */
static dv_status read_file(audio_input *in, const extent *asked, dv_audio *audio, dv__levels *seen)
{
    int64_t wanted;
    DV_TRY(begin(in, asked));
    DV_TRY(find_stretch(in, asked, &wanted));
    DV_TRY(read_samples(in, asked->most, wanted, audio, seen));
    DV_TRY(check_count(in, asked, wanted, audio->count));
    audio->sample_rate = in->info.samplerate;
    audio->facts = (dv_audio_facts){.sample_rate = in->info.samplerate,
                                    .frames = audio->count,
                                    .channels = in->info.channels,
                                    .remarks = in->header.remarks};
    dv__levels_tell(seen, &audio->facts);
    return DV_OK;
}

/* Reads the mean of all channels. If they cancel each other, it reads the file again and takes the
   loudest channel. */
static dv_status read_mixed(dv__sound_file *bytes, const extent *asked, dv_audio *audio)
{
    dv_status status = DV_OK;
    int channel = -1;
    for (int pass = 0; pass < 2; pass++) {
        audio_input in = {.bytes = bytes, .channel = channel};
        dv__levels seen = {.mean = 0};
        dv_audio_free(audio);
        status = read_file(&in, asked, audio, &seen);
        if (in.file != NULL)
            sf_close(in.file);
        if (channel >= 0)
            audio->facts.remarks |= 1U << DV_AUDIO_CANCELLED;
        if (status == DV_OK)
            channel = dv__levels_cancelled(&seen, in.info.channels);
        if (status != DV_OK || channel < 0)
            break;
    }
    return status;
}

/* The old samples are freed only after the new ones are made. */
static dv_status resample_with(const char *path, dv_resampler *resampler, dv_audio *audio)
{
    const int64_t from = audio->sample_rate, to = dv_resampler_rate(resampler);
    float *resampled = NULL;
    DV_TRY(dv_resampler_begin(resampler, from));
    int64_t count = dv_resampler_room(resampler, audio->count);
    if (count < 1)
        return DV_FAIL(DV_EFORMAT, "%s: holds too few samples (%lld at %lld Hz) for %lld Hz", path,
                       (long long)audio->count, (long long)from, (long long)to);
    DV_TRY(dv_calloc((size_t)count, sizeof *resampled, &resampled));
    int64_t done = dv_resampler_push(resampler, audio->samples, audio->count, resampled);
    dv_resampler_end(resampler, resampled + done);
    free(audio->samples);
    audio->samples = resampled;
    audio->count = count;
    audio->sample_rate = to;
    return DV_OK;
}

dv_status dv_audio_resample(const char *path, int64_t sample_rate, dv_resampler *resampler,
                            dv_audio *audio)
{
    dv_resampler *own = NULL;
    if (resampler == NULL)
        DV_TRY(dv_resampler_create(sample_rate, &own));
    DV_ASSERT(resampler == NULL || dv_resampler_rate(resampler) == sample_rate);
    dv_status status = resample_with(path, resampler != NULL ? resampler : own, audio);
    dv_resampler_free(own);
    return status;
}

/* Checks what is asked for, and reads, mixes and resamples the file. */
static dv_status read_audio(const char *path, bool streams, int64_t sample_rate,
                            const extent *asked, dv_resampler *resampler, dv_audio *audio)
{
    dv__sound_file bytes;
    memset(audio, 0, sizeof *audio);
    if (sample_rate < DV_AUDIO_MIN_RATE || sample_rate > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EARG, "%s: cannot be read at %lld Hz: the sample rate must be %d to %d",
                       path, (long long)sample_rate, DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE);
    if (!(asked->most > 0))
        return DV_FAIL(DV_EARG, "%s: cannot be read up to %g s: the limit must be above 0", path,
                       asked->most);
    dv_status status = dv__sound_file_open(path, streams, &bytes);
    if (status == DV_OK)
        status = read_mixed(&bytes, asked, audio);
    dv__sound_file_close(&bytes);
    if (status == DV_OK && audio->sample_rate != sample_rate)
        status = dv_audio_resample(path, sample_rate, resampler, audio);
    if (status != DV_OK)
        dv_audio_free(audio);
    return status;
}

dv_status dv_audio_read(const char *path, int64_t sample_rate, double max_seconds,
                        dv_resampler *resampler, dv_audio *audio)
{
    return read_audio(path, false, sample_rate, &(extent){.most = max_seconds}, resampler, audio);
}

dv_status dv_audio_read_stretch(const char *path, int64_t sample_rate, double start, double length,
                                dv_resampler *resampler, dv_audio *audio)
{
    const extent asked = {.most = length + 1, .start = start, .length = length};
    return read_audio(path, false, sample_rate, &asked, resampler, audio);
}

dv_status dv_audio_seconds(const char *path, double *seconds)
{
    dv__sound_file bytes;
    audio_input in = {.bytes = &bytes};
    *seconds = 0;
    dv_status status = dv__sound_file_open(path, false, &bytes);
    if (status == DV_OK)
        status = begin(&in, &(extent){.most = INFINITY});
    if (status == DV_OK && in.promised < 0)
        status = DV_FAIL(DV_EFORMAT, "%s: does not say how long it is", path);
    if (status == DV_OK)
        *seconds = (double)in.promised / (double)in.info.samplerate;
    if (in.file != NULL)
        sf_close(in.file);
    dv__sound_file_close(&bytes);
    return status;
}

dv_status dv_audio_read_stream(const char *path, int64_t sample_rate, double max_seconds,
                               dv_resampler *resampler, dv_audio *audio)
{
    return read_audio(path, true, sample_rate, &(extent){.most = max_seconds}, resampler, audio);
}

/* Converts samples (count) to 16 bits. libsndfile's reading is the inverse of this scale. */
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

/* Removes a file that was written in part, since it would pass for a whole clip. */
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

const char *dv_audio_remark_text(dv_audio_remark remark)
{
    static const char *const texts[] = {
#define X(name, text) text,
        DV_AUDIO_REMARK_LIST(X)
#undef X
    };
    return texts[remark];
}

void dv_audio_free(dv_audio *audio)
{
    free(audio->samples);
    memset(audio, 0, sizeof *audio);
}
