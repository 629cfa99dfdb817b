/*
 * Checkpoints. A checkpoint is one safetensors file with everything that answers need from a model.
 * The checkpoint of an unfinished training also has everything that the training needs to go on.
 *
 *     tensors   <parameter>                 values and running statistics, PyTorch's order
 *               moment1/..., moment2/...    the optimiser's moments     (training only)
 *               best/...                    the best values so far      (training only)
 *               average/...                 moving average of values    (training only)
 *     metadata  decavox.config              the resolved configuration, YAML: features, model, ...
 *               decavox.labels              the labels, YAML list
 *               decavox.state               the training state, YAML    (training only); its
 *                                           best_epoch is 0 while there are no best values
 *
 * The tensors of a training are F32. In a file of weights alone, trained parameters of two and more
 * dimensions may be F16, which halves the file. Biases, scales and running statistics are small and
 * may have another range, so they stay F32.
 */
#ifndef DV_MODEL_CHECKPOINT_H
#define DV_MODEL_CHECKPOINT_H

#include "engine/base/tree.h"
#include "engine/core/params.h"

struct dv_safetensors;
struct dv_safetensors_entry;

typedef enum dv_checkpoint_precision {
    DV_CHECKPOINT_FP32,
    DV_CHECKPOINT_FP16 /* trained parameters of two and more dimensions are F16 */
} dv_checkpoint_precision;
extern const char *const dv_checkpoint_precision_names[]; /* "fp32", "fp16", ended by NULL */

typedef struct dv_checkpoint {
    char *path;
    struct dv_safetensors *file;
    dv_tree *config; /* DV_TREE_MAP */
    dv_tree *labels; /* DV_TREE_LIST of scalars, at least one */
    dv_tree *state;  /* DV_TREE_MAP; NULL in a file of weights alone */
} dv_checkpoint;

/* Reads and checks the file. DV_EIO, DV_EFORMAT; messages name the file. *out is zeroed on failure;
   the caller frees it with dv_checkpoint_close. */
dv_status dv_checkpoint_open(const char *path, dv_checkpoint *out);

/* Reads a checkpoint from the bytes (size) of a file. They are copied. `name` takes the place of
   the path, also in messages. */
dv_status dv_checkpoint_open_memory(const void *bytes, size_t size, const char *name,
                                    dv_checkpoint *out);
void dv_checkpoint_close(dv_checkpoint *checkpoint);

/* Writes the SHA-256 of the file as sha256sum prints it into `digest` (DV_SHA256_SIZE). */
void dv_checkpoint_digest(const dv_checkpoint *checkpoint, char *digest);

/* The text of the configuration in the file. */
const char *dv_checkpoint_config_text(const dv_checkpoint *checkpoint);

/* The number of the file's tensors, and of its F16 tensors. */
void dv_checkpoint_tensors(const dv_checkpoint *checkpoint, size_t *count, size_t *f16);

/* Whether a tensor of a file has the parameter's shape, and whether parameters may have its
   type. */
bool dv_checkpoint_same_shape(const struct dv_safetensors_entry *entry, const dv_param *param);
bool dv_checkpoint_takes(const struct dv_safetensors_entry *entry);

/* Writes a tensor of the right shape and type into a buffer. F16 is converted exactly. DV_EFORMAT,
   naming the tensor, if it holds NaN or infinity. */
dv_status dv_checkpoint_put(const struct dv_safetensors_entry *entry, dv_params *params, int index,
                            dv_buffer buffer);

/* Whether the checkpoint of a training has this buffer. It has no gradients. */
bool dv_checkpoint_holds(dv_buffer buffer);

/* The weights to use from this file: those that training would have returned had it stopped here
   (the best, their moving average, or the last). It is DV_BUFFER_VALUES in a file of weights alone.
   DV_EFORMAT if the state has no epoch of the best. */
dv_status dv_checkpoint_kept(const dv_checkpoint *checkpoint, dv_buffer *out);

/* The name of the parameter whose values a tensor holds; NULL if they are of another buffer. */
const char *dv_checkpoint_name(const struct dv_safetensors_entry *entry, dv_buffer buffer);

/*
 * Fills a buffer from the tensors "<prefix><parameter>". The prefix is "" for DV_BUFFER_VALUES,
 * "best/" for DV_BUFFER_BEST, "average/" for DV_BUFFER_AVERAGE, and "moment1/" and "moment2/" for
 * the moments, which frozen parameters do not have. DV_EFORMAT names a parameter that is missing,
 * of another shape or type, not finite, or not in the model.
 */
dv_status dv_checkpoint_read(const dv_checkpoint *checkpoint, dv_params *params, dv_buffer buffer);

/* dv_checkpoint_read for all allocated buffers that the checkpoint of a training has. */
dv_status dv_checkpoint_read_all(const dv_checkpoint *checkpoint, dv_params *params);

/* Writes F32, all or nothing (see atomic_file.h). With a `state` it writes every allocated buffer
   of values, moments, best values and averages; without one (NULL) the values alone. */
dv_status dv_checkpoint_write(const char *path, const dv_params *params, const dv_tree *config,
                              const dv_tree *labels, const dv_tree *state);

/*
 * Writes the values alone in this precision, all or nothing. Values are rounded to F16 to nearest,
 * ties to even. DV_ENUMERIC, naming the parameter, if a value is NaN, infinite, or too large for
 * F16.
 */
dv_status dv_checkpoint_write_weights(const char *path, const dv_params *params,
                                      dv_checkpoint_precision precision, const dv_tree *config,
                                      const dv_tree *labels);

#endif
