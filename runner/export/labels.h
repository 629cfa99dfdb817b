/* The words of a model for those who get its probabilities alone. */
#ifndef DV_EXPORT_LABELS_H
#define DV_EXPORT_LABELS_H

#include "frontends/model/model.h"

/*
 * Writes the words in the order of the probabilities, as the audio tagger of sherpa-onnx reads
 * them: `index,mid,display_name`, then a line for each, `0,0,"zero"`. It reads what lies between
 * the first quote and the last as the word, so a quote in it is no special one. It reads up to the
 * first comma as the mid, which is the index again. The file is written whole or not at all.
 * DV_EIO.
 */
dv_status dv_export_labels(const dv_model *model, const char *path);

#endif
