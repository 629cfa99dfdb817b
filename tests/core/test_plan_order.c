/* Several plans over one set of parameters: the layouts that they share, and that results do not
   depend on the plan that comes first. */
#include "engine/backends/open.h"
#include "engine/core/plan.h"
#include "engine/device/cpu_device.h"
#include "tests/support/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_message(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

static const char residual_text[] =
    "layers:\n"
    "  - conv2d: {filters: 16, kernel: 3, bias: false, name: stem}\n"
    "  - batchnorm: {activation: relu, name: stem_norm}\n"
    "  - residual: {filters: 16, blocks: 2, stride: 2, bottleneck: 0.5, se_reduction: 4, name: r}\n"
    "  - spatial_attention: {kernel: 3}\n"
    "  - global_avgpool:\n"
    "  - dropout: {rate: 0.3}\n"
    "  - linear: {units: classes, activation: gelu, name: head}\n";
static const dv_shape picture = {8, 16, 16, 2};

/* A model that needs every way of the CPU to compute a convolution, with oneDNN's in inference. */
static const char grouped_text[] =
    "layers:\n"
    "  - conv2d: {filters: 32, kernel: 3, stride: 2, name: stem}\n"
    "  - conv2d: {filters: 64, kernel: 3, groups: 2, name: grouped}\n"
    "  - conv2d: {filters: 64, kernel: 3, groups: 64, name: depthwise}\n"
    "  - squeeze_excite: {reduction: 4, name: se}\n"
    "  - conv2d: {filters: 32, kernel: 1, name: pointwise}\n"
    "  - conv2d: {filters: 32, kernel: 3, stride: 8, name: taps}\n"
    "  - global_avgpool:\n"
    "  - linear: {units: classes, name: head}\n";

/* Opens an inference graph of the model for another batch size, over the parameters of `owner`. */
static void open_sharing(network *net, const network *owner, const char *text, int64_t batch)
{
    *net = *owner;
    dv_shape shape = dv_graph_shape(owner->graph, owner->input);
    shape.n = batch;
    assert_int_equal(dv_graph_create(owner->params, &net->graph), DV_OK);
    assert_int_equal(dv_graph_input(net->graph, "x", shape, &net->input), DV_OK);
    net->output = net->input;
    network_layers(net, text, 5);
    dv_plan_options options = {.outputs = &net->output, .output_count = 1};
    if (dv_plan_create(net->context, net->graph, &options, &net->plan) != DV_OK)
        fail_msg("%s", dv_error_message());
    net->pass.training = false;
}

static void close_sharing(network *net)
{
    dv_plan_free(net->plan);
    dv_graph_free(net->graph);
}

/* On the cpu the training plan of batch 8 fixes the layouts. The evaluation plan of batch 1 must
   use them, and sees the changes of training. */
static void test_two_plans_share_parameters(void **state)
{
    (void)state;
    network train, reference, one, eight;
    network_open(&train, &dv_backend_cpu, residual_text, picture, 5, NULL);
    dv_plan_options inference = {.training = false};
    network_open(&reference, &dv_backend_ref, residual_text, picture, 5, &inference);
    reference.pass.training = false;
    open_sharing(&one, &train, residual_text, 1);
    open_sharing(&eight, &train, residual_text, 8);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < train.params->count; i++) {
            double *values = network_parameter(&train, i, DV_BUFFER_VALUES);
            for (int64_t k = 0; k < train.params->items[i].count; k++)
                values[k] *= round == 0 ? 1.0 : 1.25;
            network_set_parameter(&train, i, values);
            network_set_parameter(&reference, i, values);
            free(values);
        }
        network_forward(&reference);
        double *input = network_value(&reference, reference.input);
        double *want = network_value(&reference, reference.output);
        network_set_value(&eight, eight.input, input);
        network_forward(&eight);
        double *got = network_value(&eight, eight.output);
        assert_near("batch 8", got, want, 8 * 5, 1e-9);
        free(got);
        for (int64_t n = 0; n < 8; n++) {
            network_set_value(&one, one.input, input + n * network_count(&one, one.input));
            network_forward(&one);
            got = network_value(&one, one.output);
            assert_near("batch 1", got, want + n * 5, 5, 1e-9);
            free(got);
        }
        free(input);
        free(want);
    }
    close_sharing(&one);
    close_sharing(&eight);
    network_close(&train);
    network_close(&reference);
}

/* Compares two networks of one model, each with its own copy of the same parameters. */
static void require_same_output(network *got, network *want)
{
    double *input = network_value(want, want->input);
    network_set_value(got, got->input, input);
    network_forward(got);
    network_forward(want);
    double *a = network_value(got, got->output), *b = network_value(want, want->output);
    assert_memory_equal(a, b, (size_t)network_count(want, want->output) * sizeof *a);
    free(input);
    free(a);
    free(b);
}

/* The first plan trains or infers; inference plans for batches of `second` and `third` follow. */
typedef struct sharing {
    network first, second, third;
} sharing;

static void open_three(sharing *plans, bool trains, int64_t first, int64_t second, int64_t third)
{
    dv_shape shape = picture;
    shape.n = first;
    network_open(&plans->first, &dv_backend_cpu, grouped_text, shape, 5,
                 &(dv_plan_options){.training = trains});
    plans->first.pass.training = trains;
    open_sharing(&plans->second, &plans->first, grouped_text, second);
    open_sharing(&plans->third, &plans->first, grouped_text, third);
}

static void close_three(sharing *plans)
{
    close_sharing(&plans->third);
    close_sharing(&plans->second);
    network_close(&plans->first);
}

/* The order of plans changes no bit, if the first one may come first. */
static void test_the_order_of_plans_changes_nothing(void **state)
{
    (void)state;
    sharing one, other;
    open_three(&one, true, 8, 1, 4);
    open_three(&other, true, 8, 4, 1);
    require_same_output(&other.third, &one.second);
    require_same_output(&other.second, &one.third);
    close_three(&one);
    close_three(&other);
    open_three(&one, false, 1, 4, 32);
    open_three(&other, false, 32, 1, 4);
    require_same_output(&other.second, &one.first);
    require_same_output(&other.third, &one.second);
    require_same_output(&other.first, &one.third);
    close_three(&one);
    close_three(&other);
}

/* A training plan must come first: with the layouts of an inference plan it would compute in other
   ways than alone. */
static void test_a_plan_that_trains_comes_first(void **state)
{
    (void)state;
    network infers, alone;
    dv_plan *late;
    dv_plan_options inference = {.training = false};
    network_open(&infers, &dv_backend_cpu, residual_text, picture, 5, &inference);
    network_open(&alone, &dv_backend_cpu, residual_text, picture, 5, &inference);
    infers.pass.training = alone.pass.training = false;
    assert_int_equal(
        dv_plan_create(infers.context, infers.graph, &(dv_plan_options){.training = true}, &late),
        DV_EARG);
    assert_null(late);
    assert_message("a plan that trains 'stem.weight' comes too late");
    require_same_output(&infers, &alone);
    network_close(&infers);
    network_close(&alone);
    network_open(&infers, &dv_backend_cpu, residual_text, picture, 5, NULL);
    assert_int_equal(
        dv_plan_create(infers.context, infers.graph, &(dv_plan_options){.training = true}, &late),
        DV_EARG);
    network_close(&infers);
}

/* A parameter that the first plan lacks would get no layout of its own. */
static void test_the_first_plan_has_all_parameters(void **state)
{
    (void)state;
    static const char small_text[] =
        "layers:\n"
        "  - conv2d: {filters: 16, kernel: 3, bias: false, name: stem}\n"
        "  - global_avgpool:\n"
        "  - linear: {units: classes, name: head}\n";
    network small_one, whole;
    network_begin(&small_one, &dv_backend_cpu, picture);
    whole = small_one;
    assert_int_equal(dv_graph_create(small_one.params, &whole.graph), DV_OK);
    assert_int_equal(dv_graph_input(whole.graph, "x", picture, &whole.input), DV_OK);
    whole.output = whole.input;
    network_layers(&small_one, small_text, 5);
    network_layers(&whole, residual_text, 5);
    network_plan(&small_one, &(dv_plan_options){.training = false});
    assert_int_equal(dv_plan_create(whole.context, whole.graph, &(dv_plan_options){0}, &whole.plan),
                     DV_EARG);
    assert_message("parameter 'stem_norm.");
    dv_graph_free(whole.graph);
    network_close(&small_one);
}

/* The last norm has too few values for training. The plan finds this after the convolution has
   chosen its layout. */
static void test_a_plan_that_fails_leaves_nothing(void **state)
{
    (void)state;
    static const char text[] = "layers:\n"
                               "  - conv2d: {filters: 32, kernel: 3, name: conv}\n"
                               "  - global_avgpool:\n"
                               "  - batchnorm: {name: norm}\n";
    const dv_shape single = {1, 16, 16, 32};
    network after, alone;
    dv_plan *failed;
    dv_plan_options inference = {.training = false};
    network_begin(&after, &dv_backend_cpu, single);
    network_layers(&after, text, 32);
    assert_int_equal(
        dv_plan_create(after.context, after.graph, &(dv_plan_options){.training = true}, &failed),
        DV_ESHAPE);
    assert_false(after.params->allocated);
    for (int i = 0; i < after.params->count; i++)
        assert_null(after.params->items[i].layout);
    network_plan(&after, &inference);
    network_open(&alone, &dv_backend_cpu, text, single, 32, &inference);
    after.pass.training = alone.pass.training = false;
    require_same_output(&after, &alone);
    network_close(&after);
    network_close(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_plans_share_parameters),
        cmocka_unit_test(test_the_order_of_plans_changes_nothing),
        cmocka_unit_test(test_a_plan_that_trains_comes_first),
        cmocka_unit_test(test_the_first_plan_has_all_parameters),
        cmocka_unit_test(test_a_plan_that_fails_leaves_nothing),
    };
    return cmocka_run_group_tests_name("plans that share parameters", tests, NULL, NULL);
}
