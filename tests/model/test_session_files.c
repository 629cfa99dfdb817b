#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "frontends/audio/audio.h"
#include "frontends/model/session.h"
#include "tests/support/scratch.h"
#include "tests/support/tones.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

enum { CLASSES = 3, EACH = 6, CLIPS = CLASSES * EACH };

static void assert_message(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

/* ---- A checkpoint of the tones ---- */

static dv_tree *parse(const char *text)
{
    dv_tree *tree;
    if (dv_yaml_parse(text, strlen(text), "text", &tree) != DV_OK)
        fail_msg("%s: %s", text, dv_error_message());
    return tree;
}

/* Makes the sections of the configuration that a predictor needs. */
static dv_tree *config_of(const tones *task)
{
    dv_tree *config, *features, *model;
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &config), DV_OK);
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &features), DV_OK);
    assert_int_equal(
        dv_fields_write(dv_features_fields, dv_frontend_config(task->frontend), features), DV_OK);
    assert_int_equal(dv_tree_append(config, "features", features), DV_OK);
    assert_int_equal(dv_tree_copy(task->model, &model), DV_OK);
    assert_int_equal(dv_tree_append(config, "model", model), DV_OK);
    return config;
}

/* Trains one epoch and writes a checkpoint. `scale` multiplies the last layer's weights. `config`,
   unless NULL, replaces the configuration and is freed. */
static void write_checkpoint(const tones *task, const char *path, float scale, dv_tree *config)
{
    dv_context *context;
    dv_trainer *trainer;
    dv_tree *labels = parse("[\"0\", \"1\", \"2\"]");
    dv_train_config train = task->config;
    train.epochs = 1;
    assert_int_equal(dv_context_open("cpu", 1, (dv_log){0}, &context), DV_OK);
    assert_int_equal(dv_trainer_create(context, &train, task->model, &task->source, &trainer),
                     DV_OK);
    assert_int_equal(dv_trainer_run(trainer, &(dv_train_events){0}), DV_OK);
    dv_params *params = dv_trainer_params(trainer);
    int head = dv_params_find(params, "head.weight");
    float *weights = calloc((size_t)params->items[head].count, sizeof *weights);
    assert_int_equal(dv_params_read(params, head, DV_BUFFER_VALUES, weights), DV_OK);
    for (int64_t i = 0; i < params->items[head].count; i++)
        weights[i] = scale == 1 ? weights[i] : copysignf(scale, weights[i]);
    assert_int_equal(dv_params_write(params, head, DV_BUFFER_VALUES, weights), DV_OK);
    free(weights);
    dv_tree *written = config != NULL ? config : config_of(task);
    assert_int_equal(dv_checkpoint_write(path, params, written, labels, NULL), DV_OK);
    dv_tree_free(written);
    dv_tree_free(labels);
    dv_trainer_free(trainer);
    dv_context_close(context);
}

/* Opens a session with a model of its own; unload closes both. */
static dv_session *load_with(const char *path, dv_model_options options, int capacity, int threads)
{
    dv_model *model;
    dv_session *session;
    options.size = sizeof options;
    const dv_session_options how = {.size = sizeof how, .capacity = capacity, .threads = threads};
    if (dv_model_open(path, &options, &model) != DV_OK ||
        dv_session_create(model, &how, &session) != DV_OK)
        fail_msg("%s", dv_error_message());
    return session;
}

static dv_session *load(const char *path, const char *device, int capacity, int threads)
{
    return load_with(path, (dv_model_options){.device = device}, capacity, threads);
}

static void unload(dv_session *session)
{
    dv_model *model = dv_session_model(session);
    dv_session_free(session);
    dv_model_close(model);
}

static void all_clips(int64_t *indices)
{
    for (int64_t i = 0; i < CLIPS; i++)
        indices[i] = i;
}

/* ---- Answers ---- */

static void test_an_answer_depends_on_the_clip_alone(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    tones task;
    scratch_path(*state, "tones.safetensors", path);
    tones_open(&task, CLASSES, EACH - 2, 2, false);
    write_checkpoint(&task, path, 1, NULL);
    int64_t indices[CLIPS];
    float want[CLIPS][CLASSES], got[CLIPS][CLASSES], one[CLASSES];
    all_clips(indices);
    dv_session *session = load(path, "cpu", 1, 1);
    assert_int_equal(dv_model_classes(dv_session_model(session)), CLASSES);
    assert_string_equal(dv_model_label(dv_session_model(session), 2), "2");
    assert_int_equal(dv_session_clips(session, &task.dataset, indices, CLIPS, want[0]), DV_OK);
    assert_memory_not_equal(want[0], want[CLIPS - 1], sizeof want[0]);
    for (int64_t i = CLIPS - 1; i >= 0; i -= 5) { /* one by one, in another order */
        assert_int_equal(dv_session_clips(session, &task.dataset, &indices[i], 1, one), DV_OK);
        assert_memory_equal(one, want[i], sizeof one);
    }
    unload(session);
    for (int threads = 1; threads <= CLIPS + 2; threads += 3) {
        session = load(path, "cpu", 1 + threads % 7, threads);
        for (int again = 0; again < 2; again++) {
            memset(got, 0, sizeof got);
            assert_int_equal(dv_session_clips(session, &task.dataset, indices, CLIPS, got[0]),
                             DV_OK);
            assert_memory_equal(got, want, sizeof got);
        }
        unload(session);
    }
    session = load(path, "ref", 4, 1);
    assert_int_equal(dv_session_clips(session, &task.dataset, indices, CLIPS, got[0]), DV_OK);
    for (int i = 0; i < CLIPS; i++) {
        for (int k = 0; k < CLASSES; k++)
            assert_true(fabsf(got[i][k] - want[i][k]) < 1e-3F);
    }
    unload(session);
    tones_close(&task);
    scratch_clear(*state);
}

static void test_an_answer_is_finite(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    tones task;
    scratch_path(*state, "huge.safetensors", path);
    tones_open(&task, CLASSES, EACH - 2, 2, false);
    write_checkpoint(&task, path, 3e38F, NULL);
    dv_session *session = load(path, "cpu", 8, 2);
    int64_t indices[CLIPS];
    float logits[CLIPS * CLASSES];
    all_clips(indices);
    assert_int_equal(dv_session_clips(session, &task.dataset, indices, CLIPS, logits), DV_ENUMERIC);
    assert_message("not finite");
    unload(session);
    tones_close(&task);
    scratch_clear(*state);
}

static void test_files_fail_alone(void **state)
{
    char path[SCRATCH_PATH_SIZE], sound[SCRATCH_PATH_SIZE], absent[SCRATCH_PATH_SIZE];
    tones task;
    scratch_path(*state, "tones.safetensors", path);
    scratch_path(*state, "tone.wav", sound);
    scratch_path(*state, "absent.wav", absent);
    tones_open(&task, CLASSES, EACH - 2, 2, false);
    write_checkpoint(&task, path, 1, NULL);
    dv_audio audio = {.samples = task.dataset.clips[0].samples, .count = 2000, .sample_rate = 8000};
    assert_int_equal(dv_audio_write_wav(sound, &audio), DV_OK);
    for (int threads = 1; threads <= 3; threads++) {
        float logits[4][CLASSES];
        const char *const files[4] = {sound, absent, sound, path};
        dv_answer answers[4] = {{.logits = logits[0]}};
        dv_session *session = load(path, "cpu", threads, threads);
        assert_int_equal(dv_session_answer_files(session, files, 4, false, answers), DV_OK);
        assert_int_equal(answers[0].status, DV_OK);
        assert_int_equal(answers[1].status, DV_EIO);
        assert_non_null(strstr(answers[1].message, absent));
        assert_int_equal(answers[3].status, DV_EFORMAT);
        assert_non_null(strstr(answers[3].message, path));
        assert_memory_equal(logits[0], logits[2], sizeof logits[0]);
        unload(session);
    }
    tones_close(&task);
    scratch_clear(*state);
}

/* If the system opens no more files, no file is to blame. */
static void test_files_end_with_the_system(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    struct rlimit before, none;
    tones task;
    scratch_path(*state, "tones.safetensors", path);
    tones_open(&task, CLASSES, EACH - 2, 2, false);
    write_checkpoint(&task, path, 1, NULL);
    float logits[2][CLASSES];
    const char *const files[2] = {path, path};
    dv_answer answers[2] = {{.logits = logits[0]}};
    dv_session *session = load(path, "cpu", 1, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    dv_status status = dv_session_answer_files(session, files, 2, false, answers);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, DV_ESYSTEM);
    assert_message("Too many open files");
    unload(session);
    tones_close(&task);
    scratch_clear(*state);
}

typedef struct warnings {
    int count;
    char text[SCRATCH_PATH_SIZE + 200];
} warnings;

static void keep_warning(void *user, dv_log_level level, const char *message)
{
    warnings *kept = user;
    if (level != DV_LOG_WARNING)
        return;
    kept->count++;
    snprintf(kept->text, sizeof kept->text, "%s", message);
}

static void test_files_not_in_order_are_warned_of(void **state)
{
    char path[SCRATCH_PATH_SIZE], sound[SCRATCH_PATH_SIZE];
    tones task;
    scratch_path(*state, "tones.safetensors", path);
    scratch_path(*state, "tone.wav", sound);
    tones_open(&task, CLASSES, EACH - 2, 2, false);
    write_checkpoint(&task, path, 1, NULL);
    dv_audio audio = {.samples = task.dataset.clips[0].samples, .count = 2000, .sample_rate = 8000};
    assert_int_equal(dv_audio_write_wav(sound, &audio), DV_OK);
    size_t size = 0;
    unsigned char *bytes = file_load(sound, &size);
    memset(bytes + 40, 0, 4); /* the number of bytes of samples */
    file_store(sound, bytes, size);
    free(bytes);
    warnings kept = {0};
    dv_session *session =
        load_with(path, (dv_model_options){.log = keep_warning, .log_user = &kept}, 1, 1);
    float logits[CLASSES];
    const char *file = sound;
    dv_answer answer = {.logits = logits};
    kept.count = 0;
    assert_int_equal(dv_session_answer_files(session, &file, 1, false, &answer), DV_OK);
    assert_int_equal(answer.status, DV_OK);
    assert_int_equal(kept.count, 0);
    dv_answer_warn(&dv_model_context(dv_session_model(session))->log, file, &answer, NULL);
    assert_int_equal(kept.count, 1);
    assert_ptr_equal(strstr(kept.text, sound), kept.text);
    assert_non_null(strstr(kept.text, "the header says 0 bytes of samples"));
    unload(session);
    tones_close(&task);
    scratch_clear(*state);
}

/* ---- Checkpoints that cannot be used ---- */

static void test_refusals_name_the_checkpoint(void **state)
{
    static const struct {
        const char *config;
        const char *part;
    } cases[] = {
        {"features: {type: mfcc}", "'model'"},
        {"model: {layers: [flatten]}", "'features'"},
        {"{features: {tpye: mfcc}, model: {layers: [flatten]}}", "'type'"},
        {"{features: {n_fft: 1000}, model: {layers: [flatten]}}", "n_fft"},
        {"{features: {}, model: {layers: [flattn]}}", "'flatten'"},
        {"{features: {}, model: {layers: [flatten]}}", "3 classes"},
        {"{features: {}, model: {layers: [flatten, {linear: {units: 3, name: tail}}]}}",
         "tensor 'tail.weight' is missing"},
        {"{features: {}, model: {layers: [flatten, {linear: {units: 3, name: head}}]}}",
         "tensor 'head.weight' has another shape"},
    };
    char path[SCRATCH_PATH_SIZE];
    dv_model *model;
    tones task;
    scratch_path(*state, "refused.safetensors", path);
    tones_open(&task, CLASSES, EACH - 2, 2, false);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_checkpoint(&task, path, 1, parse(cases[i].config));
        dv_status status = dv_model_open(path, NULL, &model);
        if (status != DV_EFORMAT)
            fail_msg("%s: status %d: %s", cases[i].config, (int)status, dv_error_message());
        assert_null(model);
        assert_message(path);
        assert_message(cases[i].part);
    }
    write_checkpoint(&task, path, 1, NULL);
    dv_model_options options = {.size = sizeof options, .device = "gpu"};
    assert_int_equal(dv_model_open(path, &options, &model), DV_EARG);
    assert_message("'gpu'");
    assert_null(model);
    tones_close(&task);
    scratch_clear(*state);
}

/* ---- Longer than the window ---- */

enum { LONG = 6150, WINDOW = 2400 };

/* Answers samples (count) as if they were a whole file. */
static void answer_alone(dv_session *session, const float *samples, int64_t count,
                         float logits[CLASSES])
{
    float copy[WINDOW];
    memcpy(copy, samples, (size_t)count * sizeof *copy);
    dv_clip clip = {.samples = copy, .count = count};
    clip.center = dv_frontend_prepare(dv_model_frontend(dv_session_model(session)), copy, count);
    dv_dataset one = {.clips = &clip, .count = 1};
    assert_int_equal(dv_session_clips(session, &one, &(int64_t){0}, 1, logits), DV_OK);
}

/* Windows follow each other, the last one ends with the file, and each is answered like a file of
   its own. One answer to the whole file is that of one window, and a warning says so. */
static void test_windows(void **state)
{
    char path[SCRATCH_PATH_SIZE], sound[SCRATCH_PATH_SIZE];
    static const int64_t starts[] = {0, WINDOW, LONG - WINDOW};
    static float samples[LONG];
    tones task;
    dv_audio audio = {.samples = samples, .count = LONG, .sample_rate = 8000};
    scratch_path(*state, "tones.safetensors", path);
    scratch_path(*state, "tone.wav", sound);
    tones_open(&task, CLASSES, EACH - 2, 2, false);
    write_checkpoint(&task, path, 1, NULL);
    for (int i = 0; i < LONG; i++)
        samples[i] = (i / 1000 % 2 > 0 ? 0.4F : 0.02F) * (float)sin((0.2 + i * 1e-5) * i);
    assert_int_equal(dv_audio_write_wav(sound, &audio), DV_OK);
    warnings warned = {0};
    dv_session *session =
        load_with(path, (dv_model_options){.log = keep_warning, .log_user = &warned}, 1, 1);
    assert_int_equal(dv_frontend_samples(dv_model_frontend(dv_session_model(session))), WINDOW);
    float logits[CLASSES];
    const char *file = sound;
    dv_answer answer = {.logits = logits};
    const dv_log *log = &dv_model_context(dv_session_model(session))->log;
    warned.count = 0;
    assert_int_equal(dv_session_answer_windows(session, file, false, &answer), DV_OK);
    dv_answer_warn(log, file, &answer, "ask for all windows");
    assert_int_equal(warned.count, 0);
    assert_int_equal(answer.stretch_count, 3);
    assert_int_equal(dv_audio_read(sound, 8000, 10, NULL, &audio), DV_OK);
    for (int i = 0; i < 3; i++) {
        const dv_stretch *stretch = &answer.stretches[i];
        answer_alone(session, audio.samples + starts[i], WINDOW, logits);
        assert_memory_equal(stretch->logits, logits, sizeof logits);
        assert_true(stretch->from == (double)starts[i] / 8000);
        assert_true(stretch->to == (double)(starts[i] + WINDOW) / 8000);
    }
    dv_answer_free_stretches(&answer);
    assert_null(answer.stretches);
    dv_audio_free(&audio);

    assert_int_equal(dv_session_answer_files(session, &file, 1, false, &answer), DV_OK);
    dv_answer_warn(log, file, &answer, "ask for all windows");
    assert_int_equal(answer.stretch_count, 0);
    assert_int_equal(warned.count, 1);
    assert_non_null(strstr(warned.text, "tone.wav: is 0.77 s long"));
    assert_true(answer.seen.seconds == LONG / 8000.0);
    assert_true(answer.seen.to > answer.seen.from &&
                answer.seen.to - answer.seen.from <= 0.3 + 1e-9);
    unload(session);
    tones_close(&task);
    scratch_clear(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_depends_on_the_clip_alone),
        cmocka_unit_test(test_an_answer_is_finite),
        cmocka_unit_test(test_files_fail_alone),
        cmocka_unit_test(test_files_end_with_the_system),
        cmocka_unit_test(test_files_not_in_order_are_warned_of),
        cmocka_unit_test(test_refusals_name_the_checkpoint),
        cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
