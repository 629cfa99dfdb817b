/*
 * Reading and writing sound files. All formats of libsndfile are read (WAV, AIFF, AU, W64, CAF,
 * FLAC, MP3, OGG with Vorbis or Opus), at any rate. Sounds are mixed down to one channel and
 * resampled.
 */
#ifndef DV_AUDIO_H
#define DV_AUDIO_H

#include "engine/base/status.h"
#include "frontends/audio/resample.h"

/* Facts about a file as it was before its channels were mixed and resampled. */
typedef struct dv_audio_facts {
    int64_t sample_rate; /* Hz; 0 if nothing was read */
    int64_t frames;
    int channels;
    unsigned remarks; /* bits 1 << dv_audio_remark; the file was read, yet it has these faults */
    double peak;      /* the largest of all channels; full scale is 1 */
    double rms;       /* the largest of all channels */
    double clipped;   /* share of samples at full scale in runs of at least 3, the largest of all
                         channels */
} dv_audio_facts;

typedef struct dv_audio {
    float *samples;      /* (count), -1..1, owned */
    int64_t count;       /* at least 1 */
    int64_t sample_rate; /* Hz */
    dv_audio_facts facts;
} dv_audio;

/* Faults of a file that its user should know about. */
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

/* A clause to follow the name of the file. It does not name the file. */
const char *dv_audio_remark_text(dv_audio_remark remark);

/* Sample rates of files, Hz. */
enum { DV_AUDIO_MIN_RATE = 100, DV_AUDIO_MAX_RATE = 768000 };

/* The largest magnitude of a sample. Larger ones are no sound in any unit (16-bit units reach
   32,768), and their powers would leave the range of float. */
enum { DV_AUDIO_LARGEST = 65536 };

/*
 * Reads a file, mixes its channels to their mean and resamples it to `sample_rate` Hz,
 * DV_AUDIO_MIN_RATE to DV_AUDIO_MAX_RATE. If the channels cancel each other in the mean, the
 * loudest channel is taken. `max_seconds` limits the memory that a hostile file can take.
 * `resampler` must resample to `sample_rate`; if it is NULL the call makes one. A caller that reads
 * many files keeps a resampler for each thread.
 *
 * Every failure names the file. DV_EIO if it is missing, not permitted or a directory. DV_ESYSTEM
 * if the system cannot read it (too many open files, a failing disk), and perhaps no other file
 * either. DV_EFORMAT if it is empty, no sound file, without samples, truncated below the size in
 * its header, longer than `max_seconds`, or has samples that are not finite. *audio is zeroed on
 * failure; free it with dv_audio_free.
 */
dv_status dv_audio_read(const char *path, int64_t sample_rate, double max_seconds,
                        dv_resampler *resampler, dv_audio *audio);

/* Reads `length` s (above 0) of the file from `start` s on, however long the file is. DV_EFORMAT if
   the file ends before that. */
dv_status dv_audio_read_stretch(const char *path, int64_t sample_rate, double start, double length,
                                dv_resampler *resampler, dv_audio *audio);

/* The length of the file according to its header, s. DV_EFORMAT if the header does not say it. */
dv_status dv_audio_seconds(const char *path, double *seconds);

/* Like dv_audio_read, but `path` may also name a pipe, or be "-" for standard input. A stream is
   read to its end before it is decoded; one of more than 256 MiB is DV_EFORMAT. */
dv_status dv_audio_read_stream(const char *path, int64_t sample_rate, double max_seconds,
                               dv_resampler *resampler, dv_audio *audio);

/* Replaces the samples by the same sound at `sample_rate` Hz. `resampler` is as in dv_audio_read,
   and `path` is for messages. DV_EARG for a rate out of range, DV_EFORMAT for too few samples; both
   leave *audio as it was. */
dv_status dv_audio_resample(const char *path, int64_t sample_rate, dv_resampler *resampler,
                            dv_audio *audio);

/* Writes 16-bit WAV. Samples are clipped to -1..1. */
dv_status dv_audio_write_wav(const char *path, const dv_audio *audio);

void dv_audio_free(dv_audio *audio);

/* The kind of a file by the ending of its name, in upper or lower case. */
typedef enum dv_sound_kind {
    DV_NO_SOUND,
    DV_SOUND,        /* a sound file that can be read */
    DV_FOREIGN_SOUND /* a sound file that cannot be read: m4a, amr, ... */
} dv_sound_kind;
dv_sound_kind dv_audio_kind(const char *name);

#endif
