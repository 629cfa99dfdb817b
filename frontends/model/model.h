/*
 * A model: an opened checkpoint, with its front-end, its labels and its parameters on a device. It
 * does not change once it is open, and threads share it, each with a session of its own
 * (session.h).
 */
#ifndef DV_MODEL_MODEL_H
#define DV_MODEL_MODEL_H

#include "engine/backends/open.h"
#include "engine/layers/network.h"
#include "frontends/features/features.h"
#include "frontends/model/checkpoint.h"

typedef struct dv_model dv_model;

typedef struct dv_model_options {
    const char *device;       /* as dv_context_open takes it */
    dv_algorithms algorithms; /* of a GPU's libraries; what is measured is kept, see choices.h */
    dv_log log;
} dv_model_options;

/* Of a training's last.safetensors it takes the weights that the training would keep if it ended
   there: the best epoch's, their moving average, or the last ones. DV_EIO, DV_EFORMAT
   name the checkpoint. */
dv_status dv_model_open(const char *checkpoint, const dv_model_options *options, dv_model **out);

/* After the last of its sessions. `model` may be NULL. */
void dv_model_close(dv_model *model);

int64_t dv_model_classes(const dv_model *model);
const char *dv_model_label(const dv_model *model, int64_t class);
const dv_frontend *dv_model_frontend(const dv_model *model);
const dv_checkpoint *dv_model_checkpoint(const dv_model *model);
dv_context *dv_model_context(const dv_model *model);

/* Of batch 1. What is written to its parameters counts for all sessions at once. */
const dv_network *dv_model_network(const dv_model *model);

/* The plan of batch 1 that opening has made: the first who asks owns it, all others get NULL. */
dv_plan *dv_model_take_plan(dv_model *model);

#endif
