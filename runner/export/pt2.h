/*
 * Programs as .pt2 archives, which torch.export.load reads: a graph of ATen's functions in JSON
 * (torch/_export/serde/schema.py), and constants as they are in memory. The schema's major version
 * is 8, as in torch 2.15; a torch with another one refuses the file and says so. The names of
 * inputs, outputs and constants are those of the program, with '_' for what Python's names cannot
 * have, and the number of clips and that of samples are dynamic where they are not fixed.
 *
 *     notes = {"labels": ""}
 *     model = torch.export.load("model.pt2", extra_files=notes).module()
 *     probabilities, logits = model(audio)
 *
 * There are example inputs of zeros, which AOTInductor and torch.compile take the types from.
 */
#ifndef DV_EXPORT_PT2_H
#define DV_EXPORT_PT2_H

#include "runner/export/form.h"

/* The file's bytes, to be freed with dv_protobuf_free. DV_ENOMEM. */
dv_status dv_pt2_write(const dv_exported *exported, dv_protobuf *out);

/* Reads a file's bytes again: DV_EFORMAT unless they are an archive in order with the statements,
   the constants with all their bytes, and the notes of the program. */
dv_status dv_pt2_check(const dv_exported *exported, const dv_protobuf *bytes);

#endif
