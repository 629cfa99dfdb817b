/* Beginning with what another model has learnt: parameters of checkpoints, where they fit. */
#ifndef DV_MODEL_TRANSFER_H
#define DV_MODEL_TRANSFER_H

#include "engine/base/tree.h"
#include "engine/core/graph.h"

enum { DV_TRANSFER_PATH_SIZE = 1024 };

/* The model that begins. All borrowed. */
typedef struct dv_transfer_target {
    const dv_graph *graph;     /* its parameters are written; what it ends with are the logits */
    const dv_tree *features;   /* section of its configuration, resolved; NULL: not compared */
    const char *const *labels; /* (label_count) in the order of the logits; NULL: not compared */
    /* What a user has named becomes a path (DV_TRANSFER_PATH_SIZE); NULL: it is one. */
    void (*find)(const char *named, char *path, size_t size);
    size_t label_count;
} dv_transfer_target;

/*
 * `files`: "FILE" or "PREFIX=FILE", several with commas between;
 * "advanced.=runs/a/model.safetensors" stands for that file with "advanced." before all its names
 * (what names a file as a whole is that file, whatever '=' and commas are in it). Values and
 * running statistics that the model has by name and shape are written, of a training that is not
 * over those of dv_checkpoint_kept; of several files the last one wins. Where a file's labels are
 * not those of the model, in their order, parameters that have a row for each class are left out
 * though they fit. `line` is told what did not fit, both ways: tensors of a file that the model has
 * no place for, and parameters that are left as they are; and which keys of the features have other
 * values than those that the file was trained with.
 *
 * DV_EIO, DV_EFORMAT as dv_checkpoint_open, and for NaN and infinity; DV_EARG for a file of which
 * nothing fits, and for a frozen parameter that no file has given a value.
 */
dv_status dv_transfer(const char *files, const dv_transfer_target *target, dv_line_fn line,
                      void *user);

/* The same of one file, whatever its path is made of. */
dv_status dv_transfer_file(const char *path, const dv_transfer_target *target, dv_line_fn line,
                           void *user);

/* Copies all values and running statistics of one model into another that has it as a part:
   parameters of the same names behind "<prefix>." and shapes, all of them there (asserted). Floats
   on both sides. */
dv_status dv_transfer_all(const dv_params *from, const char *prefix, dv_params *to);

#endif
