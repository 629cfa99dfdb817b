/* The public C API: the same answers for files, for samples, from memory and in parallel, and its
   refusals. The model is not trained, so its answers are arbitrary, but exact. */
#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "engine/layers/network.h"
#include "frontends/audio/audio.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/session.h"
#include "tests/support/counted_allocation.h"
#include "tests/support/scratch.h"

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

/* Writes a checkpoint with the configuration `kept`. */
static void write_checkpoint_with(const char *path, const char *kept)
{
    dv_tree *other;
    dv_tree *config, *labels;
    dv_context *context;
    dv_network network;
    assert_int_equal(dv_yaml_parse(configuration, strlen(configuration), "test", &config), DV_OK);
    assert_int_equal(dv_yaml_parse(labels_text, strlen(labels_text), "test", &labels), DV_OK);
    assert_int_equal(dv_context_open("cpu", 1, (dv_log){0}, &context), DV_OK);
    const dv_network_options options = {.model = dv_tree_get(config, "model"),
                                        .batch = 1,
                                        .rows = 13,
                                        .frames = 32,
                                        .classes = LABELS};
    assert_int_equal(dv_network_build(context, &options, &network), DV_OK);
    assert_int_equal(dv_network_plan(context, NULL, &network), DV_OK);
    assert_int_equal(dv_params_initialize(network.params, 7), DV_OK);
    assert_int_equal(dv_yaml_parse(kept, strlen(kept), "test", &other), DV_OK);
    assert_int_equal(dv_checkpoint_write(path, network.params, other, labels, NULL), DV_OK);
    dv_network_free(&network);
    dv_context_close(context);
    dv_tree_free(labels);
    dv_tree_free(other);
    dv_tree_free(config);
}

static void write_checkpoint(const char *path)
{
    write_checkpoint_with(path, configuration);
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

/* Opens a session with its model; close_session closes both. */
static dv_session *open_session(const scratch *folder, int capacity, int threads)
{
    char path[SCRATCH_PATH_SIZE];
    dv_model *model;
    dv_session *session;
    const dv_session_options options = {
        .size = sizeof options, .capacity = capacity, .threads = threads};
    scratch_path(folder, "model.safetensors", path);
    write_checkpoint(path);
    assert_int_equal(dv_model_open(path, NULL, &model), DV_OK);
    assert_int_equal(dv_session_create(model, &options, &session), DV_OK);
    return session;
}

static void close_session(dv_session *session)
{
    dv_model *model = dv_session_model(session);
    dv_session_free(session);
    dv_model_close(model);
}

/* Answers samples once. */
static dv_status answer(dv_session *session, const float *samples, size_t count, int64_t rate,
                        float *probabilities)
{
    const dv_sound sound = {.samples = samples, .count = count, .sample_rate = rate};
    return dv_session_sound(session, &sound, probabilities, NULL);
}

static void test_labels(void **state)
{
    dv_session *session = open_session(*state, 1, 1);
    const dv_model *model = dv_session_model(session);
    assert_int_equal(dv_model_label_count(model), LABELS);
    assert_string_equal(dv_model_label(model, 0), "no");
    assert_string_equal(dv_model_label(model, 1), "yes");
    assert_string_equal(dv_model_label(model, 2), "maybe");
    assert_null(dv_model_label(model, LABELS));
    assert_int_equal(dv_model_sample_rate(model), RATE);
    assert_true(dv_model_window(model) == 1.0);
    assert_string_equal(dv_model_device(model), "cpu");
    assert_string_equal(dv_model_precision(model), "fp32");
    assert_non_null(strstr(dv_model_card(model), "global_avgpool"));
    assert_string_equal(dv_version(), DV_VERSION);
    close_session(session);
    dv_session_free(NULL);
    dv_model_close(NULL);
}

/* Memory is allocated for threads that have had a file, not for all that are allowed. */
static void test_any_number_of_threads(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    float wanted[LABELS], found[LABELS];
    scratch_path(*state, "tone.wav", path);
    write_tone(path, 440);
    dv_session *one = open_session(*state, 1, 1), *many = open_session(*state, 5, 8);
    assert_int_equal(dv_session_file(one, path, wanted, NULL), DV_OK);
    assert_int_equal(dv_session_file(many, path, found, NULL), DV_OK);
    assert_memory_equal(found, wanted, sizeof wanted);
    close_session(one);
    close_session(many);
}

static void count_message(void *user, dv_log_level level, const char *message)
{
    (void)level;
    (void)message;
    ++*(int *)user;
}

/* No device is looked for; a search for one that is broken would give a message. */
static void test_no_device_is_looked_for(void **state)
{
    const scratch *folder = *state;
    char path[SCRATCH_PATH_SIZE];
    int messages = 0;
    dv_model *model;
    scratch_path(folder, "libdecavox_cuda.so", path);
    file_store(path, "this is no module", 17);
    assert_int_equal(setenv("DECAVOX_MODULE_PATH", folder->folder, 1), 0);
    scratch_path(folder, "model.safetensors", path);
    write_checkpoint(path);
    const dv_model_options options = {
        .size = sizeof options, .log = count_message, .log_user = &messages};
    assert_int_equal(dv_model_open(path, &options, &model), DV_OK);
    assert_int_equal(messages, 0);
    assert_int_equal(unsetenv("DECAVOX_MODULE_PATH"), 0);
    dv_model_close(model);
}

/* A file and its samples have the same answer, to the bit. */
static void test_file_and_samples(void **state)
{
    dv_session *session = open_session(*state, 1, 1);
    char path[SCRATCH_PATH_SIZE];
    float by_file[LABELS], by_samples[LABELS], other[LABELS];
    scratch_path(*state, "tone.wav", path);
    write_tone(path, 700);
    assert_int_equal(dv_session_file(session, path, by_file, NULL), DV_OK);
    double sum = (double)by_file[0] + (double)by_file[1] + (double)by_file[2];
    assert_true(fabs(sum - 1) < 1e-6);

    dv_audio audio;
    assert_int_equal(dv_audio_read(path, RATE, 60, NULL, &audio), DV_OK);
    float first = audio.samples[COUNT / 2];
    assert_int_equal(answer(session, audio.samples, (size_t)audio.count, RATE, by_samples), DV_OK);
    assert_memory_equal(by_file, by_samples, sizeof by_file);
    assert_true(audio.samples[COUNT / 2] == first); /* the caller's samples do not change */

    tone(audio.samples, 2900);
    assert_int_equal(answer(session, audio.samples, COUNT, RATE, other), DV_OK);
    assert_memory_not_equal(by_file, other, sizeof other);
    dv_audio_free(&audio);
    close_session(session);
}

/* In a file longer than the window of 1 s, with a tone in silence, the window lies on the tone. */
static void test_what_was_seen(void **state)
{
    enum { LONG = 4 * COUNT, START = 9000 };
    static float samples[LONG];
    dv_model *model;
    dv_session *session;
    char file[SCRATCH_PATH_SIZE], path[SCRATCH_PATH_SIZE], missing[SCRATCH_PATH_SIZE];
    float probabilities[2 * LABELS];
    int warnings = 0;
    const dv_model_options options = {
        .size = sizeof options, .log = count_message, .log_user = &warnings};
    scratch_path(*state, "model.safetensors", file);
    write_checkpoint(file);
    assert_int_equal(dv_model_open(file, &options, &model), DV_OK);
    assert_int_equal(dv_session_create(model, NULL, &session), DV_OK);
    warnings = 0;

    tone(samples, 700);
    dv_seen seen[2];
    const dv_sound sound = {.samples = samples, .count = COUNT, .sample_rate = RATE};
    assert_int_equal(dv_session_sound(session, &sound, probabilities, seen), DV_OK);
    assert_true(seen[0].seconds == 0.625 && seen[0].from == 0 && seen[0].to == 0.625);

    memset(samples, 0, sizeof samples);
    tone(samples + START, 700);
    scratch_path(*state, "long.wav", path);
    scratch_path(*state, "missing.wav", missing);
    dv_audio audio = {.samples = samples, .count = LONG, .sample_rate = RATE};
    assert_int_equal(dv_audio_write_wav(path, &audio), DV_OK);
    const char *const paths[] = {missing, path};
    dv_status statuses[2];
    assert_int_equal(dv_session_files(session, paths, 2, probabilities, seen, statuses), DV_EIO);
    assert_true(seen[0].seconds == 0);
    assert_true(seen[1].seconds == 2.5 && seen[1].to - seen[1].from == 1.0);
    assert_true(fabs((seen[1].from + seen[1].to) / 2 - (START + COUNT / 2.0) / RATE) < 0.05);
    assert_int_equal(warnings, 1);
    dv_session_free(session);
    dv_model_close(model);
}

/* The same sound at twice the rate is resampled, with nearly the same answer. */
static void test_other_rate(void **state)
{
    dv_session *session = open_session(*state, 1, 1);
    float samples[2 * COUNT], at_rate[LABELS], at_twice[LABELS];
    tone(samples, 700);
    assert_int_equal(answer(session, samples, COUNT, RATE, at_rate), DV_OK);
    for (int i = 0; i < 2 * COUNT; i++) {
        double swell = sin(acos(-1.0) * i / (2 * COUNT));
        samples[i] = (float)(0.4 * swell * sin(acos(-1.0) * 700 * i / RATE));
    }
    assert_int_equal(answer(session, samples, 2 * COUNT, 2 * RATE, at_twice), DV_OK);
    for (int i = 0; i < LABELS; i++)
        assert_true(fabsf(at_rate[i] - at_twice[i]) < 0.05F);
    close_session(session);
}

/* One of many files on two threads is missing, and only that one fails. */
static void test_files(void **state)
{
    enum { FILES = 5, MISSING = 3 };
    dv_session *session = open_session(*state, 3, 2);
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
    assert_int_equal(dv_session_files(session, paths, FILES, &all[0][0], NULL, statuses), DV_EIO);
    assert_non_null(strstr(dv_error_message(), "missing_3.wav"));
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(statuses[i], i == MISSING ? DV_EIO : DV_OK);
        memset(alone, 0, sizeof alone);
        if (i != MISSING)
            assert_int_equal(dv_session_file(session, paths[i], alone, NULL), DV_OK);
        assert_memory_equal(all[i], alone, sizeof alone);
    }
    close_session(session);
}

/* If a call fails as a whole, no undefined answer is left. */
static void test_files_without_memory(void **state)
{
    enum { FILES = 3 };
    dv_session *session = open_session(*state, 1, 1);
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
        status = dv_session_files(session, paths, FILES, &probabilities[0][0], NULL, statuses);
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
    close_session(session);
}

static void test_refused_samples(void **state)
{
    dv_session *session = open_session(*state, 1, 1);
    float samples[COUNT] = {0}, probabilities[LABELS];
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
        {COUNT, RATE, 32767, "samples: sample 4 is 32767, must be -1..1; numbers of 16 bits"},
        {1, 768000, 0, "samples: 1 of them at 768000 Hz are too few for 8000 Hz"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        samples[4] = cases[i].poison;
        assert_int_equal(answer(session, samples, cases[i].count, cases[i].rate, probabilities),
                         DV_EARG);
        assert_non_null(strstr(dv_error_message(), cases[i].message));
    }
    close_session(session);
}

static void test_refused_checkpoints(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_model *model = (dv_model *)state; /* must become NULL */
    scratch_path(*state, "none.safetensors", path);
    assert_int_equal(dv_model_open(path, NULL, &model), DV_EIO);
    assert_null(model);
    assert_non_null(strstr(dv_error_message(), "none.safetensors"));

    scratch_path(*state, "text.safetensors", path);
    file_store(path, "this is no checkpoint", 21);
    assert_int_equal(dv_model_open(path, NULL, &model), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "text.safetensors"));

    assert_int_equal(dv_model_open_memory("this is no checkpoint", 21, NULL, &model), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "the checkpoint in memory: "));
    assert_int_equal(dv_model_open_memory("", 0, NULL, &model), DV_EFORMAT);
    assert_int_equal(dv_model_open_memory(NULL, 0, NULL, &model), DV_EARG);
    assert_null(model);

    /* A wrong value in the file is an error of the file, not of the argument. */
    scratch_path(*state, "even.safetensors", path);
    write_checkpoint_with(path, "features: {type: mfcc}\n"
                                "model: {layers: [conv2d: {filters: 4, kernel: [3, 6]}]}\n");
    assert_int_equal(dv_model_open(path, NULL, &model), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "even.safetensors"));
    assert_non_null(strstr(dv_error_message(), "even extent"));
}

static void test_open_without_memory(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    dv_model *model;
    dv_status status;
    int64_t next = 0;
    scratch_path(*state, "model.safetensors", path);
    do {
        allocation_fail(++next);
        status = dv_model_open(path, NULL, &model);
        allocation_fail(0);
        assert_true(status == DV_OK ? model != NULL : model == NULL);
        if (status != DV_OK && status != DV_ENOMEM)
            fail_msg("allocation %lld: %s", (long long)next, dv_error_message());
    } while (status != DV_OK && next < 5000);
    assert_in_range(next, 50, 4999);
    dv_model_close(model);
}

static void assert_refused(const char *path, dv_model_options options, dv_status status,
                           const char *message)
{
    dv_model *model;
    if (options.size == 0)
        options.size = sizeof options;
    assert_int_equal(dv_model_open(path, &options, &model), status);
    assert_null(model);
    if (strstr(dv_error_message(), message) == NULL)
        fail_msg("'%s' is not in: %s", message, dv_error_message());
}

static void test_refused_options(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "model.safetensors", path);
    dv_session *session = open_session(*state, 1, 1), *other;
    dv_model *model = dv_session_model(session);
    assert_refused(path, (dv_model_options){.precision = "fp8"}, DV_EARG,
                   "precision is 'fp8', must be one of fp32, fp16, bf16, tf32");
    assert_refused(path, (dv_model_options){.algorithms = "quick"}, DV_EARG,
                   "algorithms is 'quick', must be one of fixed, measured, any, kept");
    assert_refused(path, (dv_model_options){.precision = "fp16"}, DV_EUNSUPPORTED, "cpu");
    assert_refused(path, (dv_model_options){.size = 1000}, DV_EARG, "its size is 1000");
    assert_refused(path, (dv_model_options){.size = 1}, DV_EARG, "sizeof(dv_model_options)");
    assert_refused(path, (dv_model_options){.size = 20}, DV_EARG, "its size is 20");
    const dv_session_options cases[] = {
        {.size = sizeof *cases, .capacity = -1},
        {.size = sizeof *cases, .capacity = 4097},
        {.size = sizeof *cases, .threads = -2},
        {.size = sizeof *cases, .threads = 1025},
        {.size = 0, .threads = 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(dv_session_create(model, &cases[i], &other), DV_EARG);
        assert_null(other);
    }
    float sample = 0, probabilities[LABELS];
    int16_t sample16 = 0;
    const dv_sound none = {.count = 1, .sample_rate = RATE};
    const dv_sound both = {&sample, &sample16, 1, RATE};
    assert_int_equal(dv_session_sound(session, &none, probabilities, NULL), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "neither is"));
    assert_int_equal(dv_session_sound(session, &both, probabilities, NULL), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "both are"));
    close_session(session);
}

/* A model from memory answers as one from its file. The bytes are not needed afterwards. */
static void test_from_memory(void **state)
{
    dv_session *session = open_session(*state, 1, 1), *other;
    char path[SCRATCH_PATH_SIZE];
    float samples[COUNT], by_file[LABELS], by_memory[LABELS];
    dv_model *model;
    size_t size;
    scratch_path(*state, "model.safetensors", path);
    unsigned char *bytes = file_load(path, &size);
    assert_int_equal(dv_model_open_memory(bytes, size, NULL, &model), DV_OK);
    memset(bytes, 0xff, size);
    free(bytes);
    assert_int_equal(dv_session_create(model, NULL, &other), DV_OK);
    tone(samples, 700);
    assert_int_equal(answer(session, samples, COUNT, RATE, by_file), DV_OK);
    assert_int_equal(answer(other, samples, COUNT, RATE, by_memory), DV_OK);
    assert_memory_equal(by_file, by_memory, sizeof by_file);
    dv_session_free(other);
    dv_model_close(model);
    close_session(session);
}

/* Samples of 16 bits have the answer of a WAV file with them, at any rate. */
static void test_16_bits(void **state)
{
    dv_session *session = open_session(*state, 1, 1);
    static const int64_t rates[] = {RATE, 2 * RATE, 44100};
    float samples[COUNT], by_floats[LABELS], by_shorts[LABELS];
    int16_t shorts[COUNT];
    tone(samples, 700);
    for (int i = 0; i < COUNT; i++) {
        shorts[i] = (int16_t)lrintf(32768 * samples[i]);
        samples[i] = (float)shorts[i] / 32768;
    }
    for (int i = 0; i < 3; i++) {
        const dv_sound sound = {.samples16 = shorts, .count = COUNT, .sample_rate = rates[i]};
        assert_int_equal(dv_session_sound(session, &sound, by_shorts, NULL), DV_OK);
        assert_int_equal(answer(session, samples, COUNT, rates[i], by_floats), DV_OK);
        assert_memory_equal(by_floats, by_shorts, sizeof by_floats);
    }
    close_session(session);
}

/* One of several sounds is invalid and fails alone. The others have the same answers as alone. */
static void test_sounds(void **state)
{
    enum { SOUNDS = 5, BAD = 2 };
    dv_session *session = open_session(*state, 2, 2);
    static float samples[SOUNDS][COUNT];
    float all[SOUNDS][LABELS], alone[LABELS];
    dv_sound sounds[SOUNDS];
    dv_seen seen[SOUNDS];
    dv_status statuses[SOUNDS];
    for (int i = 0; i < SOUNDS; i++) {
        tone(samples[i], 400 + 300 * i);
        sounds[i] = (dv_sound){.samples = samples[i], .count = COUNT, .sample_rate = RATE};
    }
    samples[BAD][7] = NAN;
    assert_int_equal(dv_session_sounds(session, sounds, SOUNDS, all[0], seen, statuses), DV_EARG);
    assert_non_null(strstr(dv_error_message(), "sample 7 is nan"));
    for (int i = 0; i < SOUNDS; i++) {
        assert_int_equal(statuses[i], i == BAD ? DV_EARG : DV_OK);
        assert_true(seen[i].seconds == (i == BAD ? 0 : 0.625));
        memset(alone, 0, sizeof alone);
        if (i != BAD)
            assert_int_equal(dv_session_sound(session, &sounds[i], alone, NULL), DV_OK);
        assert_memory_equal(all[i], alone, sizeof alone);
    }
    assert_int_equal(dv_session_sounds(session, sounds, BAD, all[0], NULL, NULL), DV_OK);
    close_session(session);
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
        cmocka_unit_test(test_open_without_memory),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_from_memory),
        cmocka_unit_test(test_16_bits),
        cmocka_unit_test(test_sounds),
    };
    return cmocka_run_group_tests_name("decavox", tests, scratch_setup, scratch_teardown);
}
