/* Synthetic clips for the configuration fuzzer: each class is a tone in noise, at any sample rate.
   Most clips are shorter or longer than the window, and one is silent. */
#ifndef DV_TESTS_FUZZ_TONE_CLIPS_H
#define DV_TESTS_FUZZ_TONE_CLIPS_H

#include "frontends/dataset/dataset.h"

enum {
    TONE_TRAINING = 4, /* training clips per class; the others are for validation */
    TONE_CLIPS = 15    /* clips of all classes and parts */
};

/* Makes the clips; the caller frees them with dv_dataset_free. Ends the program without memory. */
void make_tone_clips(const dv_frontend *frontend, dv_dataset *out);

/* The labels in the form of a checkpoint, owned by the caller. */
dv_tree *tone_labels(const dv_dataset *dataset);

#endif
