/* Every operator as calls of ATen. tests/clients/export_torch.py lets PyTorch compute them. */
#include "runner/export/aten.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const float numbers[64];

static dv_value constant(dv_program *program, const char *name, const int64_t *sizes, int rank)
{
    return dv_program_constant(program, name, DV_ELEMENT_F32, sizes, rank, numbers);
}

/* Adds element-wise operators, and those without attributes except an axis. */
static dv_value add_simple(dv_program *program, dv_value x)
{
    for (int i = 0; i < DV_OPERATOR_COUNT; i++) {
        dv_operator op_type = (dv_operator)i;
        bool none = dv_operator_attributes(op_type) == DV_ATTRIBUTES_NONE;
        if (none && op_type <= DV_OPERATOR_Min)
            dv_program_binary(program, op_type, x, x);
        if (none && op_type >= DV_OPERATOR_Abs && op_type <= DV_OPERATOR_HardSwish)
            dv_program_unary(program, op_type, x);
    }
    dv_value less = dv_program_with(program, DV_OPERATOR_Less, x, 0.5);
    dv_program_add(program, DV_OPERATOR_Where, (const dv_value[]){less, x, x}, 3, NULL);
    dv_program_along(program, DV_OPERATOR_CumSum, x, 1);
    dv_program_along(program, DV_OPERATOR_Sort, x, 1);
    dv_program_along(program, DV_OPERATOR_Softmax, x, 1);
    dv_value size = dv_program_along(program, DV_OPERATOR_Size, x, 1);
    dv_program_with(program, DV_OPERATOR_Div, size, 2);
    dv_value most = dv_program_along(program, DV_OPERATOR_ArgMax, x, 1);
    dv_program_add(program, DV_OPERATOR_GatherElements, (const dv_value[]){x, most}, 2,
                   &(dv_attributes){.axis = 1});
    dv_value range = dv_program_range(program, 3);
    return dv_program_add(program, DV_OPERATOR_Gather, (const dv_value[]){x, range}, 2,
                          &(dv_attributes){.axis = 1});
}

/* Adds operators on shapes of x (batch, 3). */
static void add_shapes(dv_program *program, dv_value x)
{
    dv_value parts[3], weight = constant(program, "w", (const int64_t[]){4, 3}, 2);
    dv_value rest = dv_program_slice(program, x, 1, 1, DV_TO_THE_END);
    dv_program_concat(program, (const dv_value[]){x, rest}, 2, 1);
    dv_program_split(program, x, 1, 3, parts);
    dv_program_add(program, DV_OPERATOR_Gemm, (const dv_value[]){x, weight}, 2, NULL);
    weight = dv_program_transpose(program, weight, (const int[]){1, 0});
    dv_program_binary(program, DV_OPERATOR_MatMul, x, weight);
    dv_program_cast(program, x, DV_ELEMENT_F16);
    dv_program_reduce(program, DV_OPERATOR_ReduceMean, x, 1, -1);
    dv_program_reduce(program, DV_OPERATOR_ReduceSum, x, 1, -1);
    dv_program_reduce(program, DV_OPERATOR_ReduceMax, x, 0, 1);
    dv_value scale = constant(program, "norm.weight", (const int64_t[]){3}, 1);
    dv_program_add(program, DV_OPERATOR_LayerNormalization, (const dv_value[]){x, scale, scale}, 3,
                   &(dv_attributes){.epsilon = 1e-5});
    dv_value image = dv_program_along(program, DV_OPERATOR_Unsqueeze, x, 1);
    dv_program_along(program, DV_OPERATOR_Squeeze, image, 1);
    image = dv_program_pad(program, image, 1, 1, 2);
    dv_window window = {.axes = 1, .kernel = {2}, .stride = {1}, .dilation = {1}, .groups = 1};
    dv_program_add(program, DV_OPERATOR_AveragePool, &image, 1, &(dv_attributes){.window = window});
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(2), dv_size_of(2),
                       dv_size_of(3)};
    image = dv_program_reshape(program, image, sizes, 4);
    window.axes = 2;
    window.kernel[1] = window.stride[1] = window.dilation[1] = window.padding[1] = 1;
    dv_program_add(program, DV_OPERATOR_MaxPool, &image, 1, &(dv_attributes){.window = window});
    weight = constant(program, "conv.weight", (const int64_t[]){4, 2, 2, 1}, 4);
    dv_program_add(program, DV_OPERATOR_Conv, (const dv_value[]){image, weight}, 2,
                   &(dv_attributes){.window = window});
    dv_program_unary(program, DV_OPERATOR_GlobalAveragePool, image);
}

static int every_operator(void **state)
{
    dv_program *program;
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_symbol(DV_SYMBOL_SAMPLES)};
    assert_int_equal(dv_program_create(&program), DV_OK);
    dv_value x = dv_program_input(program, "audio", DV_ELEMENT_F32, sizes, 2);
    dv_program_scope(program, "all");
    add_shapes(program, add_simple(program, x));
    assert_int_equal(dv_program_finish(program), DV_OK);
    *state = program;
    return 0;
}

static int end(void **state)
{
    dv_program_free(*state);
    return 0;
}

/* The first ATen call of the first statement of an operator. */
static dv_aten_call lowered(const dv_program *program, dv_operator op_type)
{
    dv_aten_call calls[DV_ATEN_CALLS] = {0};
    int count = 0;
    for (size_t i = 0; count == 0 && i < program->statement_count; i++) {
        if (program->statements[i].op_type == op_type)
            count = dv_aten_lower(program, &program->statements[i], calls);
    }
    if (count == 0)
        fail_msg("the program has no %s", dv_operator_name(op_type));
    return calls[0];
}

static const dv_aten_argument *argument(const dv_aten_call *call, const char *name)
{
    for (int i = 0; i < call->argument_count; i++) {
        if (strcmp(call->arguments[i].name, name) == 0)
            return &call->arguments[i];
    }
    fail_msg("%s has no '%s'", call->function, name);
    return NULL;
}

static void test_every_operator(void **state)
{
    for (int i = 0; i < DV_OPERATOR_COUNT; i++) {
        dv_aten_call call = lowered(*state, (dv_operator)i);
        assert_non_null(call.function);
        assert_non_null(call.overload);
        assert_true(call.argument_count > 0);
    }
}

static void assert_integers(const dv_aten_argument *argument, const int64_t *values, int count)
{
    assert_int_equal(argument->kind, DV_ATEN_INTEGERS);
    assert_int_equal(argument->count, count);
    assert_memory_equal(argument->integers, values, (size_t)count * sizeof *values);
}

static void test_arguments(void **state)
{
    dv_aten_call call = lowered(*state, DV_OPERATOR_Conv);
    assert_string_equal(call.function, "conv2d");
    assert_int_equal(argument(&call, "bias")->kind, DV_ATEN_NONE);
    assert_integers(argument(&call, "padding"), (const int64_t[]){0, 1}, 2);
    call = lowered(*state, DV_OPERATOR_AveragePool);
    assert_string_equal(call.function, "avg_pool1d");
    call = lowered(*state, DV_OPERATOR_Pad); /* axis 1 of 3 */
    assert_integers(argument(&call, "pad"), (const int64_t[]){0, 0, 1, 2}, 4);
    call = lowered(*state, DV_OPERATOR_Slice);
    assert_int_equal(argument(&call, "end")->integers[0], INT64_MAX);
    call = lowered(*state, DV_OPERATOR_Reshape);
    assert_integers(argument(&call, "shape"), (const int64_t[]){-1, 2, 2, 3}, 4);
    call = lowered(*state, DV_OPERATOR_Sort);
    assert_true(call.second_output);
    call = lowered(*state, DV_OPERATOR_Size);
    assert_int_equal(argument(&call, "fill_value")->kind, DV_ATEN_SIZE);
    assert_int_equal(argument(&call, "fill_value")->integers[0], 1);
}

/* Each part of a split is a slice of its own. */
static void test_split(void **state)
{
    const dv_program *program = *state;
    dv_aten_call calls[DV_ATEN_CALLS];
    for (size_t i = 0; i < program->statement_count; i++) {
        if (program->statements[i].op_type != DV_OPERATOR_Split)
            continue;
        assert_int_equal(dv_aten_lower(program, &program->statements[i], calls), 3);
        for (int part = 0; part < 3; part++) {
            assert_int_equal(calls[part].output, program->statements[i].outputs[part]);
            assert_int_equal(argument(&calls[part], "start")->integers[0], part);
            assert_int_equal(argument(&calls[part], "end")->integers[0], part + 1);
        }
    }
}

/* A known batch size is a constant, not a call. */
static void test_known_batch(void **state)
{
    dv_program *program = *state;
    program->known[DV_SYMBOL_BATCH] = 7;
    dv_aten_call call = lowered(program, DV_OPERATOR_Reshape);
    assert_integers(argument(&call, "shape"), (const int64_t[]){7, 2, 2, 3}, 4);
    program->known[DV_SYMBOL_BATCH] = 0;
}

static void test_names(void **state)
{
    (void)state;
    dv_program *program;
    dv_aten_name *names;
    const char *const given[] = {"a.b", "a/b", "1x", "\xc3\xa9.w", "a_b_1", "a b"};
    const char *const wanted[] = {"a_b", "a_b_1", "_1x", "____w", "a_b_1_1", "a_b_2"};
    assert_int_equal(dv_program_create(&program), DV_OK);
    for (int i = 0; i < 6; i++)
        constant(program, given[i], (const int64_t[]){1}, 1);
    assert_int_equal(dv_aten_names(program, &names), DV_OK);
    for (int i = 0; i < 6; i++)
        assert_string_equal(names[i].text, wanted[i]);
    free(names);
    dv_program_free(program);
}

static void test_parameters(void **state)
{
    const dv_program *program = *state;
    for (size_t i = 0; i < program->tensor_count; i++) {
        const dv_tensor *tensor = &program->tensors[i];
        if (strcmp(tensor->name, "conv.weight") == 0)
            assert_true(dv_aten_is_parameter(tensor));
        if (strcmp(tensor->name, "number/0.5") == 0)
            assert_true(dv_aten_is_stored(tensor) && !dv_aten_is_parameter(tensor));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operator), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_split),          cmocka_unit_test(test_known_batch),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, every_operator, end);
}
