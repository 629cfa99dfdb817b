/*
 * Presets of the front-end: files NAME.yaml in the folder `features` beside the configuration, or
 * in decavox's own configs/features. Each holds the content of a section `features`.
 */
#ifndef DV_EXPERIMENT_FEATURE_PRESETS_H
#define DV_EXPERIMENT_FEATURE_PRESETS_H

#include "engine/base/tree.h"

/*
 * Expands presets in a configuration: `features: NAME` becomes the content of the preset NAME, and
 * `features: {preset: NAME, hop: 128}` the same with another hop. This is done for each file and
 * for the command line before they are merged, so that a preset replaces every key below it. `path`
 * is the path of the configuration. Returns DV_ECONFIG if there is no such preset; the message
 * names the places that were searched.
 */
dv_status dv_feature_preset_expand(const char *path, dv_tree *tree);

#endif
