/* A training on the fuzzer's tones on "cpu", set up as the program does for recordings. */
#ifndef DV_TESTS_FUZZ_TONE_TRAINING_H
#define DV_TESTS_FUZZ_TONE_TRAINING_H

#include "engine/train/trainer.h"
#include "frontends/batch/source.h"
#include "runner/experiment/experiment.h"

typedef struct tone_training {
    dv_experiment experiment;
    dv_frontend *frontend;
    dv_dataset dataset; /* FUZZ_CLASSES labels */
    dv_context *context;
    dv_clip_source *source;
    dv_trainer *trainer;
} tone_training;

/* Opens a training by a resolved configuration, without its augmentation: noises take long to make
   and may come from any folder. The caller calls tone_training_close, also after a failure. */
dv_status tone_training_open(const dv_tree *config, tone_training *out);
void tone_training_close(tone_training *training);

#endif
