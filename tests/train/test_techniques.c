/*
 * The techniques of training: accumulation, averages of the weights, class weights, smoothing, and
 * the schedule that watches the loss. A run with all of them resumes as if it had never stopped.
 * test_frozen.c tests frozen parameters.
 *
 *     test_techniques [DEVICE]     on ref and cpu, or on the backend of a module
 */
#include "frontends/model/checkpoint.h"
#include "tests/support/each_backend.h"
#include "tests/support/scratch.h"
#include "tests/support/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tested_backends under_test; /* set by main */

/* ---- Accumulation ---- */

/* Two batches of 4 are like one of 8. 36 clips are 9 batches of 4, and the last one is dropped. */
static void accumulates(const dv_backend *backend)
{
    trial runs[2];
    for (int i = 0; i < 2; i++) {
        trial_open(&runs[i], backend, trial_plain_model, 12, 4);
        runs[i].task.config.batch_size = i == 0 ? 8 : 4;
        runs[i].task.config.accumulate = 1 + i;
        trial_whole(&runs[i]);
        assert_int_equal(dv_trainer_steps_per_epoch(runs[i].trainer), i == 0 ? 4 : 8);
        assert_int_equal(dv_trainer_state_of(runs[i].trainer)->step, i == 0 ? 8 : 16);
    }
    trial_require_near(runs[1].metrics[0].gradient_norm, runs[0].metrics[0].gradient_norm, 1e-4);
    trial_require_near(runs[1].metrics[1].train_loss, runs[0].metrics[1].train_loss, 1e-4);
    trial_require_near(trial_last(&runs[1])->validation_loss, trial_last(&runs[0])->validation_loss,
                       1e-4);
    assert_true(trial_last(&runs[1])->learning_rate == trial_last(&runs[0])->learning_rate);
    if (backend->capture != NULL) { /* one recording serves all steps */
        assert_int_equal(dv_trainer_counters(runs[1].trainer).eager, 1);
        assert_int_equal(dv_trainer_counters(runs[1].trainer).replays, 15);
    }
    trial_close(&runs[0]);
    trial_close(&runs[1]);
    trial few; /* more batches than an epoch has */
    trial_open(&few, backend, trial_plain_model, 8, 0);
    few.task.config.accumulate = 100;
    must(trial_create(&few));
    assert_int_equal(dv_trainer_steps_per_epoch(few.trainer), 3);
    must(trial_go(&few));
    trial_require_near(trial_last(&few)->learning_rate, 0.5 * few.task.config.learning_rate,
                       1e-12); /* rate of the second of two updates, by the cosine */
    trial_close(&few);
}

/* Values change only with the last batch of an update. */
static void watch_values(trial *seen)
{
    int64_t count, step = dv_trainer_state_of(seen->trainer)->step;
    float *now = trial_read_all(seen, DV_BUFFER_VALUES, &count), *before = seen->watcher;
    if (before != NULL)
        assert_int_equal(memcmp(now, before, (size_t)count * sizeof *now) == 0, step % 3 != 0);
    free(before);
    seen->watcher = now;
}

static void updates_every_third_batch(const dv_backend *backend)
{
    trial seen;
    trial_open(&seen, backend, trial_plain_model, 17, 0);
    seen.task.config.accumulate = 3;
    seen.task.config.scheduler = DV_SCHEDULE_NONE;
    seen.watch = watch_values;
    trial_whole(&seen);
    assert_int_equal(dv_trainer_state_of(seen.trainer)->step, 12);
    free(seen.watcher);
    trial_close(&seen);
}

/* An overflow in any batch skips the whole update, and halves the scale once. */
static void overflows_by_updates(const dv_backend *backend)
{
    if (!dv_backend_has(backend, DV_F16))
        return;
    trial seen;
    trial_open(&seen, backend, trial_plain_model, 24, 0);
    seen.task.config.mixed_precision = DV_MIXED_FP16;
    seen.task.config.accumulate = 2;
    seen.task.config.batch_size = 4;
    seen.task.config.scheduler = DV_SCHEDULE_NONE;
    must(trial_create(&seen));
    dv_trainer_state(seen.trainer)->loss_scale = 0x1p28;
    must(trial_go(&seen));
    const dv_train_state *state = dv_trainer_state_of(seen.trainer);
    assert_int_equal(state->step, 36);
    assert_in_range(state->skipped, 2, 17);
    assert_true(state->loss_scale == ldexp(1, 28 - (int)state->skipped));
    assert_int_equal(state->steady, 18 - state->skipped);
    trial_close(&seen);
}

/* Makes logits exceed FP16 between steps 2 and 4. */
static void break_head(trial *seen)
{
    int64_t step = dv_trainer_state_of(seen->trainer)->step;
    dv_params *params = dv_trainer_params(seen->trainer);
    int head = dv_params_find(params, "head.bias");
    const float bad[CLASSES] = {1e6F, 1e6F, 1e6F};
    if (step == 2)
        must(dv_params_read(params, head, DV_BUFFER_VALUES, seen->watcher));
    if (step == 2 || step == 4)
        must(dv_params_write(params, head, DV_BUFFER_VALUES, step == 2 ? bad : seen->watcher));
}

/* A loss that is not finite belongs to a skipped update and to no sum, so that the state can be
   saved in mid-epoch. */
static void overflows_forward(const dv_backend *backend)
{
    if (!dv_backend_has(backend, DV_F16))
        return;
    trial seen;
    float kept[CLASSES];
    dv_tree *state;
    trial_open(&seen, backend, trial_plain_model, 24, 0);
    seen.task.config.mixed_precision = DV_MIXED_FP16;
    seen.watch = break_head;
    seen.watcher = kept;
    seen.stop_at = 6;
    must(trial_create(&seen));
    assert_int_equal(trial_go(&seen), DV_EINTERRUPTED);
    const dv_train_state *now = dv_trainer_state_of(seen.trainer);
    assert_int_equal(now->step, 6);
    assert_int_equal(now->skipped, 2);
    assert_int_equal(now->seen, (6 - 2) * dv_trainer_batch_size(seen.trainer));
    double mean = dv_trainer_mean_loss(seen.trainer);
    assert_true(mean > 0.1 && mean < 3);
    must(dv_tree_new(DV_TREE_MAP, NULL, 0, &state));
    must(dv_fields_write(dv_train_state_fields, now, state));
    dv_tree_free(state);
    trial_close(&seen);
}

/* ---- Averages ---- */

typedef struct follower {
    double *average;
    int64_t count, updates;
} follower;

static void follow(trial *seen)
{
    follower *by = seen->watcher;
    int64_t count, step = dv_trainer_state_of(seen->trainer)->step;
    if (step % 2 != 0) /* an update takes two batches */
        return;
    float *values = trial_read_all(seen, DV_BUFFER_VALUES, &count);
    double t = (double)++by->updates, early = (1 + t) / (10 + t), keep = early < 0.4 ? early : 0.4;
    for (int64_t i = 0; i < count; i++)
        by->average[i] += (1 - keep) * ((double)values[i] - by->average[i]);
    free(values);
}

/* Compares with an average of values and running statistics that is computed here. The training
   ends with it. */
static void averages(const dv_backend *backend)
{
    trial seen;
    follower by = {0};
    trial_open(&seen, backend, trial_normed_model, 17, 0);
    seen.task.config.ema_decay = 0.4;
    seen.task.config.accumulate = 2;
    must(trial_create(&seen));
    float *start = trial_read_all(&seen, DV_BUFFER_VALUES, &by.count);
    by.average = calloc((size_t)by.count, sizeof *by.average);
    assert_non_null(by.average);
    for (int64_t i = 0; i < by.count; i++)
        by.average[i] = (double)start[i];
    seen.watch = follow;
    seen.watcher = &by;
    must(trial_go(&seen));
    assert_int_equal(by.updates, 6);
    float *got = trial_read_all(&seen, DV_BUFFER_VALUES, &by.count);
    for (int64_t i = 0; i < by.count; i++) {
        if (!(fabs((double)got[i] - by.average[i]) <= 1e-6))
            fail_msg("element %d: %.9g, want %.9g", (int)i, (double)got[i], by.average[i]);
    }
    assert_true(trial_distance(got, start, by.count) > 0.01);
    free(start);
    free(got);
    free(by.average);
    trial_close(&seen);
}

/* The validation loss is that of a model whose values are the averages. */
static void validates_averages(const dv_backend *backend, int precision)
{
    trial averaged, fixed, raw;
    trial *const runs[] = {&averaged, &fixed, &raw};
    for (int i = 0; i < 3; i++) {
        trial_open(runs[i], backend, trial_plain_model, 16, 5);
        runs[i]->task.config.epochs = 1;
        runs[i]->task.config.mixed_precision = precision;
    }
    averaged.task.config.ema_decay = 0.99;
    fixed.task.config.learning_rate = 0;
    trial_whole(&averaged);
    trial_whole(&raw);
    must(trial_create(&fixed));
    dv_params *params = dv_trainer_params(fixed.trainer);
    for (int i = 0; i < params->count; i++) {
        int64_t count;
        float *values = trial_read_one(&averaged, params->items[i].name, DV_BUFFER_AVERAGE, &count);
        must(dv_params_write(params, i, DV_BUFFER_VALUES, values));
        free(values);
    }
    must(trial_go(&fixed));
    assert_true(trial_last(&fixed)->validation_loss == trial_last(&averaged)->validation_loss);
    assert_true(trial_last(&raw)->validation_loss != trial_last(&averaged)->validation_loss);
    assert_true(trial_last(&raw)->train_loss == trial_last(&averaged)->train_loss);
    trial_require_same(&fixed, &averaged); /* the averages are also kept */
    for (int i = 0; i < 3; i++)
        trial_close(runs[i]);
}

static void validates_the_average(const dv_backend *backend)
{
    validates_averages(backend, DV_MIXED_NONE);
    if (dv_backend_has(backend, DV_F16))
        validates_averages(backend, DV_MIXED_FP16);
}

/* ---- Class weights ---- */

static void weigh(trial *seen, const char *text)
{
    dv_tree *weights = parse(text);
    must(dv_dataset_weigh(&seen->task.dataset, weights));
    dv_tree_free(weights);
}

/* The losses of the first epoch at a rate of 0, in training and in validation. */
static void weighted_losses(const dv_backend *backend, const char *weights, double losses[2])
{
    trial seen;
    trial_open(&seen, backend, trial_plain_model, 8, 4);
    weigh(&seen, weights);
    seen.task.config.learning_rate = 0;
    seen.task.config.epochs = 1;
    trial_whole(&seen);
    assert_true(trial_last(&seen)->train_accuracy > 0);
    losses[0] = trial_last(&seen)->train_loss;
    losses[1] = trial_last(&seen)->validation_loss;
    trial_close(&seen);
}

static void weighs_classes(const dv_backend *backend)
{
    static const char *const lists[] = {"none",      "[2, 2, 2]", "[3, 1, 1]",
                                        "[1, 3, 1]", "[1, 1, 3]", "balanced"};
    double losses[6][2];
    for (int i = 0; i < 6; i++) {
        weighted_losses(backend, lists[i], losses[i]);
        assert_true(losses[i][1] == losses[0][1]);
    }
    assert_true(losses[1][0] == losses[0][0]);
    /* Each class counts three times in one of these lists and once in the other two. The mean of a
       list is scaled to 1. */
    trial_require_near(losses[2][0] + losses[3][0] + losses[4][0], 3 * losses[0][0], 1e-5);
    assert_true(losses[2][0] != losses[3][0] && losses[3][0] != losses[4][0]);
    assert_true(losses[5][0] == losses[0][0]); /* each class has as many clips */
}

/* Equal weights train exactly as no weights, with smoothing and clipping. */
static void takes_equal_weights_for_none(const dv_backend *backend)
{
    static const char *const lists[] = {"none", "[0.1, 0.1, 0.1]", "[10, 10, 10]"};
    trial runs[3];
    for (int i = 0; i < 3; i++) {
        trial_open(&runs[i], backend, trial_plain_model, 8, 4);
        weigh(&runs[i], lists[i]);
        trial_whole(&runs[i]);
        trial_require_same(&runs[i], &runs[0]);
        assert_true(trial_last(&runs[i])->train_loss == trial_last(&runs[0])->train_loss);
    }
    for (int i = 0; i < 3; i++)
        trial_close(&runs[i]);
}

/* A weight is a factor of the whole loss of a clip, smoothing included. */
static void weighs_smoothing(const dv_backend *backend)
{
    double losses[2];
    for (int i = 0; i < 2; i++) {
        trial seen;
        trial_open(&seen, backend, trial_plain_model, 8, 0);
        weigh(&seen, "[1, 1, 1]");
        for (int k = 0; k < CLASSES; k++) /* set directly, since lists are scaled */
            seen.task.dataset.class_weights[k] = i == 0 ? 1 : 10;
        seen.task.config.label_smoothing = 0.3;
        seen.task.config.max_steps = 1;
        trial_whole(&seen);
        losses[i] = trial_last(&seen)->train_loss;
        trial_close(&seen);
    }
    trial_require_near(losses[1], 10 * losses[0], 1e-5);
}

/* ---- Label smoothing ---- */

/* The loss cannot fall below the entropy of the smoothed targets, and comes near it. */
static void smooths_labels(const dv_backend *backend)
{
    static const double smoothings[] = {0, 0.3};
    for (int i = 0; i < 2; i++) {
        trial seen;
        trial_open(&seen, backend, trial_plain_model, 3, 0);
        seen.task.config.label_smoothing = smoothings[i];
        seen.task.config.weight_decay = 0;
        seen.task.config.epochs = 30;
        seen.task.config.scheduler = DV_SCHEDULE_NONE;
        trial_whole(&seen);
        double other = smoothings[i] / CLASSES, truth = 1 - smoothings[i] + other;
        double entropy = i == 0 ? 0 : -truth * log(truth) - (CLASSES - 1) * other * log(other);
        double loss = trial_last(&seen)->train_loss;
        if (!(loss >= entropy && loss < entropy + 0.1))
            fail_msg("smoothing %g: loss %g, entropy %g", smoothings[i], loss, entropy);
        trial_close(&seen);
    }
}

/* ---- Plateau ---- */

/* The rate follows the watched loss: that of validation, or else that of training. */
static void rate_follows_the_loss(const dv_backend *backend, int validation)
{
    trial seen;
    trial_open(&seen, backend, trial_plain_model, 8, validation);
    seen.task.config.scheduler = DV_SCHEDULE_PLATEAU;
    seen.task.config.plateau_factor = 0.5;
    seen.task.config.plateau_patience = 1;
    seen.task.config.learning_rate = 0.4; /* far too much: the loss goes up and down */
    seen.task.config.minimum_rate = 0.04;
    seen.task.config.epochs = 12;
    seen.task.config.patience = 0;
    trial_whole(&seen);
    dv_plateau plateau = {0};
    double rate = 0.4;
    for (int e = 0; e < 12; e++) {
        assert_true(fabs(seen.metrics[e].learning_rate - rate) < 1e-12);
        double loss = validation > 0 ? seen.metrics[e].validation_loss : seen.metrics[e].train_loss;
        if (dv_plateau_watch(&plateau, e == 0, loss, 1))
            rate = fmax(rate / 2, 0.04);
    }
    assert_true(rate < 0.4);
    trial_close(&seen);
}

/* Once the rate has fallen to 0, no value changes. */
static void watch_rest(trial *seen)
{
    int64_t count;
    float *now = trial_read_all(seen, DV_BUFFER_VALUES, &count), *before = seen->watcher;
    if (before != NULL && dv_trainer_state_of(seen->trainer)->plateau_falls > 0)
        assert_memory_equal(now, before, (size_t)count * sizeof *now);
    free(before);
    seen->watcher = now;
}

static void reacts_to_a_plateau(const dv_backend *backend)
{
    trial seen;
    if (backend->host_memory) { /* the host decides, on every device */
        rate_follows_the_loss(backend, 4);
        rate_follows_the_loss(backend, 0);
    }
    trial_open(&seen, backend, trial_plain_model, 8, 0);
    seen.task.config.scheduler = DV_SCHEDULE_PLATEAU;
    seen.task.config.plateau_factor = 0;
    seen.task.config.plateau_patience = 0;
    seen.task.config.learning_rate = 0.5;
    seen.task.config.epochs = 14;
    seen.watch = watch_rest;
    trial_whole(&seen);
    assert_true(dv_trainer_state_of(seen.trainer)->plateau_falls > 0);
    assert_true(trial_last(&seen)->learning_rate == 0);
    free(seen.watcher);
    trial_close(&seen);
}

/* ---- Early stopping ---- */

static void count_warning(void *user, dv_log_level level, const char *message)
{
    int *warnings = user;
    if (level != DV_LOG_WARNING)
        return;
    ++*warnings;
    assert_string_equal(message, "train.patience 7 has no effect: there is no validation part");
}

/* Without validation patience has no effect, and one warning says so. */
static void test_patience_without_validation(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        trial seen;
        int warnings = 0;
        trial_open(&seen, under_test.items[0], trial_plain_model, 8, i == 1 ? 4 : 0);
        seen.task.config.patience = i == 2 ? 0 : 7;
        seen.context->log = (dv_log){count_warning, &warnings};
        trial_whole(&seen);
        assert_int_equal(warnings, i == 0);
        trial_close(&seen);
    }
}

/* ---- Resuming ---- */

static void open_with_all(trial *seen, const dv_backend *backend, int scheduler)
{
    trial_open(seen, backend, trial_normed_model, 20, 4); /* 7 batches of 8, of which 6 are used */
    trial_freeze(seen, "[conv.bias, norm.bias]");
    weigh(seen, "[1, 2, 1]");
    for (size_t i = 0; i < seen->task.dataset.count; i++) { /* learning makes validation worse */
        dv_clip *clip = &seen->task.dataset.clips[i];
        clip->label = clip->part == DV_PART_TRAIN ? clip->label : (clip->label + 1) % CLASSES;
    }
    dv_train_config *config = &seen->task.config;
    config->scheduler = scheduler;
    config->plateau_patience = 0;
    config->restart_epochs = config->step_epochs = 1;
    config->warmup = 0.1;
    config->learning_rate = 0.1;
    config->epochs = 4;
    config->accumulate = 2;
    config->ema_decay = 0.8;
    config->mixed_precision = dv_backend_has(backend, DV_F16) ? DV_MIXED_FP16 : DV_MIXED_NONE;
    must(trial_create(seen));
}

/* Resumes through a checkpoint. */
static void go_on(const char *path, const trial *from, trial *to)
{
    dv_tree *config = parse("{train: {}}"), *labels = parse("[\"0\", \"1\", \"2\"]"), *state;
    dv_checkpoint checkpoint;
    must(dv_tree_new(DV_TREE_MAP, NULL, 0, &state));
    must(dv_fields_write(dv_train_state_fields, dv_trainer_state_of(from->trainer), state));
    must(dv_checkpoint_write(path, dv_trainer_params(from->trainer), config, labels, state));
    must(dv_checkpoint_open(path, &checkpoint));
    must(dv_fields_read(dv_train_state_fields, checkpoint.state, "state",
                        dv_trainer_state(to->trainer)));
    must(dv_checkpoint_read_all(&checkpoint, dv_trainer_params(to->trainer)));
    dv_checkpoint_close(&checkpoint);
    dv_tree_free(config);
    dv_tree_free(labels);
    dv_tree_free(state);
    must(trial_go(to));
}

/* Stops between updates, in an update (which is completed first), and at the end of an epoch. */
static void resumes_with(const dv_backend *backend, const char *path, int scheduler)
{
    static const int64_t stops[] = {4, 9, 12}, ends[] = {4, 10, 12};
    trial whole, first, second;
    open_with_all(&whole, backend, scheduler);
    must(trial_go(&whole));
    assert_int_equal(dv_trainer_state_of(whole.trainer)->step, 24);
    if (scheduler == DV_SCHEDULE_PLATEAU)
        assert_true(dv_trainer_state_of(whole.trainer)->plateau_falls >= 2);
    for (int i = 0; i < 3; i++) {
        open_with_all(&first, backend, scheduler);
        first.stop_at = stops[i];
        assert_int_equal(trial_go(&first), DV_EINTERRUPTED);
        assert_int_equal(dv_trainer_state_of(first.trainer)->step, ends[i]);
        open_with_all(&second, backend, scheduler);
        go_on(path, &first, &second);
        trial_require_same(&second, &whole);
        assert_memory_equal(trial_last(&second), trial_last(&whole),
                            offsetof(dv_epoch_metrics, seconds));
        trial_close(&first);
        trial_close(&second);
    }
    trial_close(&whole);
}

static void test_resume(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "first.safetensors", path);
    for (int i = 0; i < under_test.count; i++) {
        resumes_with(under_test.items[i], path, DV_SCHEDULE_PLATEAU);
        if (under_test.items[i]->host_memory) /* a device has all rates from the host */
            resumes_with(under_test.items[i], path, DV_SCHEDULE_ONE_CYCLE);
    }
}

/* Each schedule through the trainer: the rate of the last update of each epoch. */
static void test_schedules_count_updates(void **state)
{
    (void)state;
    for (int kind = 0; dv_schedule_names[kind] != NULL; kind++) {
        trial seen;
        /* 6 batches of 8: 3 updates of 2 */
        trial_open(&seen, under_test.items[0], trial_plain_model, 16, 0);
        dv_train_config *config = &seen.task.config;
        config->scheduler = kind;
        config->accumulate = 2;
        config->epochs = 5;
        config->learning_rate = 0.01;
        config->warmup = 0.2; /* 3 updates */
        config->restart_epochs = config->step_epochs = 2;
        config->plateau_factor = 1;
        trial_whole(&seen);
        dv_schedule want = {.kind = kind, .peak = 0.01, .warmup = 3, .total = 15, .period = 6};
        want.factor = kind == DV_SCHEDULE_STEP ? 0.1 : kind == DV_SCHEDULE_PLATEAU ? 1 : 2;
        want.rise = 0.3;
        for (int e = 0; e < 5; e++)
            assert_true(seen.metrics[e].learning_rate ==
                        dv_schedule_rate(&want, (uint64_t)(3 * e + 2)));
        trial_close(&seen);
    }
}

/* ---- The list of tests ---- */

static int run_each(void)
{
    static const backend_test each[] = {
        {"two small batches are one large", accumulates},
        {"an update every third batch", updates_every_third_batch},
        {"an overflow skips an update", overflows_by_updates},
        {"a loss that overflows", overflows_forward},
        {"the average of the weights", averages},
        {"the average is validated", validates_the_average},
        {"class weights", weighs_classes},
        {"equal weights", takes_equal_weights_for_none},
        {"weights with smoothing", weighs_smoothing},
        {"label smoothing", smooths_labels},
        {"plateau", reacts_to_a_plateau},
    };
    return run_on_each("techniques", &under_test, each, sizeof each / sizeof each[0]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_schedules_count_updates),
        cmocka_unit_test(test_patience_without_validation),
        cmocka_unit_test(test_resume),
    };
    int status;
    if (!open_backends(argc, argv, &under_test, &status))
        return status;
    int failures = run_each();
    failures += cmocka_run_group_tests_name("others", others, scratch_setup, scratch_teardown);
    return failures != 0;
}
