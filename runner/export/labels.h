/* The labels of a model as a file, for runtimes that return only probabilities. */
#ifndef DV_EXPORT_LABELS_H
#define DV_EXPORT_LABELS_H

#include "frontends/model/model.h"

/*
 * Writes the labels in the order of the probabilities, in the format of sherpa-onnx's audio tagger:
 * the line `index,mid,display_name`, then a line such as `0,0,"zero"` for each label. The tagger
 * takes the text between the first and the last quote as the label, so quotes in it need no escape.
 * The mid repeats the index. The file is written completely or not at all. Returns DV_EIO.
 */
dv_status dv_export_labels(const dv_model *model, const char *path);

#endif
