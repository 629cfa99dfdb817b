/* What the files of the program share. */
#ifndef DV_PROGRAM_INTERNAL_H
#define DV_PROGRAM_INTERNAL_H

#include "engine/program/program.h"

/* Fills elements, ranks and sizes of a statement's outputs (output_count). DV_ESHAPE: the inputs do
   not fit together. */
dv_status dv__program_infer(const dv_program *program, const dv_statement *statement,
                            dv_tensor *outputs);

#endif
