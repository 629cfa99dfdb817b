/* Starts a model from the parameters of other checkpoints, as far as they fit. */
#ifndef DV_MODEL_TRANSFER_H
#define DV_MODEL_TRANSFER_H

#include "engine/base/tree.h"
#include "engine/core/graph.h"

enum { DV_TRANSFER_PATH_SIZE = 1024 };

/* Turns a name that the user has given into a path (DV_TRANSFER_PATH_SIZE). */
typedef void (*dv_transfer_find)(const char *named, char *path, size_t size);

/* The model that is started. Everything is borrowed. */
typedef struct dv_transfer_target {
    const dv_graph *graph;     /* gets the parameters; ends with the logits or with their loss */
    const dv_tree *features;   /* resolved section of its configuration; NULL to not compare it */
    const char *const *labels; /* (label_count), in the order of the logits; NULL to not compare */
    dv_transfer_find find;     /* NULL if names are paths */
    size_t label_count;
} dv_transfer_target;

/*
 * Copies the tensors of other checkpoints whose name and shape match. `files` is "FILE" or
 * "PREFIX=FILE", or several of them separated by commas. "advanced.=runs/a/model.safetensors" loads
 * that file with "advanced." before all its names. A text that is the path of a file as a whole
 * stands for that file, even with '=' or commas. Values and running statistics are copied; from the
 * checkpoint of an unfinished training, those of dv_checkpoint_kept. If several files have a
 * parameter, the last one wins. Parameters with a row for each class are copied only if the file
 * has the model's labels in the same order. `line` gets the rest: tensors of a file that the model
 * has no place for, parameters that stay as they are, and keys of the features with other values
 * than in the file.
 *
 * DV_EIO and DV_EFORMAT as in dv_checkpoint_open; DV_EFORMAT also for NaN and infinity. DV_EARG if
 * nothing in a file fits, or if a frozen parameter is in no file.
 */
dv_status dv_transfer(const char *files, const dv_transfer_target *target, dv_line_fn line,
                      void *user);

/* Checks that each of the files, named as for dv_transfer, is a checkpoint. Without this check a
   long preparation would come before the message. `find` may be NULL. Fails as dv_checkpoint_open.
 */
dv_status dv_transfer_check(const char *files, dv_transfer_find find);

/* dv_transfer for one file, whatever characters its path has. */
dv_status dv_transfer_file(const char *path, const dv_transfer_target *target, dv_line_fn line,
                           void *user);

/* Copies all values and running statistics of one model into another that has it as a part. The
   other model must have all parameters, of the same shapes and with "<prefix>." before their names
   (asserted). Both must have floats. */
dv_status dv_transfer_all(const dv_params *from, const char *prefix, dv_params *to);

#endif
