/*
 * Synthetic voices: spoken words by the program espeak-ng, in many accents, voices, rates, pitches,
 * levels and with some noise, as a data set with FSDD's names whose speakers are the voices.
 */
#ifndef DV_SYNTH_H
#define DV_SYNTH_H

#include "engine/base/field.h"
#include "engine/base/log.h"

typedef struct dv_synth_config {
    char out[DV_STRING_SIZE];   /* folder, made where missing */
    char words[DV_STRING_SIZE]; /* with commas between */
    int64_t voices;
    int64_t takes; /* clips of each word by each voice */
    int64_t seed;
    int64_t sample_rate; /* Hz */
    int64_t jobs;        /* espeak-ng processes at a time */
} dv_synth_config;

extern const dv_field dv_synth_fields[];

/*
 * Writes voices x words x takes files {word}_{voice}_{take}.wav, 16-bit mono; *written says how
 * many, also on failure. The same seed gives the same bytes with the same espeak-ng.
 * DV_ECONFIG: a word that cannot be part of a file's name, more voices than there are; DV_EIO:
 * espeak-ng is not installed (names the package) or fails, or a file cannot be written.
 */
dv_status dv_synth(const dv_synth_config *config, int64_t *written);

#endif
