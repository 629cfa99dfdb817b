/*
 * A model: an opened checkpoint, with its front-end, its labels and its parameters on a device. It
 * does not change once it is open, and threads share it, each with a session of its own. Opening,
 * closing and what programs may ask are in include/decavox.h; here is what the engine's own users
 * ask.
 */
#ifndef DV_MODEL_MODEL_H
#define DV_MODEL_MODEL_H

#include "engine/backends/open.h"
#include "engine/layers/network.h"
#include "frontends/features/features.h"
#include "frontends/model/checkpoint.h"

/*
 * Of a training's last.safetensors, dv_model_open takes the weights that the training would keep if
 * it ended there: the best epoch's, their moving average, or the last ones.
 */

int64_t dv_model_classes(const dv_model *model); /* dv_model_label_count */
const dv_frontend *dv_model_frontend(const dv_model *model);
const dv_checkpoint *dv_model_checkpoint(const dv_model *model);
dv_context *dv_model_context(const dv_model *model);
const dv_graph *dv_model_graph(const dv_model *model); /* of batch 1 */
int dv_model_input(const dv_model *model);             /* its node of the features */
int dv_model_output(const dv_model *model);            /* its node of the logits */

/* To read and to replace; what is written counts for all sessions at once. */
dv_params *dv_model_params(const dv_model *model);
int64_t dv_model_parameters(const dv_model *model); /* trainable numbers */

/* The network of batch 1 on one thread that opening has made. One session at a time borrows it; the
   others get NULL. */
dv_network *dv__model_borrow(dv_model *model);
void dv__model_return(dv_model *model);

/*
 * A context and a network of its own for a session, of so many clips at a time and on so many host
 * threads, computing as the model does. Both are owned by the caller.
 */
dv_status dv__model_network(dv_model *model, int64_t batch, int threads, dv_context **context,
                            dv_network *network);

/* Copies options of the public header into *out (size); those that an older program does not know
   of are 0. DV_EARG: `given->size` is that of no version up to this one. `given` NULL: all are 0.
 */
dv_status dv__options_take(const void *given, size_t size, const char *name, void *out);

/* The index of an option's value in `names`, which NULL ends. DV_EARG: it is none of them. */
dv_status dv__option_find(const char *option, const char *value, const char *const *names,
                          int *out);

#endif
