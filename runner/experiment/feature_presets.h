/*
 * Front-ends by name: files NAME.yaml in a folder `features` beside the configuration, or among
 * decavox's own in configs/features. Each is the content of a section `features`.
 */
#ifndef DV_EXPERIMENT_FEATURE_PRESETS_H
#define DV_EXPERIMENT_FEATURE_PRESETS_H

#include "engine/base/tree.h"

/*
 * In a configuration that was read, `features: NAME` becomes what the preset NAME says, and
 * `features: {preset: NAME, hop: 128}` the same with hop changed. Done for each file and for the
 * command line before they are laid over each other, so that a preset replaces whatever is said
 * below it. `path`: of the configuration. DV_ECONFIG: there is no such preset, and where it was
 * looked for.
 */
dv_status dv_feature_preset_expand(const char *path, dv_tree *tree);

#endif
