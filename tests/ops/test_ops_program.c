/* Every operation of inference can be written to a program, which gives the reference's results in
   all cases. Operations without a rule are named. */
#include "engine/core/writer.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/harness.h"
#include "tests/support/must.h"
#include "tests/support/program_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Operations without a rule: those of training, and the change of types, which no configuration
   has. */
static const dv_op_id without[] = {DV_OP_dropout, DV_OP_softmax_cross_entropy, DV_OP_distillation,
                                   DV_OP_convert};

static bool has_rule(dv_op_id op)
{
    bool has = true;
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        has = has && without[i] != op;
    return has;
}

static void test_every_operation_has_a_rule(void **state)
{
    (void)state;
    for (int op = 0; op < DV_OP_COUNT; op++)
        assert_int_equal(dv_op_get((dv_op_id)op)->write != NULL, has_rule((dv_op_id)op));
}

/* Turns (N, H, W, C) into (N, C, H, W). */
static array image_of(const op_tensor *x, dv_shape shape)
{
    float *values = allocated((size_t)x->count, sizeof *values);
    int64_t inner = shape.h * shape.w;
    for (int64_t i = 0; i < x->count; i++) {
        int64_t n = i / (inner * shape.c), at = i / shape.c % inner, c = i % shape.c;
        values[(n * shape.c + c) * inner + at] = (float)x->value[i];
    }
    array image = array_of(values, (const int64_t[]){shape.n, shape.c, shape.h, shape.w}, 4);
    free(values);
    return image;
}

/* Writes the case's graph to a program whose inputs are images. Returns the operation's value. */
static int write_case(const op_rig *rig, dv_program *program, array *inputs)
{
    int count = op_case_input_count(rig->item);
    dv_writer_request request = {
        .program = program, .graph = rig->graph, .input_count = count, .output = rig->node};
    for (int i = 0; i < count; i++) {
        const op_tensor *x = &rig->tensors[i];
        dv_shape shape = rig->item->inputs[i].shape;
        dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(shape.c),
                           dv_size_of(shape.h), dv_size_of(shape.w)};
        request.inputs[i] = x->index;
        request.values[i] = dv_program_input(program, x->name, DV_ELEMENT_F32, sizes, 4);
        inputs[i] = image_of(x, shape);
    }
    dv_value value;
    must(dv_writer_run(&request, &value));
    return value;
}

static void check_case(const op_case *item)
{
    op_rig *rig;
    dv_program *program;
    array inputs[DV_MAX_INPUTS];
    must(op_rig_open(item, &dv_backend_ref, &(op_rig_options){.inference = true}, &rig));
    must(op_rig_forward(rig));
    must(dv_program_create(&program));
    int value = write_case(rig, program, inputs);
    must(dv_program_finish(program));
    array *values = program_run(program, inputs);
    assert_int_equal(array_count(&values[value]), rig->output->count);
    double scale = 1;
    for (int64_t i = 0; i < rig->output->count; i++)
        scale = fmax(scale, fabs(rig->output->value[i]));
    for (int64_t i = 0; i < rig->output->count; i++) {
        double difference = fabs(values[value].data[i] - rig->output->value[i]);
        if (!(difference <= 1e-5 * scale))
            fail_msg("%s: element %lld is %.9g in the program, %.9g on the reference", item->name,
                     (long long)i, values[value].data[i], rig->output->value[i]);
    }
    program_free(program, values);
    for (int i = 0; i < op_case_input_count(item); i++)
        free(inputs[i].data);
    dv_program_free(program);
    op_rig_close(rig);
}

static void test_every_case(void **state)
{
    (void)state;
    int cases[DV_OP_COUNT] = {0};
    for (int i = 0; i < op_case_count; i++) {
        const op_case *item = &op_cases[i];
        if (!has_rule(item->op) || op_case_has_int8(item) || (item->flags & CASE_LARGE) != 0)
            continue;
        check_case(item);
        cases[item->op]++;
    }
    for (int op = 0; op < DV_OP_COUNT; op++) {
        printf("%-20s %d cases\n", dv_op_get((dv_op_id)op)->name, cases[op]);
        assert_true(cases[op] > 0 || !has_rule((dv_op_id)op));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation_has_a_rule),
        cmocka_unit_test(test_every_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
