/*
 * Programs as .pt2 archives for torch.export.load. An archive holds a graph of ATen functions in
 * JSON (torch/_export/serde/schema.py) and the bytes of the constants. The major version of the
 * schema is 8, as in torch 2.15; a torch with another one refuses the file with a message. Inputs,
 * outputs and constants have the names of the program, with '_' for characters that are invalid in
 * Python. The numbers of clips and samples are dynamic unless they are fixed.
 *
 *     notes = {"labels": ""}
 *     model = torch.export.load("model.pt2", extra_files=notes).module()
 *     probabilities, logits = model(audio)
 *
 * The archive has example inputs of zeros, from which AOTInductor and torch.compile take the types.
 */
#ifndef DV_EXPORT_PT2_H
#define DV_EXPORT_PT2_H

#include "runner/export/form.h"

/* Makes the bytes of the file. Free them with dv_protobuf_free. Returns DV_ENOMEM if memory runs
   out. */
dv_status dv_pt2_write(const dv_exported *exported, dv_protobuf *out);

/* Reads the bytes again. Returns DV_EFORMAT unless they are a valid archive with the statements,
   the constants with all their bytes, and the notes of the program. */
dv_status dv_pt2_check(const dv_exported *exported, const dv_protobuf *bytes);

#endif
