/* Made sound for the configuration fuzzer: a tone for each class, in noise, at any sample rate; of
   other lengths than the window, and one clip of silence. */
#ifndef DV_TESTS_FUZZ_TONE_CLIPS_H
#define DV_TESTS_FUZZ_TONE_CLIPS_H

#include "frontends/dataset/dataset.h"

enum { TONE_TRAINING = 4, TONE_CLIPS = 15 }; /* of a class; of all, the rest is validation */

/* Ends the program where there is no memory. Free with dv_dataset_free. */
void make_tone_clips(const dv_frontend *frontend, dv_dataset *out);

/* The labels as a checkpoint holds them, owned by the caller. */
dv_tree *tone_labels(const dv_dataset *dataset);

#endif
