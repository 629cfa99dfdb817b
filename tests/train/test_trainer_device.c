/*
 * The trainer on a module's device trains as on the CPU, in full and in mixed precision. Replayed
 * steps equal those run call by call, and a resumed training equals one without interruption.
 *
 *     test_trainer_device DEVICE     cudasim or cuda
 */
#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "engine/optimizer/optimizer.h"
#include "tests/support/device.h"
#include "tests/support/tones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 4, CLIPS = 40, STEPS = CLASSES * CLIPS / 8 }; /* 20 steps of 8 clips an epoch */

static const dv_backend *device; /* set by main */

/* The model is smooth, so that rounding cannot switch a decision: with ReLU and maxima one switch
   changes a gradient by much more than rounding does. It has no bias in front of a norm, whose
   gradient would be nothing but rounding. */
static const char model_text[] = "layers:\n"
                                 "  - frames:\n"
                                 "  - conv2d: {filters: 16, kernel: [1, 3], bias: false}\n"
                                 "  - batchnorm: {activation: silu}\n"
                                 "  - global_avgpool:\n"
                                 "  - dropout: {rate: 0.1}\n"
                                 "  - linear: {units: classes}\n";

/* ---- A run and its observations ---- */

typedef struct run {
    tones task;
    dv_context *context;
    dv_trainer *trainer;
    double losses[STEPS]; /* losses of the first epoch's steps */
    double loss_sum;
    int reports;
    int64_t stop_at; /* step after which to stop, 0 for none */
    bool stop;
    dv_epoch_metrics last;
} run;

static void require_ok(dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s", dv_status_text(status), dv_error_message());
}

static void on_step(void *user, const dv_trainer *trainer)
{
    run *seen = user;
    const dv_train_state *state = dv_trainer_state_of(trainer);
    if (seen->reports < STEPS)
        seen->losses[seen->reports] = (state->loss_sum - seen->loss_sum) / 8;
    seen->loss_sum = state->loss_sum;
    seen->reports++;
    if (state->step == seen->stop_at)
        seen->stop = true;
}

static dv_status on_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    (void)trainer;
    ((run *)user)->last = *metrics;
    return DV_OK;
}

/* Opens a task with batches by the host's front-end. The test may change seen->task.config before
   run_make. Algorithms are fixed, because runs are compared bit by bit, and each context that
   measures may choose its own. */
static void run_open(run *seen, const dv_backend *backend)
{
    memset(seen, 0, sizeof *seen);
    require_ok(dv_context_open_backend(backend, 1, (dv_log){0}, &seen->context));
    tones_open(&seen->task, CLASSES, CLIPS, 6, false);
    tones_use_model(&seen->task, model_text);
    seen->task.config.epochs = 1;
    seen->task.config.report_steps = 1;
    seen->task.config.algorithms = DV_ALGORITHMS_FIXED;
}

static void run_make(run *seen)
{
    require_ok(dv_trainer_create(seen->context, &seen->task.config, seen->task.model,
                                 &seen->task.source, &seen->trainer));
}

static dv_train_next what_next(void *user)
{
    const run *seen = user;
    return seen->stop ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

static dv_status run_go(run *seen)
{
    dv_train_events events = {.user = seen, .step = on_step, .epoch = on_epoch, .next = what_next};
    return dv_trainer_run(seen->trainer, &events);
}

static void run_close(run *seen)
{
    dv_trainer_free(seen->trainer);
    tones_close(&seen->task);
    dv_context_close(seen->context);
}

/* Makes one run from beginning to end. */
static void run_whole(run *seen, const dv_backend *backend, int precision, bool device_batches)
{
    run_open(seen, backend);
    seen->task.config.mixed_precision = precision;
    if (device_batches)
        tones_on_device(&seen->task, seen->context);
    run_make(seen);
    require_ok(run_go(seen));
}

/* All parameters of a buffer, one after the other. The caller frees the copy. */
static float *copy_buffer(const dv_trainer *trainer, dv_buffer buffer, int64_t *count)
{
    const dv_params *params = dv_trainer_params(trainer);
    *count = 0;
    for (int i = 0; i < params->count; i++)
        *count += params->items[i].count;
    float *copy = calloc((size_t)*count, sizeof *copy), *next = copy;
    assert_non_null(copy);
    for (int i = 0; i < params->count; i++) {
        if (params->items[i].trainable || buffer == DV_BUFFER_VALUES || buffer == DV_BUFFER_BEST)
            require_ok(dv_params_read(params, i, buffer, next));
        next += params->items[i].count;
    }
    return copy;
}

static void assert_same_values(const run *a, const run *b)
{
    int64_t count;
    float *left = copy_buffer(a->trainer, DV_BUFFER_VALUES, &count);
    float *right = copy_buffer(b->trainer, DV_BUFFER_VALUES, &count);
    assert_memory_equal(left, right, (size_t)count * sizeof *left);
    free(left);
    free(right);
}

/* The largest deviation of a step's loss, NaN if a loss is NaN. */
static double losses_apart(const run *got, const run *want)
{
    double worst = 0;
    for (int i = 0; i < STEPS; i++) {
        double apart = fabs(got->losses[i] / want->losses[i] - 1);
        worst = isnan(worst) || apart <= worst ? worst : apart;
    }
    return worst;
}

static void require_near(const char *what, const run *got, bool device_batches, double apart,
                         double limit)
{
    char name[128];
    snprintf(name, sizeof name, "%s of %d steps in %s, batches by the %s", what, STEPS,
             dv_trainer_products(got->trainer), device_batches ? "device" : "host");
    if (!device_may_deviate(device, name, apart, limit))
        fail_msg("%s: %.3g", name, apart);
}

/* ---- As on the CPU ---- */

static void as_on_the_cpu(int precision, bool device_batches, double tolerance)
{
    run want, got;
    run_whole(&want, &dv_backend_cpu, DV_MIXED_NONE, false);
    run_whole(&got, device, precision, device_batches);
    assert_int_equal(got.reports, STEPS);
    assert_true(got.losses[STEPS - 1] < got.losses[0]);
    require_near("losses", &got, device_batches, losses_apart(&got, &want), tolerance);
    require_near("validation loss", &got, device_batches,
                 fabs(got.last.validation_loss / want.last.validation_loss - 1), 2 * tolerance);
    run_close(&want);
    run_close(&got);
}

static void test_full_precision(void **state)
{
    (void)state;
    as_on_the_cpu(DV_MIXED_NONE, false, 1e-5);
}

static void test_batches_of_the_device(void **state)
{
    (void)state;
    as_on_the_cpu(DV_MIXED_NONE, true, 1e-4);
}

static void test_fp16(void **state)
{
    (void)state;
    as_on_the_cpu(DV_MIXED_TRUE, true, 1e-2);
}

static void test_bf16(void **state)
{
    (void)state;
    as_on_the_cpu(DV_MIXED_BF16, true, 2e-2);
}

/* ---- The recorded step ---- */

static void replayed_as_eager(int precision, bool device_batches)
{
    run runs[2];
    for (int i = 0; i < 2; i++) {
        run_open(&runs[i], device);
        runs[i].task.config.epochs = 2;
        runs[i].task.config.mixed_precision = precision;
        runs[i].task.config.record = i == 1;
        runs[i].task.config.report_steps = i == 1 ? 0 : 7;
        if (device_batches)
            tones_on_device(&runs[i].task, runs[i].context);
        run_make(&runs[i]);
        require_ok(run_go(&runs[i]));
    }
    dv_train_counters eager = dv_trainer_counters(runs[0].trainer);
    dv_train_counters replayed = dv_trainer_counters(runs[1].trainer);
    assert_int_equal(eager.eager, 2 * STEPS);
    assert_int_equal(eager.replays, 0);
    assert_int_equal(replayed.eager, 1); /* libraries load in the first step */
    assert_int_equal(replayed.replays, 2 * STEPS - 1);
    assert_int_equal(runs[0].reports, 2 * STEPS / 7);
    assert_int_equal(runs[1].reports, 0);
    assert_same_values(&runs[0], &runs[1]);
    assert_true(runs[0].last.train_loss == runs[1].last.train_loss);
    assert_true(runs[0].last.gradient_norm == runs[1].last.gradient_norm);
    run_close(&runs[0]);
    run_close(&runs[1]);
}

static void test_replay(void **state)
{
    (void)state;
    replayed_as_eager(DV_MIXED_NONE, false);
    replayed_as_eager(DV_MIXED_NONE, true);
    replayed_as_eager(DV_MIXED_FP16, true);
}

static dv_status no_record(dv_context *context)
{
    (void)context;
    return DV_FAIL(DV_EDEVICE, "no recording today");
}

static void note_warning(void *user, dv_log_level level, const char *message)
{
    int *warnings = user;
    *warnings += level == DV_LOG_WARNING && strstr(message, "no recording today") != NULL;
}

static void test_goes_on_where_nothing_can_be_recorded(void **state)
{
    (void)state;
    run want, got;
    int warnings = 0;
    dv_backend unwilling = *device;
    unwilling.capture = no_record;
    run_whole(&want, device, DV_MIXED_NONE, true);
    run_open(&got, &unwilling);
    got.context->log = (dv_log){.write = note_warning, .user = &warnings};
    tones_on_device(&got.task, got.context);
    run_make(&got);
    require_ok(run_go(&got));
    assert_int_equal(warnings, 1);
    assert_int_equal(dv_trainer_counters(got.trainer).eager, STEPS);
    assert_int_equal(dv_trainer_counters(want.trainer).eager, 1);
    assert_same_values(&want, &got);
    run_close(&want);
    run_close(&got);
}

/* A training that checks every value cannot be recorded. */
static void test_no_replay_where_values_are_looked_at(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        run seen;
        run_open(&seen, device);
        seen.task.config.max_steps = 3;
        seen.task.config.algorithms = DV_ALGORITHMS_MEASURED;
        seen.task.config.check_finite = i == 0;
        seen.task.config.time_layers = i == 1;
        run_make(&seen);
        require_ok(run_go(&seen));
        assert_int_equal(dv_trainer_counters(seen.trainer).eager, 3);
        assert_int_equal(dv_trainer_counters(seen.trainer).replays, 0);
        run_close(&seen);
    }
}

/* ---- Overflow ---- */

/* A scale that is far too large is halved until it fits. Skipped updates are counted, and do not
   advance the schedule. */
static void test_overflow(void **state)
{
    (void)state;
    run seen;
    run_open(&seen, device);
    seen.task.config.mixed_precision = DV_MIXED_FP16;
    seen.task.config.algorithms = DV_ALGORITHMS_MEASURED;
    seen.task.config.epochs = 2;
    tones_on_device(&seen.task, seen.context);
    run_make(&seen);
    dv_trainer_state(seen.trainer)->loss_scale = 0x1p30;
    require_ok(run_go(&seen));
    const dv_train_state *after = dv_trainer_state_of(seen.trainer);
    assert_true(after->skipped >= 2 && after->skipped < STEPS);
    assert_true(after->loss_scale == ldexp(1, 30 - (int)after->skipped));
    assert_true(after->steady > 0 && after->steady <= 2 * STEPS - after->skipped);
    assert_int_equal(seen.last.skipped, after->skipped);
    assert_true(seen.last.loss_scale == after->loss_scale);
    /* A skipped step learns nothing, so the first losses are those of one model. */
    assert_true(seen.last.train_loss < seen.losses[0]);
    /* The rate of the last update is not that of the last step. */
    assert_true(seen.last.learning_rate > 0);
    run_close(&seen);
}

static void test_not_finite(void **state)
{
    (void)state;
    run seen;
    run_open(&seen, device);
    seen.task.config.learning_rate = 10;
    seen.task.config.optimizer = DV_SGD;
    seen.task.config.clip_norm = 0;
    seen.task.config.warmup = 0;
    seen.task.config.epochs = 30;
    seen.task.config.report_steps = 0;
    run_make(&seen);
    dv_params *params = dv_trainer_params(seen.trainer);
    int head = dv_params_find(params, "linear_1.bias");
    assert_true(head >= 0);
    float bad[CLASSES] = {NAN};
    require_ok(dv_params_write(params, head, DV_BUFFER_VALUES, bad));
    assert_int_equal(run_go(&seen), DV_ENUMERIC);
    assert_non_null(strstr(dv_error_message(), "step 0: the gradient's norm is not finite"));
    run_close(&seen);
}

/* ---- Resuming ---- */

static void move_state(const run *from, run *to)
{
    static const dv_buffer buffers[] = {DV_BUFFER_VALUES, DV_BUFFER_MOMENT1, DV_BUFFER_MOMENT2,
                                        DV_BUFFER_BEST};
    dv_params *params = dv_trainer_params(to->trainer);
    for (size_t b = 0; b < sizeof buffers / sizeof buffers[0]; b++) {
        int64_t count;
        float *copy = copy_buffer(from->trainer, buffers[b], &count), *next = copy;
        for (int i = 0; i < params->count; i++) {
            bool has_states = buffers[b] == DV_BUFFER_VALUES || buffers[b] == DV_BUFFER_BEST;
            if (params->items[i].trainable || has_states)
                require_ok(dv_params_write(params, i, buffers[b], next));
            next += params->items[i].count;
        }
        free(copy);
    }
    *dv_trainer_state(to->trainer) = *dv_trainer_state_of(from->trainer);
}

static void resumed_as_whole(int precision)
{
    run whole, first, second;
    run *const runs[] = {&whole, &first, &second};
    for (int i = 0; i < 3; i++) {
        run_open(runs[i], device);
        runs[i]->task.config.mixed_precision = precision;
        runs[i]->task.config.epochs = 2;
        tones_on_device(&runs[i]->task, runs[i]->context);
        run_make(runs[i]);
    }
    dv_trainer_state(whole.trainer)->loss_scale = precision == DV_MIXED_NONE ? 0 : 0x1p28;
    dv_trainer_state(first.trainer)->loss_scale = dv_trainer_state_of(whole.trainer)->loss_scale;
    require_ok(run_go(&whole));
    first.stop_at = STEPS + 6;
    assert_int_equal(run_go(&first), DV_EINTERRUPTED);
    assert_int_equal(dv_trainer_state_of(first.trainer)->step, STEPS + 6);
    move_state(&first, &second);
    require_ok(run_go(&second));
    assert_same_values(&whole, &second);
    dv_train_state a = *dv_trainer_state_of(whole.trainer);
    dv_train_state b = *dv_trainer_state_of(second.trainer);
    assert_int_equal(a.step, b.step);
    assert_int_equal(a.skipped, b.skipped);
    assert_true(a.loss_scale == b.loss_scale && a.best_loss == b.best_loss);
    assert_true(whole.last.train_loss == second.last.train_loss);
    assert_true(whole.last.gradient_norm == second.last.gradient_norm);
    for (int i = 0; i < 3; i++)
        run_close(runs[i]);
}

static void test_resume(void **state)
{
    (void)state;
    resumed_as_whole(DV_MIXED_NONE);
    resumed_as_whole(DV_MIXED_FP16);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_precision),
        cmocka_unit_test(test_batches_of_the_device),
        cmocka_unit_test(test_fp16),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_goes_on_where_nothing_can_be_recorded),
        cmocka_unit_test(test_no_replay_where_values_are_looked_at),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_resume),
    };
    int status = 2;
    if (argc != 2)
        return status;
    device = device_backend(argv[1], &status);
    return device != NULL ? cmocka_run_group_tests_name("trainer", tests, NULL, NULL) : status;
}
