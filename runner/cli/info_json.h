/* The output of `info` as JSON. The functions give new references, or NULL without memory. */
#ifndef DV_CLI_INFO_JSON_H
#define DV_CLI_INFO_JSON_H

#include "frontends/model/session.h"

#include <jansson.h>

/* {decavox, commit, backends: [{name, version or problem, devices}], physical_cores} */
json_t *dv_info_build_json(void);

/* {checkpoint, precision, training, labels, parameters, layers: [{name, op, shape}],
   configuration}. `training` tells whether it holds the state of a training that can be resumed. A
   shape is (batch 1, height, width, channels). */
json_t *dv_info_checkpoint_json(const dv_model *model, const char *path);

#endif
