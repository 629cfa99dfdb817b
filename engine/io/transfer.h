/* Beginning with what another model has learnt: parameters of checkpoints, where they fit. */
#ifndef DV_IO_TRANSFER_H
#define DV_IO_TRANSFER_H

#include "engine/core/graph.h"

/*
 * `files`: "FILE" or "PREFIX=FILE", several with commas between;
 * "advanced.=runs/a/model.safetensors" stands for that file with "advanced." before all its names
 * (a file whose name has '=' needs an empty prefix: "=FILE"). Values and running statistics that
 * the model has by name and shape are written; of several files the last one wins. `line` is told
 * what did not fit, both ways: tensors of a file that the model has no place for, and parameters
 * that are left as they are.
 *
 * DV_EIO, DV_EFORMAT as dv_checkpoint_open, and for NaN and infinity; DV_EARG for a file of which
 * nothing fits.
 */
dv_status dv_transfer(const char *files, dv_params *params, dv_line_fn line, void *user);

/* The same of one file, whatever its path is made of. */
dv_status dv_transfer_file(const char *path, dv_params *params, dv_line_fn line, void *user);

#endif
