/*
 * decavox: the public C API to recognise spoken words. A checkpoint carries its front-end and its
 * labels, so a recogniser needs nothing else. A complete user of it:
 *
 *     #include <decavox/predict.h>
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         dv_recognizer *recognizer = NULL;
 *         float *probabilities = NULL;
 *         dv_status status = argc == 3 ? dv_recognizer_open(argv[1], 1, NULL, NULL, &recognizer)
 *                                      : DV_EARG;
 *         if (status == DV_OK) {
 *             probabilities = calloc(dv_recognizer_label_count(recognizer), sizeof(float));
 *             status = dv_recognizer_file(recognizer, argv[2], probabilities);
 *         }
 *         for (size_t i = 0; status == DV_OK && i < dv_recognizer_label_count(recognizer); i++)
 *             printf("%s %.4f\n", dv_recognizer_label(recognizer, i), probabilities[i]);
 *         if (status != DV_OK)
 *             fprintf(stderr, "%s: %s\n", dv_status_text(status), dv_error_message());
 *         free(probabilities);
 *         dv_recognizer_close(recognizer);
 *         return status == DV_OK ? 0 : 1;
 *     }
 *
 * Compiled with: cc say.c $(pkg-config --cflags --libs decavox)
 */
#ifndef DECAVOX_PREDICT_H
#define DECAVOX_PREDICT_H

#include "engine/base/decavox.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One thread at a time uses a recogniser; several recognisers know nothing of each other. */
typedef struct dv_recognizer dv_recognizer;

/*
 * Opens a checkpoint, on the CPU. `threads`: files recognised at a time, 0 for as many as there are
 * physical cores. `log` (may be NULL) receives warnings together with `user`. *out is NULL on
 * failure: DV_EIO the file cannot be read, DV_EFORMAT it is no checkpoint or damaged, or the model
 * in it cannot be built; the message names the file.
 */
DV_API DV_MUST_CHECK dv_status dv_recognizer_open(const char *checkpoint, int threads,
                                                  dv_log_fn log, void *user, dv_recognizer **out);

/* `recognizer` may be NULL. */
DV_API void dv_recognizer_close(dv_recognizer *recognizer);

DV_API size_t dv_recognizer_label_count(const dv_recognizer *recognizer);

/* Label `index`; lives as long as the recogniser. NULL where there is no such label. */
DV_API const char *dv_recognizer_label(const dv_recognizer *recognizer, size_t index);

/*
 * probabilities (label_count), in order of the labels, summing to 1: what `decavox predict` says of
 * the same file. Any format that libsndfile reads, at any rate, up to a minute. DV_EIO, DV_EFORMAT:
 * the file is missing, empty, damaged, too long or no sound; DV_ESYSTEM: the system cannot read it
 * (too many open files, a failing disk); the message names it. What is not in order and yet read
 * (a recorder that was stopped, channels that cancel each other) goes to `log` as a warning.
 */
DV_API DV_MUST_CHECK dv_status dv_recognizer_file(dv_recognizer *recognizer, const char *path,
                                                  float *probabilities);

/*
 * The same for `count` files, in parallel: probabilities (count, label_count), statuses (count).
 * A file that fails fails alone, and its probabilities are 0; the status and message of the first
 * such file are those of the call. Where nothing can be answered (DV_ENOMEM, DV_EDEVICE,
 * DV_ESYSTEM), that is every file's status.
 */
DV_API DV_MUST_CHECK dv_status dv_recognizer_files(dv_recognizer *recognizer,
                                                   const char *const *paths, size_t count,
                                                   float *probabilities, dv_status *statuses);

/*
 * The same for samples (count) of one channel, -1..1, at `sample_rate` Hz. DV_EARG: no samples,
 * more than a minute, a sample that is no number or far outside -1..1, a rate that cannot be.
 */
DV_API DV_MUST_CHECK dv_status dv_recognizer_samples(dv_recognizer *recognizer,
                                                     const float *samples, size_t count,
                                                     int64_t sample_rate, float *probabilities);

/*
 * Which part of a sound an answer is of: the model looks at one window, which lies on the loudest
 * word unless the checkpoint's configuration places it in the middle or at the start. `to` - `from`
 * may be less than the window, where that reaches beyond the sound.
 */
typedef struct dv_seen {
    double seconds;  /* length of the sound */
    double from, to; /* what was seen of it, in seconds from its start */
} dv_seen;

/* Of sound `index` of the latest call that has answered, 0 where that was of one sound.
   All 0: there is no such sound, or no answer to it. A file that is longer than the window goes to
   `log` as a warning, too. */
DV_API dv_seen dv_recognizer_seen(const dv_recognizer *recognizer, size_t index);

/* Length of the window in seconds. Of a longer sound each stretch of that length can be given to
   dv_recognizer_samples; `decavox predict --windows` does so. */
DV_API double dv_recognizer_window(const dv_recognizer *recognizer);

#ifdef __cplusplus
}
#endif

#endif
