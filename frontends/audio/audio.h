/*
 * Sound files: any that libsndfile reads (WAV, AIFF, AU, W64, CAF, FLAC, MP3, OGG with Vorbis or
 * Opus), at any rate, mixed down to one channel and resampled.
 */
#ifndef DV_AUDIO_H
#define DV_AUDIO_H

#include "engine/base/status.h"
#include "frontends/audio/resample.h"

/* What a file was, before its channels were mixed and resampled. */
typedef struct dv_audio_facts {
    int64_t sample_rate; /* Hz; 0: nothing was read */
    int64_t frames;
    int channels;
    unsigned remarks; /* bit 1 << dv_audio_remark: of a file that was read, yet is not in order */
    double peak;      /* of all channels; 1: full scale */
    double rms;       /* of the channel that has the most power */
    double clipped;   /* share of the samples that are at full scale in runs of at least 3, of the
                         channel that has most of them */
} dv_audio_facts;

typedef struct dv_audio {
    float *samples;      /* (count), -1..1, owned */
    int64_t count;       /* at least 1 */
    int64_t sample_rate; /* Hz */
    dv_audio_facts facts;
} dv_audio;

/* What the user of such a file should know. */
#define DV_AUDIO_REMARK_LIST(X)                                                                    \
    X(SIZE_0, "the header says 0 bytes of samples, as a recorder leaves it that was stopped; "     \
              "what follows is read to the end")                                                   \
    X(BEYOND, "the header promises a few bytes more than there are; what is there is read")        \
    X(UNENDED, "the end is not marked, as a recorder leaves it that was stopped; what is there "   \
               "is read")                                                                          \
    X(CANCELLED, "the channels cancel each other in their mean; the loudest one is taken")

typedef enum dv_audio_remark {
#define X(name, text) DV_AUDIO_##name,
    DV_AUDIO_REMARK_LIST(X)
#undef X
        DV_AUDIO_REMARK_COUNT
} dv_audio_remark;

/* A sentence without its subject, the file. */
const char *dv_audio_remark_text(dv_audio_remark remark);

/* Sample rates of files, Hz. */
enum { DV_AUDIO_MIN_RATE = 100, DV_AUDIO_MAX_RATE = 768000 };

/* Samples beyond this are no sound in any unit (16-bit units reach 32,768), and their powers would
   leave the range of float. */
enum { DV_AUDIO_LARGEST = 65536 };

/*
 * Reads at most `max_seconds` (a limit on memory for hostile files: longer is DV_EFORMAT, named
 * with its length) and resamples to `sample_rate` Hz, DV_AUDIO_MIN_RATE to DV_AUDIO_MAX_RATE, with
 * `resampler`, which must be to that rate; NULL: with one of its own. Who reads many files keeps
 * one for each thread. Channels are mixed to their mean; where they cancel each other there, the
 * loudest is taken. Every failure names the file. DV_EIO: missing, not permitted, a directory;
 * DV_ESYSTEM: the system cannot read it (too many open files, a failing disk), nor perhaps any
 * other; DV_EFORMAT: empty, not sound, no samples, truncated below its header's promise, not-finite
 * samples, too long. *audio is zeroed on failure; free with dv_audio_free.
 */
dv_status dv_audio_read(const char *path, int64_t sample_rate, double max_seconds,
                        dv_resampler *resampler, dv_audio *audio);

/* Reads `length` s of the file, above 0, from `start` s on, however long the file is. DV_EFORMAT:
   it ends before. */
dv_status dv_audio_read_stretch(const char *path, int64_t sample_rate, double start, double length,
                                dv_resampler *resampler, dv_audio *audio);

/* How long the file is by its header, s. DV_EFORMAT: the header does not say. */
dv_status dv_audio_seconds(const char *path, double *seconds);

/* As dv_audio_read, and the path may be that of a pipe, or "-", standard input. Either is read to
   its end before it is decoded; more than 256 MiB are DV_EFORMAT. */
dv_status dv_audio_read_stream(const char *path, int64_t sample_rate, double max_seconds,
                               dv_resampler *resampler, dv_audio *audio);

/* Replaces the samples by the same sound at `sample_rate` Hz; `resampler` as above. `path` is for
   messages. DV_EARG: a rate that cannot be; DV_EFORMAT: too few samples. *audio is then as it
   was. */
dv_status dv_audio_resample(const char *path, int64_t sample_rate, dv_resampler *resampler,
                            dv_audio *audio);

/* Writes 16-bit WAV, clipping to -1..1. */
dv_status dv_audio_write_wav(const char *path, const dv_audio *audio);

void dv_audio_free(dv_audio *audio);

/* What the ending of a file's name says, in any case. */
typedef enum dv_sound_kind {
    DV_NO_SOUND,
    DV_SOUND,        /* of a kind that is read */
    DV_FOREIGN_SOUND /* of one that is not read: m4a, amr, ... */
} dv_sound_kind;
dv_sound_kind dv_audio_kind(const char *name);

#endif
