/*
 * Programs as TorchScript: archives of version 3, which torch.jit.load and libtorch read from torch
 * 1.13 to 2.15. PyTorch still reads them but recommends torch.export instead. A network in FP16
 * needs a GPU, or a torch after 1.13, which has no FP16 convolution on the CPU.
 *
 * The module has one class with one method:
 *
 *     forward(self, audio: Tensor) -> Tuple[Tensor, Tensor]: probabilities, logits
 *
 * Constants are parameters or buffers of the module. They have the names of the program, with '_'
 * for characters that are invalid in Python. The notes are extra files:
 *
 *     notes = {"labels": ""}
 *     model = torch.jit.load("model.pt", _extra_files=notes)
 */
#ifndef DV_EXPORT_TORCHSCRIPT_H
#define DV_EXPORT_TORCHSCRIPT_H

#include "runner/export/form.h"

/* Makes the bytes of the file. Free them with dv_protobuf_free. Returns DV_ENOMEM if memory runs
   out. */
dv_status dv_torchscript_write(const dv_exported *exported, dv_protobuf *out);

/* Reads the bytes again. Returns DV_EFORMAT unless they are a valid archive with the statements,
   the constants with all their bytes, and the notes of the program. */
dv_status dv_torchscript_check(const dv_exported *exported, const dv_protobuf *bytes);

#endif
