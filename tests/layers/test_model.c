#include "engine/backends/open.h"
#include "engine/layers/model.h"
#include "engine/ops/ops.h"
#include "frontends/features/features.h"
#include "frontends/model/model_file.h"
#include "tests/support/network.h"
#include "tests/support/tree_helpers.h"

#include <math.h>

/* ---- From text to a graph ---- */

typedef struct built {
    dv_context *context;
    dv_params *params;
    dv_graph *graph;
    int logits;
} built;

static dv_status build(const dv_tree *model, dv_shape shape, int64_t classes, built *out)
{
    int input;
    *out = (built){0};
    assert_int_equal(dv_context_open_backend(&dv_backend_ref, 1, (dv_log){0}, &out->context),
                     DV_OK);
    assert_int_equal(dv_params_create(out->context, DV_FULL_PRECISION, &out->params), DV_OK);
    assert_int_equal(dv_graph_create(out->params, &out->graph), DV_OK);
    assert_int_equal(dv_graph_input(out->graph, "features", shape, &input), DV_OK);
    return dv_model_build(out->graph, model, input, classes, &out->logits);
}

static void drop(built *model)
{
    dv_graph_free(model->graph);
    dv_params_free(model->params);
    dv_context_close(model->context);
}

static const dv_shape image = {2, 13, 32, 1};

static built build_text(const char *text, int64_t classes)
{
    dv_tree *tree = parse(text);
    built model;
    if (build(tree, image, classes, &model) != DV_OK)
        fail_msg("%s: %s", text, dv_error_message());
    dv_tree_free(tree);
    return model;
}

static const dv_node *find_node(const built *model, const char *name)
{
    for (int i = 0; i < model->graph->count; i++) {
        if (strcmp(model->graph->nodes[i].name, name) == 0)
            return &model->graph->nodes[i];
    }
    fail_msg("there is no node '%s'", name);
    return NULL;
}

/* Asserts a refusal whose message begins with `place` and contains the other two parts. */
static void refuse(const char *text, dv_status code, const char *place, const char *part,
                   const char *other)
{
    dv_tree *tree = parse(text);
    built model;
    dv_status status = build(tree, image, 10, &model);
    if (status != code)
        fail_msg("%s: status %d, not %d: %s", text, (int)status, (int)code, dv_error_message());
    if (strncmp(dv_error_message(), place, strlen(place)) != 0)
        fail_msg("'%s' does not begin with '%s'", dv_error_message(), place);
    assert_message(part);
    assert_message(other);
    drop(&model);
    dv_tree_free(tree);
}

static void test_names_and_classes(void **state)
{
    (void)state;
    built model = build_text("name: m\n"
                             "layers:\n"
                             "  - conv2d: {filters: 4, kernel: [3, 5], stride: [1, 2]}\n"
                             "  - conv2d: {filters: 6, kernel: 1, name: middle}\n"
                             "  - conv2d: {filters: 7, kernel: 1}\n"
                             "  - global_avgpool\n"
                             "  - dropout:\n"
                             "  - linear: {units: classes, name: head}\n",
                             7);
    assert_true(dv_shape_equal(find_node(&model, "conv2d_1")->shape, (dv_shape){2, 13, 16, 4}));
    assert_int_equal(find_node(&model, "middle")->shape.c, 6);
    assert_int_equal(find_node(&model, "conv2d_3")->shape.c, 7);
    find_node(&model, "dropout_1");
    assert_true(
        dv_shape_equal(find_node(&model, "global_avgpool_1")->shape, (dv_shape){2, 1, 1, 7}));
    assert_int_equal(find_node(&model, "head")->id, model.logits);
    assert_true(dv_shape_equal(dv_graph_shape(model.graph, model.logits), (dv_shape){2, 1, 1, 7}));
    int weight = dv_params_find(model.params, "conv2d_1.weight");
    assert_true(weight >= 0);
    const int64_t expected[4] = {4, 1, 3, 5};
    assert_memory_equal(model.params->items[weight].dim, expected, sizeof expected);
    assert_true(dv_params_find(model.params, "head.bias") >= 0);
    drop(&model);
}

static void test_unknown_layers_name_the_nearest(void **state)
{
    (void)state;
    refuse("layers:\n  - flatten:\n  - conv2: {filters: 3}\n", DV_ECONFIG,
           "t.yaml:3: ", "unknown layer 'conv2'", "did you mean 'conv2d'");
    refuse("layers:\n  - residul: {filters: 3}\n", DV_ECONFIG, "t.yaml:2: ", "unknown layer",
           "'residual'");
    /* An operation of two inputs is not a layer. */
    refuse("layers:\n  - add:\n", DV_ECONFIG, "t.yaml:2: ", "unknown layer 'add'", "layer");
    refuse("layers:\n  - zzzzzzzz:\n", DV_ECONFIG, "t.yaml:2: ", "unknown layer 'zzzzzzzz'", "");
}

static void test_mistakes_have_file_and_line(void **state)
{
    (void)state;
    refuse("layers:\n  - conv2d: {filters: 3, kernle: 2}\n", DV_ECONFIG, "t.yaml:2: ", "'kernle'",
           "'kernel'");
    refuse("layers:\n  - flatten\n  - linear: {units: many}\n", DV_ECONFIG, "t.yaml:3: ", "linear",
           "units");
    refuse("layers:\n  - linear:\n", DV_ECONFIG, "t.yaml:2: ", "units", "linear");
    refuse("layers:\n  - linear: 10\n", DV_ECONFIG, "t.yaml:2: ", "linear", "map of attributes");
    refuse("layers:\n  - [linear]\n", DV_ECONFIG, "t.yaml:2: ", "a layer is written", "");
    refuse("layers:\n  - linear: {units: 10}\n    flatten:\n", DV_ECONFIG,
           "t.yaml:2: ", "a layer is written", "");
    refuse("layers:\n  - linear: {units: 10, name: }\n", DV_ECONFIG, "t.yaml:2: ", "name", "");
    refuse("layers:\n  - linear: {units: 10, name: block/head}\n", DV_ECONFIG,
           "t.yaml:2: ", "name must have no '/'", "");
    refuse("layers:\n  - linear: {units: 10, name: \"head\\tA\"}\n", DV_ECONFIG,
           "t.yaml:2: ", "no control character", "");
    refuse("layers:\n  - spatial_attention: {kernel: 4}\n", DV_EARG,
           "t.yaml:2: ", "spatial_attention_1", "must be odd");
    refuse("layers:\n  - residual: {filters: 4, kernel: 2}\n", DV_EARG, "t.yaml:2: ", "residual_1",
           "must be odd");
    refuse("layers:\n  - mbconv: {filters: 4, kernel: 4}\n", DV_EARG, "t.yaml:2: ", "mbconv_1",
           "kernel 4 must be odd");
    refuse("layers:\n  - frames:\n  - encoder: {units: 13, heads: 2, feed_forward: 8}\n", DV_EARG,
           "t.yaml:3: ", "'encoder_1'", "13 units cannot be divided among 2 heads");
    refuse("layers:\n  - encoder: {units: 8, heads: 2}\n", DV_ECONFIG, "t.yaml:2: ", "feed_forward",
           "encoder");
    refuse("layers: []\n", DV_ECONFIG, "t.yaml", "`layers` must be a list of at least one", "");
    refuse("layers: 3\n", DV_ECONFIG, "t.yaml", "`layers` must be a list of at least one", "");
    refuse("name: m\n", DV_ECONFIG, "t.yaml", "`layers` must be a list of at least one", "");
}

static void test_misfits_name_layer_and_shapes(void **state)
{
    (void)state;
    refuse("layers:\n  - conv2d: {filters: 4, kernel: [15, 3], padding: 0, name: tall}\n",
           DV_ESHAPE, "t.yaml:2: ", "'tall'", "(2, 13, 32, 1)");
    refuse("layers:\n  - maxpool: {kernel: 40, name: wide}\n", DV_ESHAPE, "t.yaml:2: ", "'wide'",
           "(2, 13, 32, 1)");
    refuse("layers:\n  - conv2d: {filters: 9, kernel: 1}\n  - conv2d: {filters: 4, kernel: 1, "
           "groups: 2}\n",
           DV_ESHAPE, "t.yaml:3: ", "'conv2d_2'", "(2, 13, 32, 9)");
    refuse("layers:\n  - frames:\n  - encoder: {units: 12, heads: 2, feed_forward: 8}\n", DV_ESHAPE,
           "t.yaml:3: ", "'encoder_1': input (2, 1, 32, 13)", "(N, 1, T, 12)");
    refuse("layers:\n  - encoder: {units: 1, heads: 1, feed_forward: 8, name: early}\n", DV_ESHAPE,
           "t.yaml:2: ", "'early': input (2, 13, 32, 1)", "`frames`");
    refuse("layers:\n  - positions:\n", DV_ESHAPE, "t.yaml:2: ", "'positions_1'", "(2, 13, 32, 1)");
}

static void test_the_last_layer_gives_the_classes(void **state)
{
    (void)state;
    refuse("layers:\n  - global_avgpool:\n  - linear: {units: 9, name: head}\n", DV_ESHAPE,
           "model: the last layer 'head'", "(2, 1, 1, 9)", "(2, 1, 1, 10) for 10 classes");
    refuse("layers:\n  - linear: {units: classes}\n", DV_ESHAPE, "model: the last layer 'linear_1'",
           "(2, 13, 32, 10)", "(2, 1, 1, 10)");
}

/* Two layers with one name would silently share their weights. */
static void test_a_name_is_given_once(void **state)
{
    (void)state;
    refuse("layers:\n  - flatten\n  - linear: {units: 10, name: a}\n"
           "  - linear: {units: 10, name: a}\n",
           DV_ECONFIG, "t.yaml:4: ", "the name 'a' is taken", "");
    refuse("layers:\n  - flatten\n  - linear: {units: 10}\n"
           "  - linear: {units: 10, name: linear_3}\n  - linear: {units: 10}\n",
           DV_ECONFIG, "t.yaml:5: ", "the name 'linear_3' is taken", "");
    refuse("layers:\n  - residual: {filters: 4, name: a}\n  - flatten: {name: "
           "a.block_1.expand.conv}\n",
           DV_ECONFIG, "t.yaml:3: ", "the name 'a.block_1.expand.conv' is taken", "");
}

/* ---- Mobile inverted bottlenecks ---- */

static bool has_node(const built *model, const char *name)
{
    bool found = false;
    for (int i = 0; i < model->graph->count; i++)
        found = found || strcmp(model->graph->nodes[i].name, name) == 0;
    return found;
}

static void assert_dimensions(const built *model, const char *name, int64_t a, int64_t b, int64_t h,
                              int64_t w)
{
    int index = dv_params_find(model->params, name);
    if (index < 0)
        fail_msg("there is no parameter '%s'", name);
    const int64_t expected[4] = {a, b, h, w}, *dim = model->params->items[index].dim;
    for (int i = 0; i < model->params->items[index].rank; i++)
        assert_int_equal(dim[i], expected[i]);
}

static void test_mbconv(void **state)
{
    (void)state;
    built model = build_text("layers:\n"
                             "  - conv2d: {filters: 8, kernel: 1}\n"
                             "  - mbconv: {filters: 12, blocks: 2, expand: 3, kernel: 5, stride: 2,"
                             " name: m}\n"
                             "  - mbconv: {filters: 12, expand: 1, se_reduction: 0, name: plain}\n"
                             "  - global_avgpool\n"
                             "  - linear: {units: classes}\n",
                             10);
    assert_true(dv_shape_equal(find_node(&model, "m.block_2.project.norm")->shape,
                               (dv_shape){2, 7, 16, 12}));
    assert_dimensions(&model, "m.block_1.expand.conv.weight", 24, 8, 1, 1);
    assert_dimensions(&model, "m.block_1.depthwise.conv.weight", 24, 1, 5, 5);
    /* A quarter of the block's input channels, not of its expanded channels. */
    assert_dimensions(&model, "m.block_1.se.reduce.weight", 2, 24, 0, 0);
    assert_dimensions(&model, "m.block_2.se.reduce.weight", 3, 36, 0, 0);
    assert_dimensions(&model, "m.block_1.project.conv.weight", 12, 24, 1, 1);
    assert_dimensions(&model, "m.block_2.project.conv.weight", 12, 36, 1, 1);
    /* The skip is the norm's second input, if the shapes allow it. */
    assert_int_equal(find_node(&model, "m.block_1.project.norm")->input_count, 1);
    const dv_node *last = find_node(&model, "m.block_2.project.norm");
    assert_int_equal(last->input_count, 2);
    assert_int_equal(last->inputs[1], find_node(&model, "m.block_1.project.norm")->id);
    assert_int_equal(find_node(&model, "plain.block_1.project.norm")->input_count, 2);
    assert_false(has_node(&model, "plain.block_1.expand.conv"));
    assert_false(has_node(&model, "plain.block_1.se"));
    assert_dimensions(&model, "plain.block_1.depthwise.conv.weight", 12, 1, 3, 3);
    drop(&model);
}

/* ---- Ensembles ---- */

#define MEMBER(name, layers) "{name: " name ", layers: [" layers "]}"
#define MEMBER_A MEMBER("a", "flatten, linear: {units: classes, name: head}")
#define MEMBER_B MEMBER("b", "global_avgpool, linear: {units: 5}, linear: {units: classes}")
#define ENSEMBLE(members) "layers:\n  - ensemble: {models: [" members "], name: mix}\n"

static void test_ensemble(void **state)
{
    (void)state;
    built model = build_text(ENSEMBLE(MEMBER_A ", " MEMBER_B), 7);
    const dv_node *mix = find_node(&model, "mix");
    assert_int_equal(mix->id, model.logits);
    assert_int_equal(mix->input_count, 2);
    assert_int_equal(mix->inputs[0], find_node(&model, "a.head")->id);
    assert_int_equal(mix->inputs[1], find_node(&model, "b.linear_2")->id);
    /* Both members read the features themselves. */
    assert_int_equal(find_node(&model, "a.flatten_1")->inputs[0], 0);
    assert_int_equal(find_node(&model, "b.global_avgpool_1")->inputs[0], 0);
    assert_dimensions(&model, "mix.weight", 2, 0, 0, 0);
    assert_dimensions(&model, "a.head.weight", 7, 13 * 32, 0, 0);
    assert_dimensions(&model, "b.linear_1.weight", 5, 1, 0, 0);
    assert_int_equal(dv_params_count(model.params), 2 + 7 * 13 * 32 + 7 + 5 + 5 + 7 * 5 + 7);
    const dv_param *weight = &model.params->items[dv_params_find(model.params, "mix.weight")];
    assert_int_equal(weight->init, DV_INIT_ZERO);
    assert_false(weight->decay);
    drop(&model);
}

static void test_ensembles_refuse(void **state)
{
    (void)state;
    static const char *const place = "t.yaml:2: ";
    refuse("layers:\n  - ensemble:\n", DV_ECONFIG, place, "'ensemble_1'", "list of 2 to 8");
    refuse(ENSEMBLE(MEMBER_A), DV_ECONFIG, place, "'mix'", "list of 2 to 8");
    refuse(ENSEMBLE(MEMBER_A ", other"), DV_ECONFIG, place, "the member 'other' is still a name",
           "mix");
    refuse(ENSEMBLE(MEMBER_A ", {layers: [flatten]}"), DV_ECONFIG, place, "model 2", "name");
    refuse(ENSEMBLE(MEMBER_A ", [a]"), DV_ECONFIG, place, "model 2", "must be a map");
    refuse(ENSEMBLE(MEMBER_A ", " MEMBER_A), DV_ECONFIG, place, "two members have the name 'a'",
           "mix");
    refuse(ENSEMBLE(MEMBER_A ", " MEMBER("b", "flatten")), DV_ESHAPE, place, "'b.flatten_1'",
           "(2, 1, 1, 10)");
    refuse(ENSEMBLE(MEMBER_A ", " MEMBER("b", "flatten, linear: {unit: 3}")), DV_ECONFIG, place,
           "'unit'", "'units'");
    refuse("layers:\n  - flatten: {name: a.head}\n  - ensemble: {models: [" MEMBER_A ", " MEMBER_B
           "]}\n",
           DV_ECONFIG, "t.yaml:3: ", "the name 'a.head' is taken", "");
}

/* ---- The models of configs/models ---- */

static int64_t count_parameters(const char *name, int feature_type, int64_t *rows)
{
    char path[128];
    dv_features_config config;
    dv_frontend *frontend;
    dv_tree *tree;
    snprintf(path, sizeof path, "configs/models/%s.yaml", name);
    assert_int_equal(dv_fields_default(dv_features_fields, &config), DV_OK);
    config.type = feature_type;
    if (feature_type == DV_FEATURES_FBANK)
        config.hop = 250; /* 32 frames here, too */
    assert_int_equal(dv_frontend_create(&config, &frontend), DV_OK);
    dv_shape shape = {4, dv_frontend_rows(frontend), dv_frontend_frames(frontend), 1};
    *rows = shape.h;
    assert_int_equal(shape.w, 32);
    if (dv_model_file_read(path, &tree) != DV_OK)
        fail_msg("%s", dv_error_message());
    built model;
    if (build(tree, shape, 10, &model) != DV_OK)
        fail_msg("%s", dv_error_message());
    int64_t count = dv_params_count(model.params);
    drop(&model);
    dv_tree_free(tree);
    dv_frontend_free(frontend);
    return count;
}

/* The models of frames take the rows as channels, so each row adds 3 x 32 weights of the first
   convolution, or 128 of a projection. The 2-D models do not grow with the image. Every model works
   with every type of features. */
static void test_models_have_the_size_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double least, most; /* parameters on mfcc */
        int64_t per_row;
    } models[] = {
        {"advanced", 2.5e6 * 0.95, 2.5e6 * 1.05, 0},
        {"efficient", 1.8e6 * 0.95, 1.8e6 * 1.05, 0},
        {"resnet18", 11.2e6 * 0.95, 11.2e6 * 1.05, 0},
        {"lightweight", 198e3 * 0.95, 198e3 * 1.05, 96},
        {"mini", 1e3, 20e3, 96},
        {"transformer", 1.2e6 * 0.95, 1.2e6 * 1.05, 128},
        {"ensemble", 5.5e6 * 0.95, 5.5e6 * 1.05, 128},
    };
    static const int64_t rows[DV_FEATURE_TYPES] = {[DV_FEATURES_MFCC] = 13,
                                                   [DV_FEATURES_MEL] = 64,
                                                   [DV_FEATURES_SPECTROGRAM] = 513,
                                                   [DV_FEATURES_FBANK] = 64};
    for (size_t m = 0; m < COUNT(models); m++) {
        int64_t found, mfcc = count_parameters(models[m].name, DV_FEATURES_MFCC, &found);
        if ((double)mfcc < models[m].least || (double)mfcc > models[m].most)
            fail_msg("%s has %lld parameters", models[m].name, (long long)mfcc);
        for (int type = DV_FEATURES_MFCC; type < DV_FEATURE_TYPES; type++) {
            int64_t count = count_parameters(models[m].name, type, &found);
            assert_int_equal(found, rows[type]);
            assert_int_equal(count, mfcc + (rows[type] - 13) * models[m].per_row);
        }
    }
}

/* ---- Composite layers ---- */

#define HEAD "  - flatten\n  - linear: {units: classes, name: head}\n"

static const char *const composites[] = {
    "layers:\n  - residual: {filters: 3}\n" HEAD,
    "layers:\n  - residual: {filters: 6, blocks: 2, stride: 2, activation: silu}\n" HEAD,
    "layers:\n  - residual: {filters: 8, blocks: 2, stride: 2, bottleneck: 0.5}\n" HEAD,
    "layers:\n  - residual: {filters: 8, stride: 2, bottleneck: 0.5, se_reduction: 4}\n" HEAD,
    "layers:\n  - residual: {filters: 8, blocks: 2, se_reduction: 2, activation: gelu}\n" HEAD,
    "layers:\n  - mbconv: {filters: 3, expand: 2, blocks: 2}\n" HEAD,
    "layers:\n  - mbconv: {filters: 4, kernel: 5, stride: 2, activation: relu}\n" HEAD,
    "layers:\n  - mbconv: {filters: 3, expand: 1, se_reduction: 0}\n" HEAD,
    "layers:\n  - ensemble: {models: [{name: a, layers: [flatten, linear: {units: classes}]}, "
    "{name: b, layers: [mbconv: {filters: 4, expand: 2}, global_avgpool, "
    "linear: {units: classes}]}, {name: c, layers: [frames, global_maxpool, "
    "linear: {units: classes, activation: tanh}]}], name: mix}\n",
    "layers:\n  - squeeze_excite: {reduction: 2}\n" HEAD,
    "layers:\n  - squeeze_excite: {units: 2, activation: silu}\n" HEAD,
    "layers:\n  - conv2d: {filters: 8, kernel: 1}\n"
    "  - squeeze_excite: {reduction: 4, activation: silu}\n" HEAD,
    "layers:\n  - spatial_attention: {kernel: 3}\n" HEAD,
    "layers:\n  - linear: {units: 5, activation: gelu}\n"
    "  - linear: {units: 5, activation: relu}\n" HEAD,
    "layers:\n  - frames:\n  - positions:\n"
    "  - encoder: {units: 18, heads: 3, feed_forward: 7, layers: 2, dropout: 0.2}\n"
    "  - layer_norm:\n" HEAD,
    "layers:\n  - frames:\n"
    "  - encoder: {units: 18, heads: 2, feed_forward: 5, dropout: 0, activation: relu}\n" HEAD,
};
static const dv_shape composite_shape = {3, 6, 5, 3};
enum { COMPOSITE_CLASSES = 4 };

static void test_composites_against_finite_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(composites); i++) {
        network net;
        network_open(&net, &dv_backend_ref64, composites[i], composite_shape, COMPOSITE_CLASSES,
                     NULL);
        assert_finite_differences(&net);
        network_close(&net);
    }
}

static void test_composites_on_the_cpu_against_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(composites); i++) {
        network nets[2];
        const dv_backend *const backends[2] = {&dv_backend_cpu, &dv_backend_ref};
        for (int k = 0; k < 2; k++) {
            network_open(&nets[k], backends[k], composites[i], composite_shape, COMPOSITE_CLASSES,
                         NULL);
            network_forward(&nets[k]);
            network_backward(&nets[k]);
        }
        assert_same_results(&nets[0], &nets[1], 1e-9);
        network_close(&nets[0]);
        network_close(&nets[1]);
    }
}

/* Names are those of a checkpoint, in the order of the computation. Without dropout there are no
   nodes for it. */
static void test_the_encoder_has_the_names_and_initial_values_it_says(void **state)
{
    (void)state;
    static const char *const parts[] = {"norm1", "in_proj", "out_proj",
                                        "norm2", "linear1", "linear2"};
    built model = build_text("layers:\n  - frames:\n  - linear: {units: 6}\n"
                             "  - encoder: {units: 6, heads: 2, feed_forward: 9, layers: 2}\n"
                             "  - encoder: {units: 6, heads: 3, feed_forward: 9, dropout: 0, "
                             "name: quiet}\n  - global_avgpool:\n  - linear: {units: classes}\n",
                             10);
    for (size_t i = 0; i < COUNT(parts); i++) {
        char name[64];
        snprintf(name, sizeof name, "encoder_1.1.%s.weight", parts[i]);
        int weight = dv_params_find(model.params, name);
        if (weight < 0)
            fail_msg("there is no parameter %s", name);
        bool norm = strncmp(parts[i], "norm", 4) == 0;
        const dv_param *items = model.params->items;
        assert_int_equal(items[weight].init, norm ? DV_INIT_ONE : DV_INIT_XAVIER);
        assert_int_equal(items[weight].decay, !norm);
        snprintf(name, sizeof name, "encoder_1.1.%s.bias", parts[i]);
        assert_int_equal(dv_params_find(model.params, name), weight + 1);
        assert_int_equal(items[weight + 1].init, DV_INIT_ZERO);
    }
    int in = dv_params_find(model.params, "encoder_1.0.in_proj.weight");
    assert_int_equal(model.params->items[in].dim[0], 18);
    assert_int_equal(model.params->items[in].dim[1], 6);
    assert_true(dv_params_find(model.params, "encoder_1.2.norm1.weight") < 0);
    find_node(&model, "encoder_1.0.dropout");
    int sum1 = find_node(&model, "encoder_1.0.sum1")->id;
    int before = find_node(&model, "encoder_1.0.norm1")->id - 1;
    assert_int_equal(model.graph->nodes[sum1].inputs[1], before);
    assert_int_equal(find_node(&model, "encoder_1.0.sum2")->inputs[1], sum1);
    for (int i = 0; i < model.graph->count; i++)
        assert_true(model.graph->nodes[i].op->id != DV_OP_dropout ||
                    strncmp(model.graph->nodes[i].name, "quiet", 5) != 0);
    drop(&model);
}

/* Compares the whole models, with dropout, as in a training step. */
static void test_models_on_the_cpu_against_the_reference(void **state)
{
    (void)state;
    static const char *const files[] = {"configs/models/lightweight.yaml",
                                        "configs/models/mini.yaml",
                                        "configs/models/transformer.yaml"};
    for (size_t i = 0; i < COUNT(files); i++) {
        network nets[2];
        const dv_backend *const backends[2] = {&dv_backend_cpu, &dv_backend_ref};
        dv_tree *tree;
        char *text;
        assert_int_equal(dv_yaml_read(files[i], &tree), DV_OK);
        assert_int_equal(dv_yaml_write(tree, &text), DV_OK);
        for (int k = 0; k < 2; k++) {
            network_open(&nets[k], backends[k], text, (dv_shape){4, 13, 32, 1}, 10, NULL);
            network_forward(&nets[k]);
            network_backward(&nets[k]);
        }
        assert_same_results(&nets[0], &nets[1], 1e-8);
        network_close(&nets[0]);
        network_close(&nets[1]);
        free(text);
        dv_tree_free(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_classes),
        cmocka_unit_test(test_unknown_layers_name_the_nearest),
        cmocka_unit_test(test_mistakes_have_file_and_line),
        cmocka_unit_test(test_misfits_name_layer_and_shapes),
        cmocka_unit_test(test_the_last_layer_gives_the_classes),
        cmocka_unit_test(test_a_name_is_given_once),
        cmocka_unit_test(test_mbconv),
        cmocka_unit_test(test_ensemble),
        cmocka_unit_test(test_ensembles_refuse),
        cmocka_unit_test(test_models_have_the_size_they_say),
        cmocka_unit_test(test_composites_against_finite_differences),
        cmocka_unit_test(test_composites_on_the_cpu_against_the_reference),
        cmocka_unit_test(test_models_on_the_cpu_against_the_reference),
        cmocka_unit_test(test_the_encoder_has_the_names_and_initial_values_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
