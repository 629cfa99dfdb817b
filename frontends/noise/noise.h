/*
 * Recorded noise: finding and reading it, and adding it to recordings to measure how a model bears
 * it. Not the noise of augmentation (frontends/augment/augment.h), which only lists its files here.
 *
 * Noise is added to the recording, at the front-end's rate, after it is read and before anything
 * of the front-end sees it (DC, level, placement), so the word is looked for in the noisy sound.
 * A random stretch of the noise, as long as the clip, is added; where the noise is shorter than the
 * clip, it is repeated, beginning anywhere. It is scaled so that
 *
 *     20 log10(rms(clip) / rms(stretch)) = SNR in dB
 *
 * both over the whole clip, as recorded. A silent clip stays as it is, and so does one whose
 * stretch is silent (an RMS below 1e-6). Nothing is clipped.
 *
 * Which stretch it is, is a function of seed and key (dv_noise_key: the clip's label and the name
 * of its file, and for a stretch of a file also which one) alone: the same at every SNR, in every
 * order of the clips, in every part of the data, from every folder. Which of several noises it is,
 * is decided among the clips at hand (dv_noise_share), so that the noises share these clips evenly.
 */
#ifndef DV_NOISE_H
#define DV_NOISE_H

#include "frontends/audio/audio.h"

/* Limits of recorded noise: seconds of a file, samples in all (1 GiB). */
enum { DV_NOISE_MAX_SECONDS = 1800, DV_NOISE_MAX_SAMPLES = 1 << 28 };

/*
 * Lists sound files: `paths` are files and folders, separated by commas; of a folder the files of
 * kinds that are read (dv_audio_kind), in natural order. DV_EARG: no path, or none between two
 * commas; DV_EIO: names the path that is not there or the folder without sound. Free with
 * dv_noise_unlist; empty on failure.
 */
dv_status dv_noise_list(const char *paths, char ***files, size_t *count);
void dv_noise_unlist(char **files, size_t count);

typedef struct dv_noise_file {
    char *path;
    dv_audio audio;
} dv_noise_file;

typedef struct dv_noise_files {
    dv_noise_file *items; /* (count) */
    size_t count;
} dv_noise_files;

/* Reads the files that `paths` lists, at `sample_rate` Hz. As dv_noise_list and dv_audio_read fail,
   and DV_EFORMAT for too many samples. Zeroed on failure. */
dv_status dv_noise_files_read(const char *paths, int64_t sample_rate, dv_noise_files *out);
void dv_noise_files_free(dv_noise_files *files);

/* The key of a clip; of `path` the part behind the last '/' counts. */
uint64_t dv_noise_key(const char *label, const char *path);

/*
 * Deals `files` noises out to the clips with these keys (count): in turn, in an order that seed and
 * keys make. which (count): 0..files-1, each as often as any other, or once more.
 */
dv_status dv_noise_share(uint64_t seed, const uint64_t *keys, size_t count, size_t files,
                         size_t *which);

/* The first sample of the stretch for a clip of `count` samples. */
int64_t dv_noise_start(const dv_noise_file *noise, uint64_t seed, uint64_t key, int64_t count);

/* Adds the stretch to samples (count), `snr` dB below them. */
void dv_noise_add(const dv_noise_file *noise, uint64_t seed, uint64_t key, double snr,
                  float *samples, int64_t count);

#endif
