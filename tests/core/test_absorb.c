/* Inference plans absorb several nodes in one step: which nodes, that answers do not change, and
   that new parameters hold at once. */
#include "engine/backends/open.h"
#include "engine/core/plan_internal.h"
#include "engine/layers/model.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/dropout/dropout.h"
#include "engine/ops/linear/linear.h"
#include "engine/ops/ops.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"
#include "frontends/model/model_file.h"
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

/* ---- Whole models ---- */

static void open_model(network *net, const dv_backend *backend, const char *path, int64_t batch,
                       bool keep_all)
{
    dv_tree *model;
    network_begin(net, backend, (dv_shape){batch, 13, 32, 1});
    net->pass.training = false;
    if (dv_model_file_read(path, &model) != DV_OK ||
        dv_model_build(net->graph, model, net->input, 10, &net->output) != DV_OK)
        fail_msg("%s", dv_error_message());
    dv_tree_free(model);
    network_plan(net, &(dv_plan_options){.keep_all = keep_all});
}

static int steps_of(const network *net)
{
    int count = 0;
    for (int i = 0; i < net->plan->count; i++)
        count += net->plan->steps[i].computed_by >= 0 ? 1 : 0;
    return count;
}

static void assert_same_output(const char *what, const network *got, const network *want,
                               double nmse)
{
    double *a = network_value(got, got->output), *b = network_value(want, want->output);
    assert_near(what, a, b, network_count(got, got->output), nmse);
    free(a);
    free(b);
}

static void test_models_answer_the_same(void **state)
{
    (void)state;
    static const char *const models[] = {
        "configs/models/mini.yaml",     "configs/models/lightweight.yaml",
        "configs/models/advanced.yaml", "configs/models/efficient.yaml",
        "configs/models/ensemble.yaml", "configs/models/transformer.yaml",
    };
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        for (int64_t batch = 1; batch <= 7; batch += 6) {
            network absorbed, plain, reference;
            open_model(&absorbed, &dv_backend_cpu, models[i], batch, false);
            open_model(&plain, &dv_backend_cpu, models[i], batch, true);
            open_model(&reference, &dv_backend_ref, models[i], batch, true);
            assert_int_equal(steps_of(&plain), plain.plan->count);
            assert_true(steps_of(&absorbed) < plain.plan->count * 4 / 5);
            network_forward(&absorbed);
            network_forward(&absorbed); /* the first run leaves nothing for the second */
            network_forward(&plain);
            network_forward(&reference);
            assert_same_output(models[i], &absorbed, &plain, 1e-10);
            assert_same_output(models[i], &absorbed, &reference, 1e-10);
            network_close(&absorbed);
            network_close(&plain);
            network_close(&reference);
        }
    }
}

/* A new value of any parameter holds in the next run. */
static void test_parameters_hold_at_once(void **state)
{
    (void)state;
    static const char text[] =
        "layers:\n"
        "  - conv2d: {filters: 24, kernel: 3, stride: 2, name: stem}\n"
        "  - batchnorm: {activation: silu, name: stem_norm}\n"
        "  - mbconv: {filters: 24, expand: 2, kernel: 5, name: mb}\n"
        "  - residual: {filters: 40, bottleneck: 0.5, se_reduction: 4, name: r}\n"
        "  - global_avgpool:\n"
        "  - linear: {units: 20, name: hidden}\n"
        "  - batchnorm: {activation: gelu, name: hidden_norm}\n"
        "  - linear: {units: classes, activation: tanh, name: head}\n";
    const dv_shape shape = {3, 9, 11, 2};
    network net, reference;
    dv_plan_options inference = {.training = false};
    network_open(&net, &dv_backend_cpu, text, shape, 4, &inference);
    network_open(&reference, &dv_backend_ref, text, shape, 4, &inference);
    net.pass.training = reference.pass.training = false;
    network_forward(&net);
    int changes = 0;
    for (int i = 0; i < net.params->count; i++) {
        double *before = network_value(&net, net.output);
        double *old = network_parameter(&net, i, DV_BUFFER_VALUES);
        double *values = network_parameter(&net, i, DV_BUFFER_VALUES);
        for (int64_t k = 0; k < net.params->items[i].count; k++)
            values[k] = values[k] * 1.5 + 0.1;
        network_set_parameter(&net, i, values);
        network_set_parameter(&reference, i, values);
        network_forward(&net);
        network_forward(&reference);
        assert_same_output(net.params->items[i].name, &net, &reference, 1e-9);
        double *after = network_value(&net, net.output);
        size_t bytes = (size_t)network_count(&net, net.output) * sizeof *before;
        changes += memcmp(before, after, bytes) != 0 ? 1 : 0;
        network_set_parameter(&net, i, old);
        network_set_parameter(&reference, i, old);
        network_forward(&net);
        free(old);
        free(before);
        free(values);
        free(after);
    }
    assert_true(changes > net.params->count * 3 / 4); /* except in front of units that are off */
    network_close(&net);
    network_close(&reference);
}

/* ---- Absorbed nodes ---- */

static const dv_conv2d_attr conv = {.filters = 4,
                                    .kernel = {3, 3},
                                    .stride = {1, 1},
                                    .padding = {-1, -1},
                                    .dilation = {1, 1},
                                    .groups = 1,
                                    .bias = true};
static const dv_activation_attr relu = {.kind = DV_ACT_RELU};
static const dv_batchnorm_attr norm = {.epsilon = 1e-5, .momentum = 0.1};
static const dv_batchnorm_attr norm_relu = {
    .epsilon = 1e-5, .momentum = 0.1, .activation = DV_ACT_RELU};
static const dv_dropout_attr dropout = {.rate = 0.5};
static const dv_shape small = {2, 4, 3, 4};

/* Plans on both backends, compares the answers, and asserts the nodes' steps as a string: for each
   node the first node of the step that runs at its turn, or "." without one. The input is node 0.
 */
static void assert_steps(void (*build)(network *net), const char *want)
{
    network net, reference;
    network_begin(&net, &dv_backend_cpu, small);
    network_begin(&reference, &dv_backend_ref, small);
    net.pass.training = reference.pass.training = false;
    build(&net);
    build(&reference);
    network_plan(&net, &(dv_plan_options){.training = false});
    network_plan(&reference, &(dv_plan_options){.training = false});
    char got[64] = "";
    for (int i = 1; i < net.plan->count; i++)
        got[i - 1] =
            net.plan->steps[i].computed_by < 0 ? '.' : (char)('0' + net.plan->steps[i].computed_by);
    assert_string_equal(got, want);
    network_forward(&net);
    network_forward(&reference);
    assert_same_output(want, &net, &reference, 1e-10);
    network_close(&net);
    network_close(&reference);
}

static void build_chain(network *net)
{
    network_add(net, DV_OP_conv2d, "conv", &conv, net->output, -1);
    network_add(net, DV_OP_batchnorm, "norm", &norm, net->output, -1);
    network_add(net, DV_OP_dropout, "dropout", &dropout, net->output, -1);
    network_add(net, DV_OP_add, "sum", NULL, net->input, net->output);
    network_add(net, DV_OP_activation, "relu", &relu, net->output, -1);
}

/* The shortcut's step waits for the other side of the sum. */
static void build_shortcut(network *net)
{
    int shortcut = network_add(net, DV_OP_conv2d, "shortcut", &conv, net->output, -1);
    network_add(net, DV_OP_conv2d, "conv", &conv, net->input, -1);
    network_add(net, DV_OP_conv2d, "conv2", &conv, net->output, -1);
    network_add(net, DV_OP_add, "sum", NULL, net->output, shortcut);
}

/* A norm whose residual, not its first input, is the convolution's output. */
static void build_wrong_side(network *net)
{
    network_add(net, DV_OP_conv2d, "conv", &conv, net->output, -1);
    network_add(net, DV_OP_batchnorm, "norm", &norm, net->input, net->output);
}

static void build_users(network *net)
{
    int x = network_add(net, DV_OP_conv2d, "conv", &conv, net->output, -1);
    int y = network_add(net, DV_OP_activation, "relu", &relu, x, -1);
    network_add(net, DV_OP_add, "sum", NULL, x, y);
    network_add(net, DV_OP_add, "twice", NULL, net->output, net->output);
}

/* Nothing more can be absorbed behind an activation. */
static void build_too_late(network *net)
{
    network_add(net, DV_OP_conv2d, "conv", &conv, net->output, -1);
    network_add(net, DV_OP_activation, "relu", &relu, net->output, -1);
    network_add(net, DV_OP_batchnorm, "norm", &norm, net->output, -1);
    network_add(net, DV_OP_add, "sum", NULL, net->output, net->input);
    network_add(net, DV_OP_activation, "relu2", &relu, net->output, -1);
}

static void build_other_heads(network *net)
{
    dv_linear_attr linear = {.units = 4, .bias = true, .activation = DV_ACT_NONE};
    dv_linear_attr activated = {.units = 4, .bias = false, .activation = DV_ACT_SIGMOID};
    dv_squeeze_excite_attr se = {.reduction = 2, .activation = DV_ACT_SILU};
    dv_activation_attr gelu = {.kind = DV_ACT_GELU};
    dv_conv2d_attr depthwise = conv;
    depthwise.groups = 0;
    network_add(net, DV_OP_linear, "linear", &linear, net->output, -1);
    network_add(net, DV_OP_activation, "gelu", &gelu, net->output, -1);
    network_add(net, DV_OP_linear, "activated", &activated, net->output, -1);
    network_add(net, DV_OP_add, "sum", NULL, net->output, net->input);
    network_add(net, DV_OP_squeeze_excite, "se", &se, net->output, -1);
    network_add(net, DV_OP_add, "sum2", NULL, net->output, net->input);
    network_add(net, DV_OP_activation, "gelu2", &gelu, net->output, -1);
    network_add(net, DV_OP_conv2d, "depthwise", &depthwise, net->output, -1);
    network_add(net, DV_OP_batchnorm, "norm", &norm_relu, net->output, net->input);
}

static void build_grouped(network *net)
{
    dv_conv2d_attr grouped = conv;
    grouped.groups = 2;
    network_add(net, DV_OP_conv2d, "grouped", &grouped, net->output, -1);
    network_add(net, DV_OP_batchnorm, "norm", &norm_relu, net->output, -1);
}

static void test_what_is_absorbed(void **state)
{
    (void)state;
    assert_steps(build_chain, "....1");
    assert_steps(build_shortcut, ".231");
    assert_steps(build_wrong_side, "12");
    assert_steps(build_users, "1234");
    assert_steps(build_too_late, ".1345");
    assert_steps(build_other_heads, ".134..5.8");
    assert_steps(build_grouped, "12");
}

/* A value can be read if the plan was asked for it. Otherwise it is refused by name. */
static void test_values_that_are_not_kept(void **state)
{
    (void)state;
    network net;
    network_begin(&net, &dv_backend_cpu, small);
    build_chain(&net);
    int convolved = net.input + 1, normed = net.input + 2, dropped = net.input + 3;
    const int outputs[] = {dropped};
    dv_plan *plan;
    double numbers[96];
    dv_plan_options options = {.outputs = outputs, .output_count = 1};
    assert_int_equal(dv_plan_create(net.context, net.graph, &options, &plan), DV_OK);
    assert_int_equal(plan->steps[normed].computed_by, convolved);
    assert_ptr_equal(dv_plan_address(plan, dropped), dv_plan_address(plan, normed));
    assert_null(dv_plan_address(plan, convolved));
    assert_int_equal(dv_plan_download(plan, dropped, numbers), DV_OK);
    assert_int_equal(dv_plan_download(plan, convolved, numbers), DV_EARG);
    assert_message("'conv' has no memory of its own in this plan");
    assert_int_equal(dv_plan_upload(plan, convolved, numbers), DV_EARG);
    assert_message("'conv' has no memory of its own in this plan");
    dv_pass training = {.training = true};
    assert_int_equal(dv_plan_forward(plan, &training), DV_EARG);
    assert_message("this plan was made for inference");
    dv_plan_free(plan);
    net.plan = NULL;
    network_close(&net);
}

/* check_finite checks the value of the whole chain, under the last node's name. */
static void test_check_finite(void **state)
{
    (void)state;
    network net;
    network_begin(&net, &dv_backend_cpu, small);
    build_chain(&net);
    network_plan(&net, &(dv_plan_options){.check_finite = true});
    net.pass.training = false;
    network_forward(&net);
    double bad[4] = {0, 1e39, 0, 0};
    network_set_parameter(&net, dv_params_find(net.params, "norm.bias"), bad);
    assert_int_equal(dv_plan_forward(net.plan, &net.pass), DV_ENUMERIC);
    assert_message("the output of 'relu' is not finite");
    network_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models_answer_the_same),
        cmocka_unit_test(test_parameters_hold_at_once),
        cmocka_unit_test(test_what_is_absorbed),
        cmocka_unit_test(test_values_that_are_not_kept),
        cmocka_unit_test(test_check_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
