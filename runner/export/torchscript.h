/*
 * Programs as TorchScript: archives of version 3, which torch.jit.load and libtorch read from torch
 * 1.13 to 2.15. PyTorch keeps reading them and advises torch.export in their place. A network in
 * FP16 needs a GPU, or for the CPU a newer torch than 1.13, which has no convolution for it there.
 *
 * The module has one class with one method:
 *
 *     forward(self, audio: Tensor) -> Tuple[Tensor, Tensor]: probabilities, logits
 *
 * Constants are parameters or buffers of the module, named as in the program with '_' for what
 * Python's names cannot have. The notes are extra files:
 *
 *     notes = {"labels": ""}
 *     model = torch.jit.load("model.pt", _extra_files=notes)
 */
#ifndef DV_EXPORT_TORCHSCRIPT_H
#define DV_EXPORT_TORCHSCRIPT_H

#include "runner/export/form.h"

/* The file's bytes, to be freed with dv_protobuf_free. DV_ENOMEM. */
dv_status dv_torchscript_write(const dv_exported *exported, dv_protobuf *out);

/* Reads a file's bytes again: DV_EFORMAT unless they are an archive in order with the statements,
   the constants with all their bytes, and the notes of the program. */
dv_status dv_torchscript_check(const dv_exported *exported, const dv_protobuf *bytes);

#endif
