/* Declarations shared by the files of program/. */
#ifndef DV_PROGRAM_INTERNAL_H
#define DV_PROGRAM_INTERNAL_H

#include "engine/program/program.h"

/* Sets the element, rank and sizes of a statement's outputs (output_count). Fails with DV_ESHAPE if
   the inputs do not fit together. */
dv_status dv__program_infer(const dv_program *program, const dv_statement *statement,
                            dv_tensor *outputs);

#endif
