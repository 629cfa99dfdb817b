/*
 * Recorded noise: finding it, reading it, and adding it to recordings to measure how well a model
 * copes with it. Augmentation (frontends/augment/augment.h) has its own noise and uses only the
 * list of files from here.
 *
 * Noise is added to the recording at the front-end's rate, before the front-end does anything (DC,
 * level, placement), so the word is looked for in the noisy sound. A random stretch of the noise,
 * as long as the clip, is added. Noise that is shorter than the clip is repeated, from a random
 * start. The stretch is scaled so that
 *
 *     20 log10(rms(clip) / rms(stretch)) = SNR in dB
 *
 * with both RMS values over the whole clip as recorded. A silent clip and a clip with a silent
 * stretch (an RMS below 1e-6) stay as they are. Nothing is clipped.
 *
 * The stretch is a function of seed and key alone (dv_noise_key: the clip's label and file name;
 * for a stretch of a file also its place). So it is the same at every SNR, in every order of the
 * clips, in every part of the data and in every folder. If there are several noises,
 * dv_noise_share deals them out evenly over the given clips.
 */
#ifndef DV_NOISE_H
#define DV_NOISE_H

#include "frontends/audio/audio.h"

/* Limits of recorded noise: seconds of a file, samples of all files together (1 GiB). */
enum { DV_NOISE_MAX_SECONDS = 1800, DV_NOISE_MAX_SAMPLES = 1 << 28 };

/*
 * Lists sound files. `paths` has files and folders, separated by commas. A folder stands for its
 * files of kinds that are read (dv_audio_kind), in natural order. DV_EARG if a path is empty.
 * DV_EIO, naming the path, if it does not exist or is a folder without sound files. The list is
 * empty on failure; free it with dv_noise_unlist.
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

/* Reads the files that `paths` lists, at `sample_rate` Hz. Fails as dv_noise_list and dv_audio_read
   do, and with DV_EFORMAT for too many samples. *out is zeroed on failure. */
dv_status dv_noise_files_read(const char *paths, int64_t sample_rate, dv_noise_files *out);
void dv_noise_files_free(dv_noise_files *files);

/* The key of a clip. Only the part of `path` behind the last '/' counts. */
uint64_t dv_noise_key(const char *label, const char *path);

/*
 * Deals `files` noises out to the clips with these keys (count), in turn, in an order that seed and
 * keys determine. which (count) becomes 0..files-1; the numbers of clips of two noises differ by at
 * most one.
 */
dv_status dv_noise_share(uint64_t seed, const uint64_t *keys, size_t count, size_t files,
                         size_t *which);

/* The first sample of the stretch for a clip of `count` samples. */
int64_t dv_noise_start(const dv_noise_file *noise, uint64_t seed, uint64_t key, int64_t count);

/* Adds the stretch to samples (count) at a signal-to-noise ratio of `snr` dB. */
void dv_noise_add(const dv_noise_file *noise, uint64_t seed, uint64_t key, double snr,
                  float *samples, int64_t count);

#endif
