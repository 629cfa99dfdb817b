/* Every model of configs/models, with random weights, on the reference and the CPU: an answer does
   not depend, to the bit, on the other clips, their number, the threads, or the size of the batch.

       test_session_models        batches of 6, and on the reference, which is slow, small models
       test_session_models all    batches of 64, and all models on both */
#include "engine/base/rng.h"
#include "engine/base/yaml.h"
#include "frontends/model/model_file.h"
#include "frontends/model/session.h"
#include "tests/support/must.h"
#include "tests/support/noises.h"
#include "tests/support/scratch.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { CLIPS = 64, SOME = 6, FEW = 4, COUNT = 6000, CLASSES = 10 };

static bool all; /* set by main */

/* Limit for a small model, in multiply-adds. */
static const int64_t small = 1000000;

typedef struct rig {
    scratch *folder;
    dv_tree *labels, *features;
    float *samples;
    dv_sound sounds[CLIPS];
} rig;

static dv_tree *parse(const char *text)
{
    dv_tree *tree;
    must(dv_yaml_parse(text, strlen(text), "text", &tree));
    return tree;
}

static int open_rig(void **state)
{
    rig *r = allocated(1, sizeof *r);
    void *folder;
    scratch_setup(&folder);
    r->folder = folder;
    r->labels = parse("[a, b, c, d, e, f, g, h, i, j]");
    r->samples = swelling_noises(CLIPS, COUNT, 9);
    for (size_t i = 0; i < CLIPS; i++)
        r->sounds[i] = (dv_sound){
            .samples = r->samples + i * COUNT, .count = COUNT - 13 * i, .sample_rate = 8000};
    *state = r;
    return 0;
}

static int close_rig(void **state)
{
    rig *r = *state;
    void *folder = r->folder;
    scratch_teardown(&folder);
    dv_tree_free(r->labels);
    free(r->samples);
    free(r);
    return 0;
}

/* Initialises weights, and draws running statistics and biases that differ. */
static void draw_values(dv_params *params)
{
    dv_rng rng = {.seed = 2, .use = DV_RNG_TEST, .step = 1};
    uint32_t drawn = 0;
    must(dv_params_initialize(params, 3));
    for (int i = 0; i < params->count; i++) {
        if (params->items[i].rank != 1)
            continue;
        float *values = allocated((size_t)params->items[i].count, sizeof *values);
        for (int64_t k = 0; k < params->items[i].count; k++)
            values[k] = 0.5F + dv_rng_uniform(&rng, drawn++);
        must(dv_params_write(params, i, DV_BUFFER_VALUES, values));
        free(values);
    }
}

static void write_checkpoint(const rig *r, const char *model_path, const char *path)
{
    dv_features_config features;
    dv_frontend *frontend;
    dv_context *context;
    dv_network network;
    dv_tree *config = parse("features: {type: mfcc}"), *model;
    must(dv_model_file_read(model_path, &model));
    must(dv_tree_append(config, "model", model));
    must(
        dv_fields_read(dv_features_fields, dv_tree_get(config, "features"), "features", &features));
    must(dv_frontend_create(&features, &frontend));
    must(dv_context_open("cpu", 1, (dv_log){0}, &context));
    const dv_network_options options = {.model = model,
                                        .batch = 1,
                                        .rows = dv_frontend_rows(frontend),
                                        .frames = dv_frontend_frames(frontend),
                                        .classes = CLASSES};
    must(dv_network_build(context, &options, &network));
    must(dv_network_plan(context, NULL, &network));
    draw_values(network.params);
    must(dv_checkpoint_write(path, network.params, config, r->labels, NULL));
    dv_network_free(&network);
    dv_context_close(context);
    dv_frontend_free(frontend);
    dv_tree_free(config);
}

/* Answers `count` sounds, `at_a_time` in each call. */
static void answer(const rig *r, dv_model *model, int capacity, int threads, int count,
                   int at_a_time, float answers[CLIPS][CLASSES])
{
    dv_session *session;
    const dv_session_options options = {
        .size = sizeof options, .capacity = capacity, .threads = threads};
    must(dv_session_create(model, &options, &session));
    memset(answers, 0, sizeof(float[CLIPS][CLASSES]));
    for (int i = 0; i < count; i += at_a_time) {
        int most = count - i < at_a_time ? count - i : at_a_time;
        must(dv_session_sounds(session, r->sounds + i, (size_t)most, answers[i], NULL, NULL));
    }
    dv_session_free(session);
}

static void compare(const rig *r, const char *path, const char *device, const char *name, int count)
{
    static float wanted[CLIPS][CLASSES], answers[CLIPS][CLASSES];
    const struct {
        int capacity, threads, at_a_time;
    } cases[] = {{1, 2, 1},     {count, 1, count},     {count, 2, count},
                 {count, 1, 3}, {count / 2, 2, count}, {3, 1, count}};
    dv_model *model;
    const dv_model_options options = {.size = sizeof options, .device = device};
    must(dv_model_open(path, &options, &model));
    if (count == FEW && !all && dv_graph_macs(dv_model_graph(model)) > small) {
        dv_model_close(model);
        return;
    }
    answer(r, model, 1, 1, count, 1, wanted);
    assert_memory_not_equal(wanted[0], wanted[1], sizeof wanted[0]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        answer(r, model, cases[i].capacity, cases[i].threads, count, cases[i].at_a_time, answers);
        if (memcmp(answers, wanted, sizeof wanted) != 0)
            fail_msg("%s on %s: capacity %d, %d threads, %d at a time: other bits", name, device,
                     cases[i].capacity, cases[i].threads, cases[i].at_a_time);
    }
    dv_model_close(model);
}

static void every_model_answers_each_clip_by_itself(void **state)
{
    const rig *r = *state;
    char path[SCRATCH_PATH_SIZE];
    glob_t found;
    assert_int_equal(glob("configs/models/*.yaml", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 10);
    scratch_path(r->folder, "model.safetensors", path);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        write_checkpoint(r, found.gl_pathv[i], path);
        compare(r, path, "cpu", found.gl_pathv[i], all ? CLIPS : SOME);
        compare(r, path, "ref", found.gl_pathv[i], FEW);
    }
    globfree(&found);
}

int main(int argc, char **argv)
{
    all = argc > 1 && strcmp(argv[1], "all") == 0;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_model_answers_each_clip_by_itself)};
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
