/* Computes programs in double, statement by statement after ONNX's definitions of the operators:
   what the rules of operations and of the front-end have written is compared with the engine. */
#ifndef DV_TESTS_PROGRAM_RUN_H
#define DV_TESTS_PROGRAM_RUN_H

#include "engine/program/program.h"

typedef struct array {
    int rank;
    int64_t size[DV_PROGRAM_AXES];
    double *data; /* (count); NULL: not computed */
} array;

int64_t array_count(const array *a);

/* A copy of floats with these sizes. */
array array_of(const float *values, const int64_t *sizes, int rank);

/*
 * inputs (program->input_count) -> the values of all tensors (program->tensor_count), to be freed
 * with program_free. The test fails where sizes are others than the program says.
 */
array *program_run(const dv_program *program, const array *inputs);
void program_free(const dv_program *program, array *values);

#endif
