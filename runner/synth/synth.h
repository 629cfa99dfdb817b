/*
 * Synthetic voices: a data set of words spoken by the program espeak-ng, in many accents, voices,
 * rates, pitches and levels and with some noise. Its files have names like those of FSDD, and its
 * speakers are the voices.
 */
#ifndef DV_SYNTH_H
#define DV_SYNTH_H

#include "engine/base/field.h"
#include "engine/base/log.h"

typedef struct dv_synth_config {
    char out[DV_STRING_SIZE];   /* folder, created if missing */
    char words[DV_STRING_SIZE]; /* separated by commas */
    int64_t voices;
    int64_t takes; /* clips of each word by each voice */
    int64_t seed;
    int64_t sample_rate; /* Hz */
    int64_t jobs;        /* espeak-ng processes at a time */
} dv_synth_config;

extern const dv_field dv_synth_fields[];

/* Is told after each file how many of all files are written. */
typedef struct dv_synth_observer {
    void (*written)(void *user, int64_t files, int64_t total);
    void *user;
} dv_synth_observer;

/*
 * Writes voices x words x takes files {word}_{voice}_{take}.wav, 16-bit mono. *written is their
 * number, also after a failure. `observer` may be NULL. The same seed gives the same bytes with the
 * same espeak-ng. Returns DV_ECONFIG if a word cannot be part of a file's name or there are not
 * enough voices, and DV_EIO if espeak-ng is not installed (the message names the package) or fails,
 * or if a file cannot be written.
 */
dv_status dv_synth(const dv_synth_config *config, const dv_synth_observer *observer,
                   int64_t *written);

#endif
