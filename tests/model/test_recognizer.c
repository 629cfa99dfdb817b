/* The public C API to recognise: the same answers by file, by samples and in parallel, and what it
   refuses. The model is not trained: its answers are arbitrary, but exact. */
#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "engine/core/plan.h"
#include "engine/layers/model.h"
#include "frontends/audio/audio.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/decavox_predict.h"
#include "tests/support/counted_allocation.h"
#include "tests/support/scratch.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LABELS = 3, RATE = 8000, COUNT = 5000 };

static const char configuration[] = "features: {type: mfcc}\n"
                                    "model:\n"
                                    "  layers:\n"
                                    "    - conv2d: {filters: 4, kernel: 3, stride: 2}\n"
                                    "    - global_avgpool:\n"
                                    "    - linear: {units: classes}\n";

static const char labels_text[] = "[no, 'yes', maybe]";

static void write_checkpoint(const char *path)
{
    dv_tree *config, *labels;
    dv_context *context;
    dv_params *params;
    dv_graph *graph;
    dv_plan *plan;
    int input, logits;
    assert_int_equal(dv_yaml_parse(configuration, strlen(configuration), "test", &config), DV_OK);
    assert_int_equal(dv_yaml_parse(labels_text, strlen(labels_text), "test", &labels), DV_OK);
    assert_int_equal(dv_context_open("cpu", 1, (dv_log){0}, &context), DV_OK);
    assert_int_equal(dv_params_create(context, &params), DV_OK);
    assert_int_equal(dv_graph_create(params, &graph), DV_OK);
    assert_int_equal(dv_graph_input(graph, "features", (dv_shape){1, 13, 32, 1}, &input), DV_OK);
    assert_int_equal(dv_model_build(graph, dv_tree_get(config, "model"), input, LABELS, &logits),
                     DV_OK);
    assert_int_equal(dv_plan_create(context, graph, &(dv_plan_options){0}, &plan), DV_OK);
    assert_int_equal(dv_params_initialize(params, 7), DV_OK);
    assert_int_equal(dv_checkpoint_write(path, params, config, labels, NULL), DV_OK);
    dv_plan_free(plan);
    dv_graph_free(graph);
    dv_params_free(params);
    dv_context_close(context);
    dv_tree_free(labels);
    dv_tree_free(config);
}

static void tone(float *samples, double frequency)
{
    for (int i = 0; i < COUNT; i++) {
        double swell = sin(acos(-1.0) * i / COUNT);
        samples[i] = (float)(0.4 * swell * sin(2 * acos(-1.0) * frequency * i / RATE));
    }
}

static void write_tone(const char *path, double frequency)
{
    float samples[COUNT];
    tone(samples, frequency);
    dv_audio audio = {.samples = samples, .count = COUNT, .sample_rate = RATE};
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_OK);
}

static dv_recognizer *open_recognizer(const scratch *folder, int threads)
{
    char path[SCRATCH_PATH_SIZE];
    dv_recognizer *recognizer;
    scratch_path(folder, "model.safetensors", path);
    write_checkpoint(path);
    assert_int_equal(dv_recognizer_open(path, threads, NULL, NULL, &recognizer), DV_OK);
    return recognizer;
}

static void test_labels(void **state)
{
    dv_recognizer *recognizer = open_recognizer(*state, 1);
    assert_int_equal(dv_recognizer_label_count(recognizer), LABELS);
    assert_string_equal(dv_recognizer_label(recognizer, 0), "no");
    assert_string_equal(dv_recognizer_label(recognizer, 1), "yes");
    assert_string_equal(dv_recognizer_label(recognizer, 2), "maybe");
    assert_null(dv_recognizer_label(recognizer, LABELS));
    dv_recognizer_close(recognizer);
    dv_recognizer_close(NULL);
}

/* Room is for the threads that have had a file, not for those that may be. */
static void test_any_number_of_threads(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    float wanted[LABELS], found[LABELS];
    scratch_path(*state, "tone.wav", path);
    write_tone(path, 440);
    dv_recognizer *one = open_recognizer(*state, 1), *many = open_recognizer(*state, INT_MAX);
    assert_int_equal(dv_recognizer_file(one, path, wanted), DV_OK);
    assert_int_equal(dv_recognizer_file(many, path, found), DV_OK);
    assert_memory_equal(found, wanted, sizeof wanted);
    dv_recognizer_close(one);
    dv_recognizer_close(many);
}

static void count_message(void *user, dv_log_level level, const char *message)
{
    (void)level;
    (void)message;
    ++*(int *)user;
}

/* A device that is looked for and cannot be had would be a message. */
static void test_no_device_is_looked_for(void **state)
{
    const scratch *folder = *state;
    char path[SCRATCH_PATH_SIZE];
    int messages = 0;
    dv_recognizer *recognizer;
    scratch_path(folder, "libdecavox_cuda.so", path);
    file_store(path, "this is no module", 17);
    assert_int_equal(setenv("DECAVOX_MODULE_PATH", folder->folder, 1), 0);
    scratch_path(folder, "model.safetensors", path);
    write_checkpoint(path);
    assert_int_equal(dv_recognizer_open(path, 1, count_message, &messages, &recognizer), DV_OK);
    assert_int_equal(messages, 0);
    assert_int_equal(unsetenv("DECAVOX_MODULE_PATH"), 0);
    dv_recognizer_close(recognizer);
}

/* What a file holds and the same samples by hand: equal to the bit. */
static void test_file_and_samples(void **state)
{
    dv_recognizer *recognizer = open_recognizer(*state, 1);
    char path[SCRATCH_PATH_SIZE];
    float by_file[LABELS], by_samples[LABELS], other[LABELS];
    scratch_path(*state, "tone.wav", path);
    write_tone(path, 700);
    assert_int_equal(dv_recognizer_file(recognizer, path, by_file), DV_OK);
    double sum = (double)by_file[0] + (double)by_file[1] + (double)by_file[2];
    assert_true(fabs(sum - 1) < 1e-6);

    dv_audio audio;
    assert_int_equal(dv_audio_read(path, RATE, 60, NULL, &audio), DV_OK);
    float first = audio.samples[COUNT / 2];
    assert_int_equal(
        dv_recognizer_samples(recognizer, audio.samples, (size_t)audio.count, RATE, by_samples),
        DV_OK);
    assert_memory_equal(by_file, by_samples, sizeof by_file);
    assert_true(audio.samples[COUNT / 2] == first); /* the caller's samples stay as they are */

    tone(audio.samples, 2900);
    assert_int_equal(dv_recognizer_samples(recognizer, audio.samples, COUNT, RATE, other), DV_OK);
    assert_memory_not_equal(by_file, other, sizeof other);
    dv_audio_free(&audio);
    dv_recognizer_close(recognizer);
}

/* A tone in the middle of silence, longer than the window of 1 s: that lies on the tone. */
static void test_what_was_seen(void **state)
{
    enum { LONG = 4 * COUNT, START = 9000 };
    static float samples[LONG];
    dv_recognizer *recognizer;
    char model[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE], missing[SCRATCH_PATH_SIZE];
    float answer[2 * LABELS];
    int warnings = 0;
    scratch_path(*state, "model.safetensors", model);
    write_checkpoint(model);
    assert_int_equal(dv_recognizer_open(model, 1, count_message, &warnings, &recognizer), DV_OK);
    warnings = 0;
    assert_true(dv_recognizer_window(recognizer) == 1.0);
    assert_true(dv_recognizer_seen(recognizer, 0).seconds == 0);

    tone(samples, 700);
    assert_int_equal(dv_recognizer_samples(recognizer, samples, COUNT, RATE, answer), DV_OK);
    dv_seen seen = dv_recognizer_seen(recognizer, 0);
    assert_true(seen.seconds == 0.625 && seen.from == 0 && seen.to == 0.625);
    assert_true(dv_recognizer_seen(recognizer, 1).seconds == 0);

    memset(samples, 0, sizeof samples);
    tone(samples + START, 700);
    scratch_path(*state, "long.wav", path);
    scratch_path(*state, "missing.wav", missing);
    dv_audio audio = {.samples = samples, .count = LONG, .sample_rate = RATE};
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_OK);
    const char *const paths[] = {missing, path};
    dv_status statuses[2];
    assert_int_equal(dv_recognizer_files(recognizer, paths, 2, answer, statuses), DV_EIO);
    assert_true(dv_recognizer_seen(recognizer, 0).seconds == 0);
    seen = dv_recognizer_seen(recognizer, 1);
    assert_true(seen.seconds == 2.5 && seen.to - seen.from == 1.0);
    assert_true(fabs((seen.from + seen.to) / 2 - (START + COUNT / 2.0) / RATE) < 0.05);
    assert_int_equal(warnings, 1);
    dv_recognizer_close(recognizer);
}

/* The same sound at twice the rate is resampled: nearly the same answer. */
static void test_other_rate(void **state)
{
    dv_recognizer *recognizer = open_recognizer(*state, 1);
    float samples[2 * COUNT], at_rate[LABELS], at_twice[LABELS];
    tone(samples, 700);
    assert_int_equal(dv_recognizer_samples(recognizer, samples, COUNT, RATE, at_rate), DV_OK);
    for (int i = 0; i < 2 * COUNT; i++) {
        double swell = sin(acos(-1.0) * i / (2 * COUNT));
        samples[i] = (float)(0.4 * swell * sin(acos(-1.0) * 700 * i / RATE));
    }
    assert_int_equal(dv_recognizer_samples(recognizer, samples, 2 * COUNT, 2 * RATE, at_twice),
                     DV_OK);
    for (int i = 0; i < LABELS; i++)
        assert_true(fabsf(at_rate[i] - at_twice[i]) < 0.05F);
    dv_recognizer_close(recognizer);
}

/* Many files on two threads, one of them missing: it fails alone. */
static void test_files(void **state)
{
    enum { FILES = 5, MISSING = 3 };
    dv_recognizer *recognizer = open_recognizer(*state, 2);
    char names[FILES][SCRATCH_PATH_SIZE];
    const char *paths[FILES];
    float all[FILES][LABELS], alone[LABELS];
    dv_status statuses[FILES];
    for (int i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s_%d.wav", i == MISSING ? "missing" : "tone", i);
        scratch_path(*state, name, names[i]);
        paths[i] = names[i];
        if (i != MISSING)
            write_tone(names[i], 400 + 300 * i);
    }
    assert_int_equal(dv_recognizer_files(recognizer, paths, FILES, &all[0][0], statuses), DV_EIO);
    assert_non_null(strstr(dv_error_message(), "missing_3.wav"));
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(statuses[i], i == MISSING ? DV_EIO : DV_OK);
        memset(alone, 0, sizeof alone);
        if (i != MISSING)
            assert_int_equal(dv_recognizer_file(recognizer, paths[i], alone), DV_OK);
        assert_memory_equal(all[i], alone, sizeof alone);
    }
    dv_recognizer_close(recognizer);
}

/* Where the call fails as a whole, no answer is left that nobody gave. */
static void test_files_without_memory(void **state)
{
    enum { FILES = 3 };
    dv_recognizer *recognizer = open_recognizer(*state, 1);
    char path[SCRATCH_PATH_SIZE];
    float probabilities[FILES][LABELS];
    dv_status statuses[FILES], status;
    int64_t next = 0;
    scratch_path(*state, "tone.wav", path);
    write_tone(path, 400);
    const char *paths[FILES] = {path, path, path};
    do {
        memset(probabilities, 0xff, sizeof probabilities);
        memset(statuses, 0xff, sizeof statuses);
        allocation_fail(++next);
        status = dv_recognizer_files(recognizer, paths, FILES, &probabilities[0][0], statuses);
        allocation_fail(0);
        for (int i = 0; i < FILES; i++) {
            float sum = 0;
            assert_true(statuses[i] == DV_OK || statuses[i] == DV_ENOMEM);
            for (int k = 0; k < LABELS; k++)
                sum += probabilities[i][k];
            assert_true(fabsf(sum - (statuses[i] == DV_OK ? 1.0F : 0.0F)) < 1e-5F);
        }
        assert_int_equal(status, statuses[0] != DV_OK   ? statuses[0]
                                 : statuses[1] != DV_OK ? statuses[1]
                                                        : statuses[2]);
    } while (status != DV_OK && next < 1000);
    assert_in_range(next, 2, 999);
    dv_recognizer_close(recognizer);
}

static void test_refused_samples(void **state)
{
    dv_recognizer *recognizer = open_recognizer(*state, 1);
    float samples[COUNT] = {0}, answer[LABELS];
    static const struct {
        size_t count;
        int64_t rate;
        float poison;
        const char *message;
    } cases[] = {
        {0, RATE, 0, "samples: 0 of them, must be 1 to 480000"},
        {60 * RATE + 1, RATE, 0, "samples: 480001 of them"},
        {COUNT, 0, 0, "sample rate is 0 Hz"},
        {COUNT, 99, 0, "sample rate is 99 Hz"},
        {COUNT, 768001, 0, "sample rate is 768001 Hz"},
        {COUNT, RATE, NAN, "samples: sample 4 is nan"},
        {COUNT, RATE, INFINITY, "samples: sample 4 is inf"},
        {COUNT, RATE, -1e30F, "samples: sample 4 is -1e+30"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        samples[4] = cases[i].poison;
        assert_int_equal(
            dv_recognizer_samples(recognizer, samples, cases[i].count, cases[i].rate, answer),
            DV_EARG);
        assert_non_null(strstr(dv_error_message(), cases[i].message));
    }
    dv_recognizer_close(recognizer);
}

static void test_refused_checkpoints(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_recognizer *recognizer = (dv_recognizer *)state; /* must become NULL */
    scratch_path(*state, "none.safetensors", path);
    assert_int_equal(dv_recognizer_open(path, 1, NULL, NULL, &recognizer), DV_EIO);
    assert_null(recognizer);
    assert_non_null(strstr(dv_error_message(), "none.safetensors"));

    scratch_path(*state, "text.safetensors", path);
    file_store(path, "this is no checkpoint", 21);
    assert_int_equal(dv_recognizer_open(path, 1, NULL, NULL, &recognizer), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "text.safetensors"));

    assert_int_equal(dv_recognizer_open(path, -1, NULL, NULL, &recognizer), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "-1 threads"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_any_number_of_threads),
        cmocka_unit_test(test_no_device_is_looked_for),
        cmocka_unit_test(test_file_and_samples),
        cmocka_unit_test(test_what_was_seen),
        cmocka_unit_test(test_other_rate),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_files_without_memory),
        cmocka_unit_test(test_refused_samples),
        cmocka_unit_test(test_refused_checkpoints),
    };
    return cmocka_run_group_tests_name("recognizer", tests, scratch_setup, scratch_teardown);
}
