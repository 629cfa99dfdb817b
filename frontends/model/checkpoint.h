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
 *               decavox.state               the training state, YAML    (training only); its
 *                                           best_epoch is 0 while there are no best values
 *
 * A training's tensors are F32. Where there are weights alone, trained parameters of two and more
 * dimensions may be F16, which halves the file; biases, scales and running statistics are small,
 * and of a range of their own, and stay F32.
 */
#ifndef DV_MODEL_CHECKPOINT_H
#define DV_MODEL_CHECKPOINT_H

#include "engine/base/tree.h"
#include "engine/core/params.h"

struct dv_safetensors;
struct dv_safetensors_entry;

typedef enum dv_checkpoint_precision {
    DV_CHECKPOINT_FP32,
    DV_CHECKPOINT_FP16 /* of the trained parameters that may be */
} dv_checkpoint_precision;
extern const char *const dv_checkpoint_precision_names[]; /* "fp32", "fp16"; NULL at the end */

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

/* The same of the bytes (size) of a file, which are not needed afterwards; `name` is for messages
   and stands for the path. */
dv_status dv_checkpoint_open_memory(const void *bytes, size_t size, const char *name,
                                    dv_checkpoint *out);
void dv_checkpoint_close(dv_checkpoint *checkpoint);

/* The SHA-256 of the file, as sha256sum prints it: DV_SHA256_SIZE characters. */
void dv_checkpoint_digest(const dv_checkpoint *checkpoint, char *digest);

/* The configuration as the file has it. */
const char *dv_checkpoint_config_text(const dv_checkpoint *checkpoint);

/* Number of the file's tensors, and of those that are F16. */
void dv_checkpoint_tensors(const dv_checkpoint *checkpoint, size_t *count, size_t *f16);

/* Whether a tensor of a file has the parameter's shape, and a type that parameters may have. */
bool dv_checkpoint_same_shape(const struct dv_safetensors_entry *entry, const dv_param *param);
bool dv_checkpoint_takes(const struct dv_safetensors_entry *entry);

/* Writes such a tensor into a buffer, F16 converted exactly. DV_EFORMAT, naming the tensor: it
   holds NaN or infinity. */
dv_status dv_checkpoint_put(const struct dv_safetensors_entry *entry, dv_params *params, int index,
                            dv_buffer buffer);

/* Whether a training's checkpoint has this buffer; gradients it has not. */
bool dv_checkpoint_holds(dv_buffer buffer);

/* The buffer that a training would end with if it ended where the file was written: the best
   values, their moving average, or the last ones. Of weights alone DV_BUFFER_VALUES. DV_EFORMAT:
   the state says no epoch of the best. */
dv_status dv_checkpoint_kept(const dv_checkpoint *checkpoint, dv_buffer *out);

/* The name of the parameter whose values in this buffer a tensor holds; NULL: it is of another. */
const char *dv_checkpoint_name(const struct dv_safetensors_entry *entry, dv_buffer buffer);

/*
 * Fills a buffer from the tensors "<prefix><parameter>": DV_BUFFER_VALUES from "", DV_BUFFER_BEST
 * from "best/", the moments from "moment1/", "moment2/" (none for frozen parameters),
 * DV_BUFFER_AVERAGE from "average/". Parameters that are missing, of another shape or type, not
 * finite, or of the file and not of the model are DV_EFORMAT, by name.
 */
dv_status dv_checkpoint_read(const dv_checkpoint *checkpoint, dv_params *params, dv_buffer buffer);

/* The same of all buffers that a training's checkpoint has and that are allocated. */
dv_status dv_checkpoint_read_all(const dv_checkpoint *checkpoint, dv_params *params);

/* Writes F32, all or nothing (see atomic_file.h). `state` NULL: the values alone; else also every
   buffer of moments, best values and averages that is allocated. */
dv_status dv_checkpoint_write(const char *path, const dv_params *params, const dv_tree *config,
                              const dv_tree *labels, const dv_tree *state);

/*
 * Writes the values alone, in a precision, likewise all or nothing. F16 is rounded to nearest, ties
 * to even. DV_ENUMERIC, naming the parameter: a value is NaN or infinite, or too large for F16.
 */
dv_status dv_checkpoint_write_weights(const char *path, const dv_params *params,
                                      dv_checkpoint_precision precision, const dv_tree *config,
                                      const dv_tree *labels);

#endif
