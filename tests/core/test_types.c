/* The types of values and parameters: those that a graph gives, those that a plan refuses, and the
   content of a parameter's copy in integers. */
#include "engine/backends/open.h"
#include "engine/core/plan.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/convert/convert.h"
#include "engine/ops/linear/linear.h"
#include "engine/ops/ops.h"
#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

typedef struct scene {
    dv_context *context;
    dv_params *params;
    dv_graph *graph;
    int x; /* number of the input's value */
} scene;

static scene open_scene(dv_precision precision, int64_t channels)
{
    scene s = {0};
    must(dv_context_open_backend(&dv_backend_cpu, 1, (dv_log){0}, &s.context));
    must(dv_params_create(s.context, precision, &s.params));
    must(dv_graph_create(s.params, &s.graph));
    must(dv_graph_input(s.graph, "x", (dv_shape){3, 1, 1, channels}, &s.x));
    return s;
}

static void close_scene(scene *s)
{
    dv_graph_free(s->graph);
    dv_params_free(s->params);
    dv_context_close(s->context);
}

static int add_convert(dv_graph *graph, const char *name, int input, dv_dtype dtype, double scale)
{
    dv_convert_attr attr = {.dtype = (int)dtype, .scale = scale};
    int value;
    must(dv_graph_add(graph, &dv_op_convert, name, &attr, &input, 1, &value));
    return value;
}

static dv_status add_linear(dv_graph *graph, int input, int *value)
{
    dv_linear_attr attr = {.units = 4, .bias = true};
    return dv_graph_add(graph, &dv_op_linear, "linear", &attr, &input, 1, value);
}

static void require_message(dv_status got, dv_status want, const char *message)
{
    assert_int_equal(got, want);
    assert_string_equal(dv_error_message(), message);
}

static void require_refused(scene *s, bool training, const char *message)
{
    dv_plan *plan;
    dv_plan_options options = {.training = training};
    require_message(dv_plan_create(s->context, s->graph, &options, &plan), DV_EUNSUPPORTED,
                    message);
    assert_null(plan);
    close_scene(s);
}

/* ---- Graphs ---- */

static void test_a_layer_has_the_type_of_its_input(void **state)
{
    (void)state;
    scene s = open_scene((dv_precision){DV_F16, DV_F16}, 5);
    int y, z;
    must(add_linear(s.graph, s.x, &y));
    assert_int_equal(s.graph->nodes[s.x].type.dtype, DV_F16);
    assert_int_equal(s.graph->nodes[y].type.dtype, DV_F16);
    assert_int_equal(s.params->items[0].operand, DV_F16);
    int full = add_convert(s.graph, "full", y, DV_F32, 0);
    dv_linear_attr attr = {.units = 4, .bias = true};
    must(dv_graph_add(s.graph, &dv_op_linear, "second", &attr, &full, 1, &z));
    assert_int_equal(s.graph->nodes[z].type.dtype, DV_F32);
    assert_int_equal(s.params->items[2].operand, DV_F32);
    close_scene(&s);
}

/* A linear layer takes integers and gives floats. The bias is not one of the operands. */
static void test_integers_end_in_a_linear_layer(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, 5);
    int q = add_convert(s.graph, "quantize", s.x, DV_I8, 0.25), y;
    must(add_linear(s.graph, q, &y));
    assert_int_equal(s.graph->nodes[q].type.dtype, DV_I8);
    assert_true(s.graph->nodes[q].type.scale == 0.25F);
    assert_int_equal(s.graph->nodes[y].type.dtype, DV_F32);
    assert_int_equal(s.params->items[0].operand, DV_I8);
    assert_int_equal(s.params->items[1].operand, DV_F32);
    close_scene(&s);
}

static void test_inputs_of_two_types(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, 5);
    int a = add_convert(s.graph, "a", s.x, DV_I8, 0.25),
        b = add_convert(s.graph, "b", s.x, DV_I8, 0.5);
    int y;
    require_message(dv_graph_add(s.graph, &dv_op_add, "add", NULL, (int[]){s.x, a}, 2, &y), DV_EARG,
                    "add 'add': input 1, 'a', is in int8, but must be in fp32");
    require_message(dv_graph_add(s.graph, &dv_op_add, "add", NULL, (int[]){a, b}, 2, &y), DV_EARG,
                    "add 'add': input 1, 'b', has the scale 0.5, but must have 0.25");
    close_scene(&s);
}

static void test_scales_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        dv_convert_attr attr;
        const char *message;
    } cases[] = {
        {{DV_I8, 0}, "convert 'c': the scale is 0, must be above 0 for int8"},
        {{DV_I8, -1}, "convert 'c': the scale is -1, must be above 0 for int8"},
        {{DV_I8, 1e-40}, "convert 'c': the scale is 1e-40, must be above 0 for int8"},
        {{DV_I8, 1e39}, "convert 'c': the scale is 1e+39, must be above 0 for int8"},
        {{DV_F16, 2}, "convert 'c': the scale is 2, must be 0 for fp16"},
        {{DV_DTYPE_COUNT, 0}, NULL},
    };
    scene s = open_scene(DV_FULL_PRECISION, 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int y;
        assert_int_equal(dv_graph_add(s.graph, &dv_op_convert, "c", &cases[i].attr, &s.x, 1, &y),
                         DV_EARG);
        if (cases[i].message != NULL)
            assert_string_equal(dv_error_message(), cases[i].message);
    }
    close_scene(&s);
}

/* A parameter has one copy, so two graphs that share it must read it in one type. */
static void test_a_parameter_has_one_type(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, 5);
    int x, y;
    must(add_linear(s.graph, s.x, &y));
    dv_graph *other;
    must(dv_graph_create(s.params, &other));
    must(dv_graph_input(other, "x", (dv_shape){3, 1, 1, 5}, &x));
    x = add_convert(other, "quantize", x, DV_I8, 0.25);
    require_message(
        add_linear(other, x, &y), DV_EARG,
        "parameter 'linear.weight' is shared by layers that need it in fp32 and in int8");
    dv_graph_free(other);
    close_scene(&s);
}

/* ---- Plans ---- */

static void test_integers_are_not_trained(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, 5);
    int q = add_convert(s.graph, "quantize", s.x, DV_I8, 0.25), y;
    must(add_linear(s.graph, q, &y));
    require_refused(&s, true, "convert 'quantize' cannot be trained in these types: fp32 -> int8");
}

static void test_an_operation_without_integers(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, 5);
    int q = add_convert(s.graph, "quantize", s.x, DV_I8, 0.25), y;
    dv_activation_attr attr = {.kind = DV_ACT_RELU};
    must(dv_graph_add(s.graph, &dv_op_activation, "relu", &attr, &q, 1, &y));
    require_refused(&s, false,
                    "activation 'relu' is not computed on cpu in these types: int8 -> int8");
}

static void test_more_channels_than_sums_bear(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, DV_LINEAR_MOST_INT8 + 1);
    int q = add_convert(s.graph, "quantize", s.x, DV_I8, 0.25), y;
    must(add_linear(s.graph, q, &y));
    require_refused(&s, false,
                    "linear 'linear' is not computed on cpu in these types: int8 -> fp32, weights "
                    "in int8");
}

/* Types that the backend's networks do not have are refused, except in a conversion. */
static void test_values_of_another_backend(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, 5);
    int b = add_convert(s.graph, "b", s.x, DV_BF16, 0), y;
    must(add_linear(s.graph, b, &y));
    require_refused(&s, false,
                    "linear 'linear' is not computed on cpu in these types: bf16 -> bf16, weights "
                    "in bf16");
}

/* ---- Sums and copies ---- */

/* The longest sum of the largest products, all of one sign, is exact. */
static void test_the_longest_sum(void **state)
{
    (void)state;
    enum { CHANNELS = DV_LINEAR_MOST_INT8 };
    static float ones[3 * CHANNELS];
    for (int i = 0; i < 3 * CHANNELS; i++)
        ones[i] = 1;
    scene s = open_scene(DV_FULL_PRECISION, CHANNELS);
    int q = add_convert(s.graph, "quantize", s.x, DV_I8, 1.0 / 127), y;
    dv_linear_attr attr = {.units = 1};
    must(dv_graph_add(s.graph, &dv_op_linear, "linear", &attr, &q, 1, &y));
    dv_plan *plan;
    must(dv_plan_create(s.context, s.graph, &(dv_plan_options){0}, &plan));
    must(dv_params_write(s.params, 0, DV_BUFFER_VALUES, ones));
    must(dv_plan_upload(plan, s.x, ones));
    must(dv_plan_forward(plan, &(dv_pass){0}));
    float got[3];
    must(dv_plan_download(plan, y, got));
    for (int i = 0; i < 3; i++)
        assert_true(fabsf(got[i] - CHANNELS) <= 3e-7F * CHANNELS);
    dv_plan_free(plan);
    close_scene(&s);
}

/* Each row has its own scale. Numbers that are written or copied later are rounded again. */
static void test_the_copy_follows(void **state)
{
    (void)state;
    scene s = open_scene(DV_FULL_PRECISION, 3);
    int q = add_convert(s.graph, "quantize", s.x, DV_I8, 0.25), y;
    must(add_linear(s.graph, q, &y));
    must(dv_params_allocate(s.params));
    must(dv_params_allocate_buffer(s.params, DV_BUFFER_BEST));
    const float first[12] = {127, -64, 1, 0, 0, 0, 0.127F, 0.01F, -0.127F, 1e-44F, 0, 0};
    must(dv_params_write(s.params, 0, DV_BUFFER_VALUES, first));
    const int8_t *copy = dv_params_operand(s.params, 0, DV_BUFFER_VALUES);
    const float *scales = dv_params_scales(s.params, 0, DV_BUFFER_VALUES);
    const int8_t want[12] = {127, -64, 1, 0, 0, 0, 127, 10, -127, 0, 0, 0};
    assert_memory_equal(copy, want, sizeof want);
    assert_true(scales[0] == 1 && scales[1] == 1 && scales[2] == 0.127F / 127 && scales[3] == 1);
    assert_null(dv_params_scales(s.params, 1, DV_BUFFER_VALUES));
    assert_ptr_equal(dv_params_operand(s.params, 1, DV_BUFFER_VALUES),
                     dv_params_address(s.params, 1, DV_BUFFER_VALUES));
    must(dv_params_copy(s.params, DV_BUFFER_BEST, DV_BUFFER_VALUES)); /* zeros */
    for (int i = 0; i < 12; i++)
        assert_int_equal(copy[i], 0);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_layer_has_the_type_of_its_input),
        cmocka_unit_test(test_integers_end_in_a_linear_layer),
        cmocka_unit_test(test_inputs_of_two_types),
        cmocka_unit_test(test_scales_that_are_refused),
        cmocka_unit_test(test_a_parameter_has_one_type),
        cmocka_unit_test(test_integers_are_not_trained),
        cmocka_unit_test(test_an_operation_without_integers),
        cmocka_unit_test(test_more_channels_than_sums_bear),
        cmocka_unit_test(test_values_of_another_backend),
        cmocka_unit_test(test_the_longest_sum),
        cmocka_unit_test(test_the_copy_follows),
    };
    return cmocka_run_group_tests_name("types", tests, NULL, NULL);
}
