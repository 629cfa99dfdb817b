/*
 * Models in files of their own, NAME.yaml in one of several folders. An ensemble names its members.
 * Each name is replaced by the content of the member's file, so that a model is complete in itself:
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
 * Reads the first NAME.yaml in `folders` (ended by NULL), where NAME is the text of `where`, and
 * resolves it. The caller owns *out. DV_ECONFIG, at the place of `where`, if it is no name, or if
 * there is no such file; the message lists the places.
 */
dv_status dv_model_file_find(const char *const *folders, const dv_tree *where, dv_tree **out);

/* Reads and resolves the file at `path`. Members are looked for beside it. */
dv_status dv_model_file_read(const char *path, dv_tree **out);

/* Replaces the names of members in `model`. DV_ECONFIG if a member is an ensemble itself. Other
   mistakes are found when the model is built. */
dv_status dv_model_resolve(const char *const *folders, dv_tree *model);

#endif
