/* Folds a scale and a shift of channels into the convolution before them. */
#include "engine/program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The convolution that computes x, or NULL if it must not be changed. */
static dv_statement *find(dv_program *program, dv_value x)
{
    if (x == DV_NO_VALUE || program->tensors[x].statement < 0 || program->tensors[x].uses > 0)
        return NULL;
    dv_statement *conv = &program->statements[program->tensors[x].statement];
    if (conv->op_type != DV_OPERATOR_Conv)
        return NULL;
    for (int i = 1; i < conv->input_count; i++) {
        const dv_tensor *constant = &program->tensors[conv->inputs[i]];
        if (constant->data == NULL || constant->uses != 1)
            return NULL;
    }
    return conv;
}

/* The bias of the convolution, which is made if there is none. */
static float *bias_of(dv_program *program, dv_statement *conv, const float *zeros)
{
    if (conv->input_count == 3)
        return program->tensors[conv->inputs[2]].data;
    char name[DV_PROGRAM_NAME + 8], *ending;
    const dv_tensor *weight = &program->tensors[conv->inputs[1]];
    snprintf(name, sizeof name, "%s", weight->name);
    ending = strrchr(name, '.');
    snprintf(ending != NULL ? ending : name + strlen(name), 8, ".bias");
    dv_value bias =
        dv_program_constant(program, name, weight->element, &weight->size[0].add, 1, zeros);
    if (bias == DV_NO_VALUE)
        return NULL;
    conv->inputs[conv->input_count++] = bias;
    program->tensors[bias].uses = 1;
    return program->tensors[bias].data;
}

bool dv_program_fold(dv_program *program, dv_value x, const float *scale, const float *shift)
{
    dv_statement *conv = find(program, x);
    float *zeros;
    if (conv == NULL)
        return false;
    int64_t filters = dv_program_size(program, conv->inputs[1], 0);
    int64_t taps = dv_tensor_count(&program->tensors[conv->inputs[1]]) / filters;
    if (dv_calloc((size_t)filters, sizeof *zeros, &zeros) != DV_OK)
        return false;
    float *bias = bias_of(program, conv, zeros);
    float *weight = program->tensors[conv->inputs[1]].data;
    free(zeros);
    for (int64_t i = 0; bias != NULL && i < filters; i++) {
        bias[i] = bias[i] * scale[i] + shift[i];
        for (int64_t k = 0; k < taps; k++)
            weight[i * taps + k] *= scale[i];
    }
    return bias != NULL;
}
