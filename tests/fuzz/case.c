/* Builds a configuration from drawn values. A value that is refused or too expensive is undone. */
#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "engine/layers/model.h"
#include "frontends/augment/augment.h"
#include "frontends/features/features_internal.h"
#include "tests/fuzz/draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Acceptance and limits ---- */

static bool afford_features(const dv_features_config *features)
{
    if (dv__features_check(features) != DV_OK)
        return false;
    int64_t frames = dv__features_frames(features), samples = dv__features_samples(features);
    return samples <= FUZZ_MAX_SAMPLES && dv__features_rows(features) * frames <= FUZZ_MAX_CELLS &&
           features->n_fft * frames <= 16 * FUZZ_MAX_CELLS &&
           features->n_mels * features->n_fft <= 64 * FUZZ_MAX_CELLS;
}

static bool afford_graph(const dv_graph *graph)
{
    int64_t values = 0;
    for (int i = 0; i < graph->count; i++)
        values += dv_shape_count(graph->nodes[i].shape);
    return values <= FUZZ_MAX_VALUES && dv_graph_macs(graph) <= FUZZ_MAX_MACS &&
           dv_params_count(graph->params) <= FUZZ_MAX_PARAMETERS;
}

/* The shape of the input of the layer "tail". */
static dv_shape shape_before_tail(const dv_graph *graph)
{
    for (int i = 0; i < graph->count; i++) {
        if (strcmp(graph->nodes[i].name, "tail") == 0)
            return dv_graph_shape(graph, graph->nodes[i].inputs[0]);
    }
    return (dv_shape){0};
}

/* fuzz_affords for the model alone. */
static bool afford_model(const dv_features_config *features, const dv_tree *model, int64_t classes,
                         dv_shape *body)
{
    dv_context *context;
    dv_params *params;
    dv_graph *graph;
    int input, logits;
    dv_shape shape = {1, dv__features_rows(features), dv__features_frames(features), 1};
    fuzz_must(dv_context_open("cpu", 1, (dv_log){0}, &context));
    fuzz_must(dv_params_create(context, DV_FULL_PRECISION, &params));
    fuzz_must(dv_graph_create(params, &graph));
    fuzz_must(dv_graph_input(graph, "features", shape, &input));
    bool fits =
        dv_model_build(graph, model, input, classes, &logits) == DV_OK && afford_graph(graph);
    if (fits && body != NULL)
        *body = shape_before_tail(graph);
    dv_graph_free(graph);
    dv_params_free(params);
    dv_context_close(context);
    return fits;
}

bool fuzz_affords(const dv_features_config *features, const dv_tree *model, int64_t classes,
                  dv_shape *body)
{
    return afford_features(features) && afford_model(features, model, classes, body);
}

/* Whether the program accepts the changed section, up to the training. `body` is as in
   fuzz_affords. */
static bool accept(const dv_tree *tree, const char *section, dv_shape *body)
{
    dv_experiment experiment;
    dv_frontend *frontend = NULL;
    dv_augmenter *augmenter = NULL;
    bool features = strcmp(section, "features") == 0, augment = strcmp(section, "augment") == 0;
    if (dv_experiment_restore(tree, &experiment) != DV_OK)
        return false;
    experiment.augment.noise = 0; /* noises take longest to make, and are seldom refused */
    bool fits = fuzz_affords(&experiment.features, experiment.model, FUZZ_CLASSES, body);
    if (fits && (features || augment))
        fits = dv_frontend_create(&experiment.features, &frontend) == DV_OK;
    if (fits && augment)
        fits = dv_augmenter_create(&experiment.augment, frontend, &augmenter) == DV_OK;
    dv_augmenter_free(augmenter);
    dv_frontend_free(frontend);
    dv_experiment_free(&experiment);
    return fits;
}

/* ---- Sections ---- */

/* The section's own whole numbers as hints: sizes go wrong in relations between keys. */
static draw_hints hints_in(const dv_tree *tree, const dv_section *section)
{
    draw_hints hints = {.count = 0};
    const dv_tree *map = dv_tree_get(tree, section->name);
    for (const dv_field *field = section->fields; field->kind != DV_FIELD_END; field++) {
        const dv_tree *node = dv_tree_get(map, field->key);
        const char *text = node != NULL ? node->text : field->fallback;
        if (field->kind == DV_FIELD_INT && text != NULL && hints.count < 32)
            (void)dv_parse_int(text, &hints.values[hints.count++]);
    }
    return hints;
}

static void draw_key(draw *numbers, dv_tree *tree, const dv_section *section, const dv_field *field)
{
    char path[DV_STRING_SIZE];
    draw_hints hints = hints_in(tree, section);
    dv_tree *before, *value = draw_value(numbers, field, &hints);
    if (value == NULL)
        return;
    snprintf(path, sizeof path, "%s.%s", section->name, field->key);
    fuzz_must(dv_tree_copy(tree, &before));
    fuzz_must(dv_tree_set(tree, path, value));
    if (!accept(tree, section->name, NULL)) { /* undo the whole change */
        dv_tree swapped = *tree;
        *tree = *before;
        *before = swapped;
    }
    dv_tree_free(before);
}

/* Draws keys in random order, some of them repeatedly: one value may forbid what another allows. */
static void draw_section(draw *numbers, dv_tree *tree, const dv_section *section)
{
    size_t count = 0;
    while (section->fields[count].kind != DV_FIELD_END)
        count++;
    double density = draw_share(numbers);
    for (size_t i = 0; i < 2 * count; i++) {
        const dv_field *field = &section->fields[draw_below(numbers, count)];
        if (draw_chance(numbers, density))
            draw_key(numbers, tree, section, field);
    }
}

/* ---- The model ---- */

static int layer_count(void)
{
    dv_layer_info info;
    int count = 0;
    while (dv_layer_at(count, &info))
        count++;
    return count;
}

/* Draws a layer {name: {key: value, ...}} with all required keys and some of the others. */
static dv_tree *draw_layer(draw *numbers, const draw_hints *hints)
{
    dv_layer_info info;
    dv_tree *layer, *map;
    (void)dv_layer_at((int)draw_below(numbers, (uint64_t)layer_count()), &info);
    fuzz_must(dv_tree_new(DV_TREE_MAP, NULL, 0, &layer));
    fuzz_must(dv_tree_new(DV_TREE_MAP, NULL, 0, &map));
    const dv_field none = DV_END;
    const dv_field *field = info.fields != NULL ? info.fields : &none;
    for (; field->kind != DV_FIELD_END; field++) {
        bool needed = field->fallback == DV_REQUIRED || field->kind == DV_FIELD_TREE;
        if (!needed && !draw_chance(numbers, 0.4))
            continue;
        dv_tree *value = draw_value(numbers, field, hints);
        if (value != NULL)
            fuzz_must(dv_tree_append(map, field->key, value));
    }
    fuzz_must(dv_tree_append(layer, info.name, map));
    return layer;
}

static draw_hints hints_of(dv_shape shape)
{
    return (draw_hints){.values = {shape.c, shape.c, shape.h, shape.w, 2, 3, 4, 8}, .count = 8};
}

/* Inserts a layer before the last two, or leaves the model as it is. */
static void insert_layer(draw *numbers, dv_tree *tree, dv_shape *body)
{
    enum { TRIES = 20 };
    dv_tree *model = (dv_tree *)dv_tree_get(tree, "model");
    dv_tree *layers = (dv_tree *)dv_tree_get(model, "layers");
    for (int i = 0; i < TRIES; i++) {
        draw_hints hints = hints_of(*body);
        fuzz_must(dv_tree_append(layers, NULL, draw_layer(numbers, &hints)));
        dv_tree **last = &layers->children[layers->count - 1], *added = *last;
        last[0] = last[-1];
        last[-1] = last[-2];
        last[-2] = added;
        if (accept(tree, "model", body))
            return;
        last[-2] = last[-1];
        last[-1] = last[0];
        layers->count--;
        dv_tree_free(added);
    }
}

static const char *const tails[] = {"flatten", "global_avgpool", "global_maxpool"};

dv_tree *draw_case(uint64_t seed)
{
    draw numbers = {seed};
    dv_tree *tree;
    dv_shape body;
    char text[200];
    const char *tail = tails[draw_below(&numbers, 3)];
    snprintf(text, sizeof text,
             "model: {name: fuzz, layers: [{%s: {name: tail}}, "
             "{linear: {units: classes, name: head}}]}",
             tail);
    fuzz_must(dv_yaml_parse(text, strlen(text), "case", &tree));
    for (const dv_section *section = dv_sections; section->name != NULL; section++) {
        if (strcmp(section->name, "data") != 0) /* the data are the fuzzer's own tones */
            draw_section(&numbers, tree, section);
    }
    if (!accept(tree, "features", &body))
        fuzz_must(DV_FAIL(DV_EARG, "seed %llu: the case to begin with is refused",
                          (unsigned long long)seed));
    for (uint64_t layers = draw_below(&numbers, 7); layers > 0; layers--)
        insert_layer(&numbers, tree, &body);
    return tree;
}
