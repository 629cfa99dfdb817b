#include "engine/backends/open.h"
#include "engine/core/plan_internal.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/dropout/dropout.h"
#include "engine/ops/linear/linear.h"
#include "engine/ops/ops.h"
#include "engine/ops/squeeze_excite/squeeze_excite.h"
#include "tests/support/network.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void assert_message(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

static const dv_shape small = {2, 4, 3, 4};

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

/* ---- Values with several users ---- */

/* For x + x the gradient is twice the output's. */
static void test_one_node_uses_a_value_twice(void **state)
{
    (void)state;
    network net;
    network_begin(&net, &dv_backend_ref64, small);
    network_add(&net, DV_OP_add, "twice", NULL, net.input, net.input);
    network_plan(&net, NULL);
    network_forward(&net);
    network_backward(&net);
    int64_t count = network_count(&net, net.input);
    double *gradient = network_gradient(&net, net.input);
    double *output = network_gradient(&net, net.output);
    for (int64_t i = 0; i < count; i++)
        assert_true(gradient[i] == 2 * output[i] && gradient[i] != 0);
    free(gradient);
    free(output);
    assert_finite_differences(&net);
    network_close(&net);
}

/* One inner value has five users, of which one uses it twice. All results are added. */
static void build_users(network *net, const dv_backend *backend)
{
    dv_activation_attr sigmoid = {.kind = DV_ACT_SIGMOID}, gelu = {.kind = DV_ACT_GELU};
    dv_conv2d_attr conv = {.filters = 4,
                           .kernel = {3, 3},
                           .stride = {1, 1},
                           .padding = {-1, -1},
                           .dilation = {1, 1},
                           .groups = 1,
                           .bias = true};
    dv_squeeze_excite_attr se = {.reduction = 2, .activation = DV_ACT_SILU};
    network_begin(net, backend, small);
    int x = network_add(net, DV_OP_conv2d, "conv", &conv, net->input, -1);
    int a = network_add(net, DV_OP_activation, "sigmoid", &sigmoid, x, -1);
    int b = network_add(net, DV_OP_activation, "gelu", &gelu, x, -1);
    int c = network_add(net, DV_OP_add, "twice", NULL, x, x);
    int d = network_add(net, DV_OP_squeeze_excite, "se", &se, x, -1);
    int ab = network_add(net, DV_OP_add, "ab", NULL, a, b);
    int cd = network_add(net, DV_OP_add, "cd", NULL, c, d);
    int sum = network_add(net, DV_OP_add, "sum", NULL, ab, cd);
    network_add(net, DV_OP_add, "with_input", NULL, sum, net->input);
}

static void test_many_nodes_use_a_value(void **state)
{
    (void)state;
    network exact;
    build_users(&exact, &dv_backend_ref64);
    network_plan(&exact, NULL);
    assert_finite_differences(&exact);
    network_forward(&exact);
    network_backward(&exact);
    const dv_backend *const backends[] = {&dv_backend_ref, &dv_backend_cpu};
    for (int i = 0; i < 2; i++) {
        network net;
        build_users(&net, backends[i]);
        network_plan(&net, NULL);
        network_forward(&net);
        network_backward(&net);
        assert_same_results(&net, &exact, 1e-10);
        network_close(&net);
    }
    network_close(&exact);
}

/* ---- The arena ---- */

static void test_reuse_changes_nothing(void **state)
{
    (void)state;
    const dv_backend *const backends[] = {&dv_backend_ref, &dv_backend_cpu};
    for (int i = 0; i < 2; i++) {
        network nets[2];
        for (int keep = 0; keep < 2; keep++) {
            dv_plan_options options = {.training = true, .keep_all = keep == 1};
            network_open(&nets[keep], backends[i], residual_text, picture, 5, &options);
            for (int run = 0; run < 2; run++) { /* the first run leaves nothing for the second */
                network_forward(&nets[keep]);
                network_backward(&nets[keep]);
            }
        }
        assert_same_results(&nets[0], &nets[1], 0);
        dv_plan_memory reuse = dv_plan_memory_use(nets[0].plan);
        dv_plan_memory keep_all = dv_plan_memory_use(nets[1].plan);
        assert_int_equal(keep_all.arena, keep_all.tensors);
        assert_true(reuse.arena < keep_all.arena * 3 / 4);
        network_close(&nets[0]);
        network_close(&nets[1]);
    }
}

static bool share_memory(const dv_block *a, const dv_block *b)
{
    bool together = a->first <= b->last && b->first <= a->last;
    return together && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static int all_blocks(dv_plan *plan, const dv_block **blocks)
{
    int count = 0;
    for (int i = 0; i < plan->count; i++) {
        dv_planned *planned = &plan->steps[i];
        blocks[count++] = &planned->value;
        blocks[count++] = &planned->gradient;
        blocks[count++] = &planned->saved;
        for (int k = 0; k < DV_MAX_INPUTS; k++)
            blocks[count++] = &planned->term[k];
    }
    blocks[count++] = &plan->scratch;
    return count;
}

/* Tensors that live at the same time share no byte. Inference needs less memory than training. */
static void test_places_do_not_overlap(void **state)
{
    (void)state;
    size_t arena[2];
    for (int training = 0; training < 2; training++) {
        network net;
        dv_plan_options options = {.training = training == 1};
        network_open(&net, &dv_backend_cpu, residual_text, picture, 5, &options);
        arena[training] = dv_plan_memory_use(net.plan).arena;
        const dv_block **blocks =
            calloc((size_t)net.plan->count * (3 + DV_MAX_INPUTS) + 1, sizeof *blocks);
        int count = all_blocks(net.plan, blocks);
        for (int i = 0; i < count; i++) {
            if (blocks[i]->bytes == 0)
                continue;
            assert_true(blocks[i]->offset % 64 == 0);
            assert_true(blocks[i]->offset + blocks[i]->bytes <= arena[training]);
            for (int k = 0; k < i; k++)
                assert_false(blocks[k]->bytes > 0 && share_memory(blocks[i], blocks[k]));
        }
        free(blocks);
        network_close(&net);
    }
    assert_true(arena[0] < arena[1] / 2);
}

/* ---- check_finite ---- */

static void put(network *net, const char *parameter, double number)
{
    int index = dv_params_find(net->params, parameter);
    assert_true(index >= 0);
    double *values = network_parameter(net, index, DV_BUFFER_VALUES);
    values[1] = number;
    network_set_parameter(net, index, values);
    free(values);
}

static void check_finite_on(const dv_backend *backend)
{
    network net;
    dv_plan_options options = {.training = true, .check_finite = true};
    network_open(&net, backend, residual_text, picture, 5, &options);
    net.pass.step = 17;
    network_forward(&net);
    network_backward(&net);
    put(&net, "r.block_1.middle.conv.weight", (double)NAN);
    assert_int_equal(dv_plan_forward(net.plan, &net.pass), DV_ENUMERIC);
    assert_message("step 17: the output of 'r.block_1.middle.conv' is not finite");
    put(&net, "r.block_1.middle.conv.weight", 0);
    network_forward(&net);
    double *gradient = network_gradient(&net, net.output);
    gradient[2] = (double)INFINITY;
    size_t bytes = (size_t)network_count(&net, net.output) * backend->real_size;
    float *numbers = calloc(1, bytes);
    for (int64_t i = 0; i < network_count(&net, net.output); i++)
        numbers[i] = (float)gradient[i];
    assert_int_equal(dv_plan_upload_gradient(net.plan, net.output, numbers), DV_OK);
    assert_int_equal(dv_plan_backward_from(net.plan, &net.pass), DV_ENUMERIC);
    assert_message("step 17: the gradient of '");
    assert_message("head"); /* the last layer, where the infinity begins */
    free(numbers);
    free(gradient);
    double *input = network_value(&net, net.input);
    input[3] = (double)NAN;
    network_set_value(&net, net.input, input);
    free(input);
    assert_int_equal(dv_plan_forward(net.plan, &net.pass), DV_ENUMERIC);
    assert_message("the output of 'x' is not finite, first at element 3 of 4096");
    network_close(&net);
}

static void test_check_finite_names_the_tensor(void **state)
{
    (void)state;
    check_finite_on(&dv_backend_ref);
    check_finite_on(&dv_backend_cpu);
}

/* ---- Refusals ---- */

static void test_what_a_backend_cannot_do(void **state)
{
    (void)state;
    patched_backend patched;
    patched_backend_init(&patched, &dv_backend_ref, DV_OP_squeeze_excite);
    patched.impl.backward = NULL;
    network net;
    network_begin(&net, &patched.backend, picture);
    network_layers(&net, residual_text, 5);
    dv_plan *plan;
    dv_plan_options options = {.training = true};
    assert_int_equal(dv_plan_create(net.context, net.graph, &options, &plan), DV_EUNSUPPORTED);
    assert_null(plan);
    assert_message("squeeze_excite 'r.block_2.se' has no gradient on ref");
    patched.impls[DV_OP_squeeze_excite] = NULL;
    options.training = false;
    assert_int_equal(dv_plan_create(net.context, net.graph, &options, &plan), DV_EUNSUPPORTED);
    assert_message("squeeze_excite 'r.block_1.se' cannot run on ref");
    network_close(&net);
}

static int slow_calls;
static const double slow_seconds = 0.2;

/* A step whose first call is slow, as if a library made its kernel in it. */
static dv_status slow_at_first(dv_node_step *s)
{
    if (slow_calls++ == 0)
        nanosleep(&(struct timespec){.tv_nsec = (long)(slow_seconds * 1e9)}, NULL);
    return dv_backend_ref.impls[DV_OP_squeeze_excite]->forward(s);
}

/* The time of the first call counts only while it is the only one. */
static void test_times(void **state)
{
    (void)state;
    patched_backend patched;
    patched_backend_init(&patched, &dv_backend_ref, DV_OP_squeeze_excite);
    patched.impl.forward = slow_at_first;
    network net;
    dv_plan_options options = {.training = true, .time_layers = true};
    network_open(&net, &patched.backend, residual_text, (dv_shape){1, 8, 8, 2}, 5, &options);
    int node = 0;
    while (net.graph->nodes[node].op->id != DV_OP_squeeze_excite)
        node++;
    double forward, backward;
    dv_plan_times(net.plan, node, &forward, &backward);
    assert_true(forward == 0 && backward == 0);
    slow_calls = 0;
    network_forward(&net);
    network_backward(&net);
    dv_plan_times(net.plan, node, &forward, &backward);
    assert_true(forward >= slow_seconds && backward > 0);
    for (int i = 0; i < 2; i++)
        network_forward(&net);
    dv_plan_times(net.plan, node, &forward, &backward);
    assert_true(forward > 0 && forward < slow_seconds / 2);
    network_close(&net);
}

static void test_values_without_a_gradient(void **state)
{
    (void)state;
    network net;
    double number[4096];
    dv_plan_options options = {.training = false};
    network_open(&net, &dv_backend_ref, residual_text, picture, 5, &options);
    assert_int_equal(dv_plan_download_gradient(net.plan, net.input, number), DV_EARG);
    assert_message("'x' has no gradient in this plan");
    assert_int_equal(dv_plan_upload_gradient(net.plan, net.output, number), DV_EARG);
    assert_message("has no gradient in this plan");
    network_close(&net);
    network_begin(&net, &dv_backend_ref, small);
    dv_plan *plan;
    dv_graph *empty;
    assert_int_equal(dv_graph_create(net.params, &empty), DV_OK);
    assert_int_equal(dv_plan_create(net.context, empty, &options, &plan), DV_EARG);
    assert_message("empty graph");
    dv_graph_free(empty);
    network_close(&net);
}

static void test_parameters_of_two_graphs_must_agree(void **state)
{
    (void)state;
    network net;
    network_open(&net, &dv_backend_ref, "layers:\n  - flatten\n  - linear: {units: classes}\n",
                 small, 3, NULL);
    dv_graph *other;
    int value;
    assert_int_equal(dv_graph_create(net.params, &other), DV_OK);
    assert_int_equal(dv_graph_input(other, "x", (dv_shape){1, 1, 1, 4}, &value), DV_OK);
    dv_linear_attr linear = {.units = 3, .bias = true};
    assert_int_equal(dv_graph_add(other, &dv_op_linear, "linear_1", &linear, &value, 1, &value),
                     DV_ESHAPE);
    assert_message("'linear_1.weight' is shared by layers that need it in two different shapes");
    assert_int_equal(dv_graph_add(other, &dv_op_linear, "other", &linear, &value, 1, &value),
                     DV_EARG);
    assert_message("'other.weight' is not in the model that it should be shared with");
    dv_graph_free(other);
    network_close(&net);
}

/* ---- Random numbers ---- */

static void dropout_output(network *net, uint64_t seed, uint64_t step, bool *kept)
{
    net->pass.seed = seed;
    net->pass.step = step;
    network_forward(net);
    double *output = network_value(net, net->output);
    for (int64_t i = 0; i < network_count(net, net->output); i++)
        kept[i] = output[i] != 0;
    free(output);
}

static void test_dropout_follows_seed_and_step(void **state)
{
    (void)state;
    enum { COUNT = 2 * 4 * 3 * 4 };
    const dv_backend *const backends[] = {&dv_backend_ref, &dv_backend_cpu, &dv_backend_ref64};
    bool kept[3][COUNT], again[COUNT];
    for (int i = 0; i < 3; i++) {
        network net;
        dv_dropout_attr attr = {.rate = 0.5};
        network_begin(&net, backends[i], small);
        network_add(&net, DV_OP_dropout, "dropout", &attr, net.input, -1);
        network_plan(&net, NULL);
        dropout_output(&net, 1, 2, kept[i]);
        dropout_output(&net, 1, 3, again);
        assert_memory_not_equal(kept[i], again, sizeof again);
        dropout_output(&net, 2, 2, again);
        assert_memory_not_equal(kept[i], again, sizeof again);
        dropout_output(&net, 1, 2, again);
        assert_memory_equal(kept[i], again, sizeof again);
        assert_memory_equal(kept[i], kept[0], sizeof again);
        network_close(&net);
    }
}

/* Channel dropout from a model's file drops or keeps each channel of a sample as a whole. */
static void test_channel_dropout_from_a_model(void **state)
{
    (void)state;
    enum { CHANNELS = 12, PLACES = 6, COUNT = 2 * PLACES * CHANNELS };
    const dv_shape shape = {2, 2, 3, CHANNELS};
    const dv_backend *const backends[] = {&dv_backend_ref, &dv_backend_cpu};
    for (int i = 0; i < 2; i++) {
        network net;
        bool kept[COUNT];
        int gone = 0;
        network_begin(&net, backends[i], shape);
        network_layers(&net,
                       "layers:\n  - dropout: {rate: 0.5, channels: true}\n  - global_avgpool:\n"
                       "  - linear: {units: classes}\n",
                       2);
        network_plan(&net, &(dv_plan_options){.keep_all = true});
        net.output = net.input + 1; /* value of the dropout */
        dropout_output(&net, 1, 2, kept);
        for (int n = 0; n < 2; n++) {
            for (int c = 0; c < CHANNELS; c++) {
                const bool *channel = kept + n * PLACES * CHANNELS + c;
                for (int k = 1; k < PLACES; k++)
                    assert_int_equal(channel[k * CHANNELS], channel[0]);
                gone += channel[0] ? 0 : 1;
            }
        }
        assert_in_range(gone, 4, 20); /* out of 24 channels */
        network_close(&net);
    }
}

static void test_weights_are_the_same_everywhere(void **state)
{
    (void)state;
    network nets[3];
    const dv_backend *const backends[] = {&dv_backend_ref, &dv_backend_cpu, &dv_backend_ref64};
    for (int k = 0; k < 3; k++) {
        network_open(&nets[k], backends[k], residual_text, picture, 5, NULL);
        assert_int_equal(dv_params_initialize(nets[k].params, 21), DV_OK);
    }
    bool packed = false;
    for (int i = 0; i < nets[0].params->count; i++) {
        const dv_param *param = &nets[0].params->items[i];
        packed = packed || nets[1].params->items[i].layout != NULL;
        double *want = network_parameter(&nets[0], i, DV_BUFFER_VALUES);
        for (int k = 1; k < 3; k++) {
            double *got = network_parameter(&nets[k], i, DV_BUFFER_VALUES);
            assert_memory_equal(got, want, (size_t)param->count * sizeof *got);
            free(got);
        }
        free(want);
    }
    if (!packed)
        print_message("no parameter has a layout of oneDNN's on this machine\n");
    for (int k = 0; k < 3; k++)
        network_close(&nets[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_node_uses_a_value_twice),
        cmocka_unit_test(test_many_nodes_use_a_value),
        cmocka_unit_test(test_reuse_changes_nothing),
        cmocka_unit_test(test_places_do_not_overlap),
        cmocka_unit_test(test_check_finite_names_the_tensor),
        cmocka_unit_test(test_what_a_backend_cannot_do),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_values_without_a_gradient),
        cmocka_unit_test(test_parameters_of_two_graphs_must_agree),
        cmocka_unit_test(test_dropout_follows_seed_and_step),
        cmocka_unit_test(test_channel_dropout_from_a_model),
        cmocka_unit_test(test_weights_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
