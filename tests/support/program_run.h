/* Computes programs in double, statement by statement, after ONNX's definitions of the operators.
   Tests compare the programs that operations and the front-end write with the engine. */
#ifndef DV_TESTS_PROGRAM_RUN_H
#define DV_TESTS_PROGRAM_RUN_H

#include "engine/program/program.h"

typedef struct array {
    int rank;
    int64_t size[DV_PROGRAM_AXES];
    double *data; /* (count), NULL before it is computed */
} array;

int64_t array_count(const array *a);

/* A copy of floats with these sizes. */
array array_of(const float *values, const int64_t *sizes, int rank);

/*
 * inputs (program->input_count) -> values of all tensors (program->tensor_count). The caller frees
 * them with program_free. Fails the test if sizes differ from the program's.
 */
array *program_run(const dv_program *program, const array *inputs);
void program_free(const dv_program *program, array *values);

#endif
