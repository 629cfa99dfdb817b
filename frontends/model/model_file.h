/*
 * Models in files of their own, NAME.yaml in one of some folders. An ensemble names its members;
 * here each name becomes the content of the member's file, so that a model is complete in itself:
 *
 *     - ensemble: {models: [advanced, efficient], name: mix}
 *
 * becomes
 *
 *     - ensemble: {models: [{name: advanced, layers: [...]}, {name: efficient, ...}], name: mix}
 */
#ifndef DV_MODEL_MODEL_FILE_H
#define DV_MODEL_MODEL_FILE_H

#include "engine/base/tree.h"

/*
 * Reads the first NAME.yaml in `folders` (ended by NULL), NAME being the text of `where`, and
 * resolves it. *out owned by the caller. DV_ECONFIG at the place of `where`: it is no name, or
 * there is no such file, and where it was looked for.
 */
dv_status dv_model_file_find(const char *const *folders, const dv_tree *where, dv_tree **out);

/* The same from a path; members are looked for beside the file. */
dv_status dv_model_file_read(const char *path, dv_tree **out);

/* Replaces the names of members in `model`. A member that is an ensemble itself is DV_ECONFIG. What
   is not as it should be otherwise is left to who builds the model. */
dv_status dv_model_resolve(const char *const *folders, dv_tree *model);

#endif
