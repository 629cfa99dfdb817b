/* What `info` tells, as JSON. New references; NULL where memory is out. */
#ifndef DV_CLI_INFO_JSON_H
#define DV_CLI_INFO_JSON_H

#include "frontends/model/session.h"

#include <jansson.h>

/* {decavox, commit, backends: [{name, version or problem, devices}], physical_cores} */
json_t *dv_info_build_json(void);

/* {checkpoint, precision, training, labels, parameters, layers: [{name, op, shape}],
   configuration}. training: it has the state of one that goes on. A shape is (batch 1, height,
   width, channels). */
json_t *dv_info_checkpoint_json(const dv_model *model, const char *path);

#endif
