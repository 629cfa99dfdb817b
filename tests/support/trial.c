#include "tests/support/trial.h"
#include "engine/backends/open.h"
#include "engine/base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char trial_plain_model[] = "layers:\n"
                                 "  - flatten:\n"
                                 "  - linear: {units: 12, activation: tanh, name: hidden}\n"
                                 "  - linear: {units: classes, name: head}\n";
const char trial_normed_model[] = "layers:\n"
                                  "  - frames:\n"
                                  "  - conv2d: {filters: 8, kernel: [1, 3], name: conv}\n"
                                  "  - batchnorm: {activation: silu, name: norm}\n"
                                  "  - global_avgpool:\n"
                                  "  - linear: {units: classes, name: head}\n";

void require_refused(dv_status got, dv_status code, const char *part)
{
    assert_int_equal(got, code);
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

dv_tree *parse(const char *text)
{
    dv_tree *tree;
    must(dv_yaml_parse(text, strlen(text), "t.yaml", &tree));
    return tree;
}

static void on_step(void *user, const dv_trainer *trainer)
{
    trial *seen = user;
    if (dv_trainer_state_of(trainer)->step == seen->stop_at)
        seen->stop = true;
    if (seen->watch != NULL)
        seen->watch(seen);
}

static dv_status on_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    trial *seen = user;
    (void)trainer;
    assert_true(seen->epochs < MAX_EPOCHS);
    seen->metrics[seen->epochs++] = *metrics;
    return DV_OK;
}

/* Makes the clips' source for the trial's device. */
static void use_clips(trial *seen)
{
    dv_clip_source_free(seen->task.clips);
    must(dv_clip_source_create(seen->context, &seen->task.dataset, seen->task.frontend,
                               &seen->augment, seen->task.config.batch_size, 1, &seen->task.clips));
    seen->task.source = *dv_clip_source_get(seen->task.clips);
}

void trial_open(trial *seen, const dv_backend *backend, const char *model, int train,
                int validation)
{
    memset(seen, 0, sizeof *seen);
    must(dv_context_open_backend(backend, 1, (dv_log){0}, &seen->context));
    tones_open(&seen->task, CLASSES, train, validation, false);
    tones_use_model(&seen->task, model);
    seen->task.config.report_steps = 1;
    seen->task.config.warmup = 0;
    seen->task.config.epochs = 2;
    seen->task.config.algorithms = DV_ALGORITHMS_FIXED; /* trials are compared bit by bit */
}

dv_status trial_create(trial *seen)
{
    use_clips(seen);
    return dv_trainer_create_taught(seen->context, &seen->task.config, seen->task.model,
                                    &seen->task.source, seen->teachers, seen->teacher_count,
                                    &seen->trainer);
}

void trial_freeze(trial *seen, const char *patterns)
{
    seen->freeze = parse(patterns);
    seen->task.config.freeze = seen->freeze;
}

static dv_train_next what_next(void *user)
{
    const trial *seen = user;
    return seen->stop ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

dv_status trial_go(trial *seen)
{
    dv_train_events events = {.user = seen, .step = on_step, .epoch = on_epoch, .next = what_next};
    return dv_trainer_run(seen->trainer, &events);
}

void trial_whole(trial *seen)
{
    must(trial_create(seen));
    must(trial_go(seen));
}

void trial_close(trial *seen)
{
    dv_trainer_free(seen->trainer);
    dv_tree_free(seen->freeze);
    tones_close(&seen->task);
    dv_context_close(seen->context);
}

const dv_epoch_metrics *trial_last(const trial *seen)
{
    return &seen->metrics[seen->epochs - 1];
}

float *trial_read_one(const trial *seen, const char *name, dv_buffer buffer, int64_t *count)
{
    const dv_params *params = dv_trainer_params(seen->trainer);
    int index = dv_params_find(params, name);
    assert_true(index >= 0);
    *count = params->items[index].count;
    float *values = calloc((size_t)*count, sizeof *values);
    assert_non_null(values);
    must(dv_params_read(params, index, buffer, values));
    return values;
}

float *trial_read_all(const trial *seen, dv_buffer buffer, int64_t *count)
{
    const dv_params *params = dv_trainer_params(seen->trainer);
    *count = 0;
    for (int i = 0; i < params->count; i++)
        *count += params->items[i].count;
    float *values = calloc((size_t)*count, sizeof *values), *next = values;
    assert_non_null(values);
    for (int i = 0; i < params->count; next += params->items[i++].count)
        must(dv_params_read(params, i, buffer, next));
    return values;
}

void trial_require_same(const trial *a, const trial *b)
{
    int64_t count;
    float *left = trial_read_all(a, DV_BUFFER_VALUES, &count);
    float *right = trial_read_all(b, DV_BUFFER_VALUES, &count);
    assert_memory_equal(left, right, (size_t)count * sizeof *left);
    free(left);
    free(right);
}

double trial_distance(const float *a, const float *b, int64_t count)
{
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(squares);
}

void trial_require_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * fabs(want)))
        fail_msg("got %.9g, want %.9g", got, want);
}
