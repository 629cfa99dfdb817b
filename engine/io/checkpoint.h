/*
 * Checkpoints: one safetensors file with everything a model needs to be used, and, while it trains,
 * everything the training needs to go on.
 *
 *     tensors   <parameter>                 values and running statistics, PyTorch's order
 *               moment1/..., moment2/...    the optimiser's moments     (training only)
 *               best/...                    the best values so far      (training only)
 *               average/...                 their moving average        (training only)
 *     metadata  decavox.config              the resolved configuration, YAML: features, model, ...
 *               decavox.labels              the labels, YAML list
 *               decavox.state               the training state, YAML    (training only)
 */
#ifndef DV_IO_CHECKPOINT_H
#define DV_IO_CHECKPOINT_H

#include "engine/core/params.h"
#include "engine/core/tree.h"

struct dv_safetensors;

typedef struct dv_checkpoint {
    char *path;
    struct dv_safetensors *file;
    dv_tree *config; /* DV_TREE_MAP */
    dv_tree *labels; /* DV_TREE_LIST of scalars, at least one */
    dv_tree *state;  /* DV_TREE_MAP, or NULL: weights only */
} dv_checkpoint;

/* Reads and checks the file. DV_EIO, DV_EFORMAT; messages name the file. On failure *out is
   zeroed; free with dv_checkpoint_close. */
dv_status dv_checkpoint_open(const char *path, dv_checkpoint *out);
void dv_checkpoint_close(dv_checkpoint *checkpoint);

/* Whether a training's checkpoint has this buffer; gradients it has not. */
bool dv_checkpoint_holds(dv_buffer buffer);

/*
 * Fills a buffer from the tensors "<prefix><parameter>": DV_VALUES from "", DV_BEST from "best/",
 * the moments from "moment1/", "moment2/" (none for frozen parameters), DV_AVERAGE from "average/".
 * Parameters that are missing, of another shape or type, not finite, or of the file and not of the
 * model are DV_EFORMAT, by name.
 */
dv_status dv_checkpoint_read(const dv_checkpoint *checkpoint, dv_params *params, dv_buffer buffer);

/* Writes, all or nothing (see atomic_file.h). `state` NULL: the values alone; else also every
   buffer of moments, best values and averages that is allocated. */
dv_status dv_checkpoint_write(const char *path, const dv_params *params, const dv_tree *config,
                              const dv_tree *labels, const dv_tree *state);

#endif
