/* An experiment that programs open and change; what they may do is in include/decavox.h. */
#ifndef DV_EXPERIMENT_CONFIG_H
#define DV_EXPERIMENT_CONFIG_H

#include "runner/experiment/experiment.h"

/* It lives until the configuration is changed or freed. */
const dv_experiment *dv_config_experiment(const dv_config *config);

#endif
