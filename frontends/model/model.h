/*
 * A model is an opened checkpoint with its front-end, its labels and its parameters on a device. It
 * does not change once it is open. Threads share it, and each has a session of its own.
 * include/decavox.h has the functions for programs; the functions here are for the engine's own
 * users.
 */
#ifndef DV_MODEL_MODEL_H
#define DV_MODEL_MODEL_H

#include "engine/backends/open.h"
#include "engine/layers/network.h"
#include "frontends/features/features.h"
#include "frontends/model/checkpoint.h"

/*
 * From the last.safetensors of a training dv_model_open takes the weights that the training would
 * have returned had it stopped there (see dv_checkpoint_kept).
 */

int64_t dv_model_classes(const dv_model *model); /* dv_model_label_count */
const dv_frontend *dv_model_frontend(const dv_model *model);
const dv_checkpoint *dv_model_checkpoint(const dv_model *model);
dv_context *dv_model_context(const dv_model *model);
const dv_graph *dv_model_graph(const dv_model *model); /* the graph for batch 1 */
int dv_model_input(const dv_model *model);             /* its node of the features */
int dv_model_output(const dv_model *model);            /* its node of the logits */

/* The parameters, to read and to replace. New values count for all sessions at once. */
dv_params *dv_model_params(const dv_model *model);
int64_t dv_model_parameters(const dv_model *model); /* number of trainable values */

/* Borrow and return the network for batch 1 on one thread, which opening the model has made. It is
   lent to one session at a time; others get NULL. */
dv_network *dv__model_borrow(dv_model *model);
void dv__model_return(dv_model *model);

/*
 * Makes a context and a network for a session, for `batch` clips at a time and `threads` host
 * threads. They compute as the model does. The caller owns both.
 */
dv_status dv__model_network(dv_model *model, int64_t batch, int threads, dv_context **context,
                            dv_network *network);

/* Copies options of the public header into *out (size). Options that an older program does not have
   become 0; if `given` is NULL all do. DV_EARG if `given->size` is the size of no version up to
   this one. */
dv_status dv__options_take(const void *given, size_t size, const char *name, void *out);

/* The index of an option's value in `names` (ended by NULL). DV_EARG if it is none of them. */
dv_status dv__option_find(const char *option, const char *value, const char *const *names,
                          int *out);

#endif
