/* The library's side of dv_config, the configuration of include/decavox.h. */
#ifndef DV_EXPERIMENT_CONFIG_H
#define DV_EXPERIMENT_CONFIG_H

#include "runner/experiment/experiment.h"

/* The experiment of a configuration. It lives until the configuration is changed or freed. */
const dv_experiment *dv_config_experiment(const dv_config *config);

#endif
