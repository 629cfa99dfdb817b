/* An experiment that programs open and change; what they may do is in include/decavox.h. */
#ifndef DV_EXPERIMENT_CONFIG_H
#define DV_EXPERIMENT_CONFIG_H

#include "runner/experiment/experiment.h"

/* The experiment, and the settings that were laid over its file: a map. Both live until the
   configuration is changed or freed. */
const dv_experiment *dv_config_experiment(const dv_config *config);
const dv_tree *dv_config_overrides(const dv_config *config);

#endif
