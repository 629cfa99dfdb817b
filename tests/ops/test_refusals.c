/* Refusals of operations: the code, and a message that names the layer and the wrong value. */
#include "engine/backends/open.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_SHAPES = 4, MAX_NEEDLES = 4 };

typedef struct refusal {
    dv_op_id op;
    const char *attributes;
    dv_status code;
    dv_shape inputs[MAX_SHAPES];
    const char *needles[MAX_NEEDLES]; /* each must be in the message */
} refusal;

/* Refusals when the layer is added to the graph. The layer is called 'layer'. */
static const refusal refusals[] = {
    {DV_OP_conv2d,
     "filters: 4, kernel: 3, padding: 0",
     DV_ESHAPE,
     {{2, 2, 9, 3}},
     {"'layer'", "(2, 2, 9, 3)", "3x3"}},
    {DV_OP_conv2d,
     "filters: 4, kernel: 3, dilation: 4, padding: 0",
     DV_ESHAPE,
     {{2, 9, 8, 3}},
     {"'layer'", "(2, 9, 8, 3)", "4x4"}},
    {DV_OP_conv2d,
     "filters: 4, kernel: 3, groups: 2",
     DV_ESHAPE,
     {{2, 5, 5, 3}},
     {"'layer'", "(2, 5, 5, 3)", "2 groups"}},
    {DV_OP_conv2d,
     "filters: 3, kernel: 3, groups: 2",
     DV_ESHAPE,
     {{2, 5, 5, 4}},
     {"'layer'", "(2, 5, 5, 4)", "3 filters"}},
    {DV_OP_conv2d,
     "filters: 5, kernel: 3, groups: 0",
     DV_ESHAPE,
     {{2, 5, 5, 4}},
     {"'layer'", "(2, 5, 5, 4)", "5 filters"}},
    {DV_OP_conv2d, "filters: 4, kernel: 2", DV_EARG, {{2, 5, 5, 3}}, {"'layer'", "padding"}},
    {DV_OP_linear, "units: 4, activation: silu", DV_EARG, {{2, 1, 1, 3}}, {"'layer'", "silu"}},
    {DV_OP_linear,
     "units: 4, activation: hardswish",
     DV_EARG,
     {{2, 1, 1, 3}},
     {"'layer'", "hardswish"}},
    {DV_OP_batchnorm,
     "",
     DV_ESHAPE,
     {{2, 3, 4, 5}, {2, 3, 4, 6}},
     {"'layer'", "(2, 3, 4, 5)", "(2, 3, 4, 6)"}},
    {DV_OP_add,
     "",
     DV_ESHAPE,
     {{2, 3, 4, 5}, {2, 4, 3, 5}},
     {"'layer'", "(2, 3, 4, 5)", "(2, 4, 3, 5)"}},
    {DV_OP_add, "", DV_EARG, {{2, 3, 4, 5}}, {"'layer'", "1 input"}},
    {DV_OP_spatial_attention, "kernel: 4", DV_EARG, {{2, 3, 4, 5}}, {"'layer'", "kernel 4", "odd"}},
    {DV_OP_maxpool, "kernel: 3", DV_ESHAPE, {{2, 2, 9, 5}}, {"'layer'", "(2, 2, 9, 5)", "3x3"}},
    {DV_OP_maxpool,
     "kernel: 3, padding: 2",
     DV_EARG,
     {{2, 8, 9, 5}},
     {"'layer'", "(2, 8, 9, 5)", "padding 2"}},
    {DV_OP_avgpool,
     "kernel: [1, 7]",
     DV_ESHAPE,
     {{2, 2, 5, 5}},
     {"'layer'", "(2, 2, 5, 5)", "1x7"}},
    {DV_OP_avgpool,
     "kernel: 2, padding: [0, 2]",
     DV_EARG,
     {{2, 8, 9, 5}},
     {"'layer'", "(2, 8, 9, 5)", "padding 2"}},
    {DV_OP_concat,
     "",
     DV_ESHAPE,
     {{2, 3, 4, 5}, {2, 3, 5, 5}},
     {"'layer'", "(2, 3, 4, 5)", "(2, 3, 5, 5)"}},
    {DV_OP_concat,
     "",
     DV_ESHAPE,
     {{2, 3, 4, 5}, {2, 3, 4, 1}, {1, 3, 4, 5}},
     {"'layer'", "(2, 3, 4, 5)", "(1, 3, 4, 5)"}},
    {DV_OP_softmax_cross_entropy,
     "",
     DV_ESHAPE,
     {{2, 1, 1, 5}, {2, 1, 1, 6}},
     {"'layer'", "(2, 1, 1, 5)", "(2, 1, 1, 6)"}},
    {DV_OP_softmax_cross_entropy,
     "",
     DV_ESHAPE,
     {{2, 1, 3, 5}, {2, 1, 3, 5}},
     {"'layer'", "(2, 1, 3, 5)"}},
    {DV_OP_softmax_cross_entropy, "", DV_EARG, {{2, 1, 1, 5}}, {"'layer'", "1 input"}},
    {DV_OP_distillation,
     "",
     DV_ESHAPE,
     {{2, 1, 1, 2}, {2, 1, 1, 5}, {2, 1, 1, 5}, {2, 1, 1, 5}},
     {"'layer'", "(2, 1, 1, 2)", "(2, 1, 1, 5)"}},
    {DV_OP_distillation,
     "",
     DV_ESHAPE,
     {{2, 1, 1, 1}, {2, 1, 1, 5}, {2, 1, 1, 6}, {2, 1, 1, 5}},
     {"'layer'", "(2, 1, 1, 5)", "input 2", "(2, 1, 1, 6)"}},
    {DV_OP_distillation,
     "",
     DV_ESHAPE,
     {{2, 1, 1, 1}, {2, 1, 1, 5}, {2, 1, 1, 5}, {3, 1, 1, 5}},
     {"'layer'", "input 3", "(3, 1, 1, 5)"}},
    {DV_OP_distillation,
     "",
     DV_ESHAPE,
     {{2, 1, 1, 1}, {2, 1, 3, 5}, {2, 1, 3, 5}, {2, 1, 3, 5}},
     {"'layer'", "(2, 1, 3, 5)"}},
    {DV_OP_distillation, "", DV_EARG, {{2, 1, 1, 1}, {2, 1, 1, 5}}, {"'layer'", "2 inputs"}},
    {DV_OP_weighted_sum,
     "",
     DV_ESHAPE,
     {{2, 1, 1, 5}, {2, 1, 1, 5}, {2, 1, 1, 6}},
     {"'layer'", "input 2", "(2, 1, 1, 5)", "(2, 1, 1, 6)"}},
    {DV_OP_weighted_sum, "", DV_EARG, {{2, 1, 1, 5}}, {"'layer'", "1 input"}},
    {DV_OP_attention,
     "heads: 1",
     DV_ESHAPE,
     {{2, 1, 7, 16}},
     {"'layer'", "16 channels", "(2, 1, 7, 16)", "divisible by 3"}},
    {DV_OP_attention,
     "heads: 4",
     DV_ESHAPE,
     {{2, 1, 7, 30}},
     {"'layer'", "(2, 1, 7, 30)", "10 channels", "4 heads"}},
    {DV_OP_attention,
     "heads: 2",
     DV_ESHAPE,
     {{2, 3, 7, 12}},
     {"'layer'", "(2, 3, 7, 12)", "height 3"}},
    {DV_OP_attention, "heads: 2", DV_EARG, {{2, 1, 7, 12}, {2, 1, 7, 12}}, {"'layer'", "2 inputs"}},
    {DV_OP_positions, "", DV_ESHAPE, {{2, 13, 32, 1}}, {"'layer'", "(2, 13, 32, 1)", "frames"}},
};

/* Refusals of the table of fields, which name the configuration's line, the key and the range. */
static const refusal configurations[] = {
    {DV_OP_conv2d, "kernel: 3", DV_ECONFIG, {{0}}, {"conv2d", "filters"}},
    {DV_OP_conv2d, "filters: 0, kernel: 3", DV_ECONFIG, {{0}}, {"filters", "0"}},
    {DV_OP_conv2d, "filters: 4, kernel: 0", DV_ECONFIG, {{0}}, {"kernel", "0"}},
    {DV_OP_conv2d, "filters: 4, kernel: [3, 3, 3]", DV_ECONFIG, {{0}}, {"kernel"}},
    {DV_OP_conv2d, "filters: 4, kernel: 3, stride: 0", DV_ECONFIG, {{0}}, {"stride", "0"}},
    {DV_OP_conv2d, "filters: 4, kernel: 3, padding: -2", DV_ECONFIG, {{0}}, {"padding", "-2"}},
    {DV_OP_conv2d, "filters: 4, kernel: 3, dilation: 0", DV_ECONFIG, {{0}}, {"dilation", "0"}},
    {DV_OP_conv2d, "filters: 4, kernel: 3, groups: -1", DV_ECONFIG, {{0}}, {"groups", "-1"}},
    {DV_OP_conv2d, "filters: 4, kernal: 3", DV_ECONFIG, {{0}}, {"kernal", "kernel"}},
    {DV_OP_linear, "units: 0", DV_ECONFIG, {{0}}, {"linear", "units"}},
    {DV_OP_linear, "units: 4, activation: rely", DV_ECONFIG, {{0}}, {"rely", "relu"}},
    {DV_OP_batchnorm, "epsilon: 0", DV_ECONFIG, {{0}}, {"batchnorm", "epsilon"}},
    {DV_OP_batchnorm, "momentum: 1.5", DV_ECONFIG, {{0}}, {"momentum", "1.5"}},
    {DV_OP_activation, "", DV_ECONFIG, {{0}}, {"activation", "kind"}},
    {DV_OP_squeeze_excite, "reduction: 0", DV_ECONFIG, {{0}}, {"squeeze_excite", "reduction"}},
    {DV_OP_squeeze_excite, "units: -1", DV_ECONFIG, {{0}}, {"squeeze_excite", "units", "-1"}},
    {DV_OP_squeeze_excite, "activation: rely", DV_ECONFIG, {{0}}, {"rely", "relu"}},
    {DV_OP_spatial_attention, "kernel: 33", DV_ECONFIG, {{0}}, {"kernel", "33"}},
    {DV_OP_maxpool, "stride: 2", DV_ECONFIG, {{0}}, {"maxpool", "kernel"}},
    {DV_OP_avgpool, "kernel: 2, stride: -1", DV_ECONFIG, {{0}}, {"avgpool", "stride"}},
    {DV_OP_dropout, "rate: -0.5", DV_ECONFIG, {{0}}, {"dropout", "rate"}},
    {DV_OP_dropout, "rate: 1.5", DV_ECONFIG, {{0}}, {"dropout", "rate"}},
    {DV_OP_softmax_cross_entropy, "smoothing: -0.1", DV_ECONFIG, {{0}}, {"smoothing"}},
    {DV_OP_distillation, "weight: 0", DV_ECONFIG, {{0}}, {"weight"}},
    {DV_OP_distillation, "weight: 1.1", DV_ECONFIG, {{0}}, {"weight"}},
    {DV_OP_distillation, "temperature: 0", DV_ECONFIG, {{0}}, {"temperature"}},
    {DV_OP_attention, "heads: 0", DV_ECONFIG, {{0}}, {"attention", "heads", "0"}},
    {DV_OP_attention, "heads: 65", DV_ECONFIG, {{0}}, {"heads", "65", "64"}},
    {DV_OP_attention, "head: 8", DV_ECONFIG, {{0}}, {"head", "heads"}},
    {DV_OP_layer_norm, "epsilon: 0", DV_ECONFIG, {{0}}, {"layer_norm", "epsilon"}},
};

static void require_refused(const refusal *r, dv_status status)
{
    const char *message = dv_error_message(), *op = dv_op_get(r->op)->name;
    if (status != r->code)
        fail_msg("%s {%s}: got '%s' (%s), expected '%s'", op, r->attributes, dv_status_text(status),
                 status == DV_OK ? "" : message, dv_status_text(r->code));
    for (int i = 0; i < MAX_NEEDLES && r->needles[i] != NULL; i++) {
        if (strstr(message, r->needles[i]) == NULL)
            fail_msg("%s {%s}: the message does not name %s: %s", op, r->attributes, r->needles[i],
                     message);
    }
}

typedef struct scene {
    dv_context *context;
    dv_params *params;
    dv_graph *graph;
} scene;

static scene scene_open(const dv_backend *backend)
{
    scene s = {0};
    assert_int_equal(dv_context_open_backend(backend, 1, (dv_log){0}, &s.context), DV_OK);
    assert_int_equal(dv_params_create(s.context, DV_FULL_PRECISION, &s.params), DV_OK);
    assert_int_equal(dv_graph_create(s.params, &s.graph), DV_OK);
    return s;
}

static void scene_close(scene *s)
{
    dv_graph_free(s->graph);
    dv_params_free(s->params);
    dv_context_close(s->context);
}

static dv_status add_layer(dv_graph *graph, const refusal *r, int *node)
{
    int inputs[MAX_SHAPES], count = 0;
    while (count < MAX_SHAPES && r->inputs[count].n > 0) {
        assert_int_equal(dv_graph_input(graph, "input", r->inputs[count], &inputs[count]), DV_OK);
        count++;
    }
    void *attributes;
    assert_int_equal(op_attributes(r->op, r->attributes, &attributes), DV_OK);
    dv_status status =
        dv_graph_add(graph, dv_op_get(r->op), "layer", attributes, inputs, count, node);
    assert_int_equal(graph->count, status == DV_OK ? count + 1 : count);
    free(attributes);
    return status;
}

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        scene s = scene_open(&dv_backend_ref);
        int node;
        require_refused(&refusals[i], add_layer(s.graph, &refusals[i], &node));
        scene_close(&s);
    }
}

static void test_configurations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof configurations / sizeof configurations[0]; i++) {
        const refusal *r = &configurations[i];
        void *attributes;
        dv_status status = op_attributes(r->op, r->attributes, &attributes);
        if (status == DV_OK)
            free(attributes);
        require_refused(r, status);
    }
}

/* Bounds that are not part of the interval. */
static void test_open_intervals(void **state)
{
    static const refusal open[] = {
        {DV_OP_dropout, "rate: 1", 0, {{2, 3, 4, 5}}, {"rate"}},
        {DV_OP_softmax_cross_entropy,
         "smoothing: 1",
         0,
         {{2, 1, 1, 5}, {2, 1, 1, 5}},
         {"smoothing"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        refusal r = open[i];
        void *attributes;
        dv_status status = op_attributes(r.op, r.attributes, &attributes);
        r.code = DV_ECONFIG;
        if (status == DV_OK) {
            free(attributes);
            scene s = scene_open(&dv_backend_ref);
            int node;
            status = add_layer(s.graph, &r, &node);
            r.code = DV_EARG;
            scene_close(&s);
        }
        require_refused(&r, status);
    }
}

/* One value per channel has no variance. A training plan refuses it, so that no NaN follows later.
 */
static void test_batchnorm_single(void **state)
{
    static const refusal single = {
        DV_OP_batchnorm, "", DV_ESHAPE, {{1, 1, 1, 5}}, {"'layer'", "(1, 1, 1, 5)"}};
    static const dv_backend *const backends[] = {&dv_backend_ref, &dv_backend_cpu};
    (void)state;
    for (size_t b = 0; b < sizeof backends / sizeof backends[0]; b++) {
        scene s = scene_open(backends[b]);
        int node;
        assert_int_equal(add_layer(s.graph, &single, &node), DV_OK);
        dv_plan *plan;
        require_refused(&single, dv_plan_create(s.context, s.graph,
                                                &(dv_plan_options){.training = true}, &plan));
        assert_null(plan);
        assert_int_equal(dv_plan_create(s.context, s.graph, &(dv_plan_options){0}, &plan), DV_OK);
        dv_plan_free(plan);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_open_intervals),
        cmocka_unit_test(test_batchnorm_single),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
