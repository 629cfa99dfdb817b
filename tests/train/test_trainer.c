#include "engine/backends/open.h"
#include "engine/optimizer/optimizer.h"
#include "tests/support/tones.h"
#include "tests/support/tree_helpers.h"

#include <math.h>

enum { MAX_EPOCHS = 64 };

static void assert_close(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.15g, want %.15g", got, want);
}

/* ---- A run and its observations ---- */

typedef struct run {
    tones *task;
    dv_context *context;
    dv_trainer *trainer;
    dv_epoch_metrics metrics[MAX_EPOCHS];
    int epochs, saves;
    int64_t steps;
    int64_t stop_at; /* step that sets `stop`, 0 for none */
    bool stop;
    float *best; /* the values (and states) of the best epoch */
} run;

/* All parameters and states, one after the other. The caller frees the copy. */
static float *copy_parameters(const dv_trainer *trainer, int64_t *count)
{
    const dv_params *params = dv_trainer_params(trainer);
    *count = 0;
    for (int i = 0; i < params->count; i++)
        *count += params->items[i].count;
    float *copy = calloc((size_t)*count, sizeof *copy), *next = copy;
    assert_non_null(copy);
    for (int i = 0; i < params->count; i++) {
        assert_int_equal(dv_params_read(params, i, DV_BUFFER_VALUES, next), DV_OK);
        next += params->items[i].count;
    }
    return copy;
}

static void on_step(void *user, const dv_trainer *trainer)
{
    run *seen = user;
    seen->steps++;
    if (dv_trainer_state_of(trainer)->step == seen->stop_at)
        seen->stop = true;
}

static dv_status on_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    run *seen = user;
    int64_t count;
    assert_true(seen->epochs < MAX_EPOCHS);
    seen->metrics[seen->epochs++] = *metrics;
    if (metrics->improved) {
        free(seen->best);
        seen->best = copy_parameters(trainer, &count);
    }
    return DV_OK;
}

static dv_status on_save(void *user, const dv_trainer *trainer)
{
    (void)trainer;
    ((run *)user)->saves++;
    return DV_OK;
}

static void run_open(run *seen, const dv_backend *backend, tones *task)
{
    memset(seen, 0, sizeof *seen);
    seen->task = task;
    assert_int_equal(dv_context_open_backend(backend, 1, (dv_log){0}, &seen->context), DV_OK);
    if (dv_trainer_create(seen->context, &task->config, task->model, &task->source,
                          &seen->trainer) != DV_OK)
        fail_msg("%s", dv_error_message());
}

static dv_train_next what_next(void *user)
{
    const run *seen = user;
    return seen->stop ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

static dv_status run_go(run *seen)
{
    dv_train_events events = {
        .user = seen, .step = on_step, .epoch = on_epoch, .save = on_save, .next = what_next};
    return dv_trainer_run(seen->trainer, &events);
}

static void run_close(run *seen)
{
    dv_trainer_free(seen->trainer);
    dv_context_close(seen->context);
    free(seen->best);
}

static const dv_epoch_metrics *last(const run *seen)
{
    return &seen->metrics[seen->epochs - 1];
}

/* ---- Learning ---- */

static void test_learns_tones(void **state)
{
    (void)state;
    tones task;
    run seen;
    tones_open(&task, 6, 24, 10, false);
    task.config.epochs = 8;
    for (int kind = 0; kind < DV_OPTIMIZER_COUNT; kind++) {
        task.config.optimizer = kind;
        task.config.learning_rate = kind == DV_SGD ? 0.1 : 0.01;
        run_open(&seen, &dv_backend_cpu, &task);
        assert_int_equal(run_go(&seen), DV_OK);
        assert_int_equal(seen.epochs, 8);
        assert_int_equal(seen.steps, 8 * (6 * 24 / 8));
        assert_true(seen.metrics[0].train_loss > last(&seen)->train_loss + 0.3);
        double best = dv_trainer_state_of(seen.trainer)->best_accuracy;
        if (!(best > 0.95))
            fail_msg("%s: accuracy %.3f", dv_optimizer_names[kind], best);
        run_close(&seen);
    }
    tones_close(&task);
}

static void test_one_batch_is_learnt_by_heart(void **state)
{
    (void)state;
    tones task;
    run seen;
    tones_open(&task, 6, 8, 0, false);
    tones_use_model(&task, "layers:\n  - frames\n  - conv2d: {filters: 16, kernel: [1, 3]}\n"
                           "  - batchnorm: {activation: relu}\n  - flatten\n"
                           "  - linear: {units: classes}\n");
    task.config.epochs = 30;
    task.config.overfit_one_batch = true;
    task.config.label_smoothing = task.config.weight_decay = 0;
    run_open(&seen, &dv_backend_cpu, &task);
    assert_int_equal(run_go(&seen), DV_OK);
    if (!(last(&seen)->train_loss < 0.01))
        fail_msg("the loss is %g", last(&seen)->train_loss);
    assert_true(last(&seen)->train_accuracy == 1);
    assert_true(isnan(last(&seen)->validation_accuracy)); /* there is no validation part */
    assert_int_equal(dv_trainer_state_of(seen.trainer)->best_epoch, 0);
    run_close(&seen);
    tones_close(&task);
}

/* The model has no bias in front of the norm: its gradient would be nothing but rounding, from
   which AdamW makes steps as large as any. */
static void test_backends_learn_the_same(void **state)
{
    (void)state;
    tones task;
    run runs[2];
    const dv_backend *const backends[2] = {&dv_backend_ref, &dv_backend_cpu};
    tones_open(&task, 3, 8, 4, false);
    tones_use_model(&task, "layers:\n  - frames\n"
                           "  - conv2d: {filters: 16, kernel: [1, 3], bias: false}\n"
                           "  - batchnorm: {activation: relu}\n  - global_maxpool\n"
                           "  - dropout: {rate: 0.1}\n  - linear: {units: classes}\n");
    task.config.epochs = 2;
    for (int i = 0; i < 2; i++) {
        run_open(&runs[i], backends[i], &task);
        assert_int_equal(run_go(&runs[i]), DV_OK);
    }
    for (int e = 0; e < 2; e++) {
        const dv_epoch_metrics *ref = &runs[0].metrics[e], *cpu = &runs[1].metrics[e];
        assert_true(fabs(ref->train_loss - cpu->train_loss) < 1e-5);
        assert_true(fabs(ref->validation_loss - cpu->validation_loss) < 1e-5);
        assert_true(fabs(ref->gradient_norm - cpu->gradient_norm) < 1e-4);
        assert_true(ref->learning_rate == cpu->learning_rate);
    }
    run_close(&runs[0]);
    run_close(&runs[1]);
    tones_close(&task);
}

/* ---- The order of the clips ---- */

enum { CLIPS = 22, BATCH = 5, PER_EPOCH = 4, ORDER_EPOCHS = 3 };

/* A source that records the requested clips. */
typedef struct order {
    dv_source inner;
    int64_t places[ORDER_EPOCHS * PER_EPOCH * BATCH];
    int64_t count;
} order;

static dv_status write_down(void *user, const int64_t *places, int64_t count, uint64_t seed,
                            uint64_t step, float *features, float *targets)
{
    order *seen = user;
    assert_int_equal(count, BATCH);
    assert_int_equal(step, seen->count / BATCH);
    memcpy(seen->places + seen->count, places, (size_t)count * sizeof *places);
    seen->count += count;
    return seen->inner.train_batch(seen->inner.user, places, count, seed, step, features, targets);
}

static void record_order(tones *task, int64_t seed, order *seen)
{
    dv_context *context;
    dv_trainer *trainer;
    *seen = (order){.inner = task->source};
    dv_source source = task->source;
    source.user = seen;
    source.train_batch = write_down;
    task->config.seed = seed;
    assert_int_equal(dv_context_open("cpu", 1, (dv_log){0}, &context), DV_OK);
    assert_int_equal(dv_trainer_create(context, &task->config, task->model, &source, &trainer),
                     DV_OK);
    assert_int_equal(dv_trainer_run(trainer, &(dv_train_events){0}), DV_OK);
    assert_int_equal(seen->count, ORDER_EPOCHS * PER_EPOCH * BATCH);
    dv_trainer_free(trainer);
    dv_context_close(context);
}

/* Each clip is taken at most once per epoch, and two are left out in turn. The order is new in each
   epoch and for each seed. */
static void test_every_epoch_has_its_order(void **state)
{
    (void)state;
    tones task;
    order first, again, other;
    tones_open(&task, 2, CLIPS / 2, 0, false);
    task.config.batch_size = BATCH;
    task.config.epochs = ORDER_EPOCHS;
    record_order(&task, 1, &first);
    record_order(&task, 1, &again);
    record_order(&task, 2, &other);
    assert_memory_equal(first.places, again.places, sizeof first.places);
    assert_memory_not_equal(first.places, other.places, sizeof first.places);
    const size_t epoch = sizeof first.places / ORDER_EPOCHS;
    for (int e = 0; e < ORDER_EPOCHS; e++) {
        const int64_t *places = first.places + e * PER_EPOCH * BATCH;
        bool used[CLIPS] = {false};
        for (int i = 0; i < PER_EPOCH * BATCH; i++) {
            assert_in_range(places[i], 0, CLIPS - 1);
            assert_false(used[places[i]]);
            used[places[i]] = true;
        }
        if (e > 0)
            assert_memory_not_equal(places, first.places, epoch);
    }
    tones_close(&task);
}

/* ---- The schedule ---- */

/* Every update has a rate above the minimum, which the update after the last would have. */
static void test_short_runs_end_above_the_minimum(void **state)
{
    (void)state;
    tones task;
    run seen;
    tones_open(&task, 2, 12, 4, false);
    task.config.minimum_rate = 1e-4;
    for (int epochs = 1; epochs <= 3; epochs++) {
        task.config.epochs = epochs;
        run_open(&seen, &dv_backend_cpu, &task);
        assert_int_equal(run_go(&seen), DV_OK);
        assert_int_equal(seen.epochs, epochs);
        assert_int_equal(seen.steps, 3 * epochs);
        double updates = 3 * epochs, angle = acos(-1) * (updates - 1) / updates;
        double rate = 1e-4 + (0.01 - 1e-4) * (1 + cos(angle)) / 2;
        assert_close(last(&seen)->learning_rate, rate, 1e-12);
        assert_true(dv_trainer_state_of(seen.trainer)->finished);
        assert_int_equal(seen.saves, 1); /* only at the end; 30 s have not passed */
        run_close(&seen);
    }
    tones_close(&task);
}

/* ---- Stopping ---- */

static void test_early_stopping_restores_the_best(void **state)
{
    (void)state;
    tones task;
    run seen;
    int64_t count;
    tones_open(&task, 3, 16, 8, true);
    task.config.epochs = 40;
    task.config.patience = 4;
    const dv_backend *const backends[2] = {&dv_backend_ref, &dv_backend_cpu};
    for (int i = 0; i < 2; i++) {
        run_open(&seen, backends[i], &task);
        assert_int_equal(run_go(&seen), DV_OK);
        const dv_train_state *end = dv_trainer_state_of(seen.trainer);
        assert_int_equal(end->stale, 4);
        assert_int_equal(seen.epochs, end->best_epoch + 4);
        assert_true(seen.epochs < 40);
        assert_true(seen.metrics[end->best_epoch - 1].improved);
        for (int64_t e = end->best_epoch; e < seen.epochs; e++)
            assert_false(seen.metrics[e].improved);
        assert_true(end->best_accuracy == seen.metrics[end->best_epoch - 1].validation_accuracy);
        float *values = copy_parameters(seen.trainer, &count);
        assert_memory_equal(values, seen.best, (size_t)count * sizeof *values);
        free(values);
        run_close(&seen);
    }
    tones_close(&task);
}

static void test_max_steps(void **state)
{
    (void)state;
    tones task;
    run seen;
    tones_open(&task, 2, 20, 4, false); /* 5 steps per epoch */
    const int64_t most[] = {1, 4, 5, 7, 1000};
    const int epochs[] = {1, 1, 1, 2, 4};
    for (int i = 0; i < 5; i++) {
        task.config.max_steps = most[i];
        run_open(&seen, &dv_backend_cpu, &task);
        assert_int_equal(run_go(&seen), DV_OK);
        assert_int_equal(seen.steps, most[i] < 20 ? most[i] : 20);
        assert_int_equal(seen.epochs, epochs[i]);
        assert_true(dv_trainer_state_of(seen.trainer)->finished);
        assert_int_equal(run_go(&seen), DV_OK); /* nothing is left to do */
        assert_int_equal(seen.epochs, epochs[i]);
        run_close(&seen);
    }
    tones_close(&task);
}

/* ---- Clipping ---- */

static double distance(const float *a, const float *b, int64_t count)
{
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(squares);
}

/* The length of one step of plain gradient descent. *norm is the gradient's norm before clipping.
 */
static double one_step(tones *task, double clip_norm, double *norm)
{
    run seen;
    int64_t count;
    task->config.clip_norm = clip_norm;
    run_open(&seen, &dv_backend_cpu, task);
    float *before = copy_parameters(seen.trainer, &count);
    assert_int_equal(run_go(&seen), DV_OK);
    float *after = copy_parameters(seen.trainer, &count);
    *norm = last(&seen)->gradient_norm;
    double moved = distance(before, after, count);
    free(before);
    free(after);
    run_close(&seen);
    return moved;
}

static void test_clipping_limits_the_step(void **state)
{
    (void)state;
    tones task;
    tones_open(&task, 3, 8, 0, false);
    /* The model has no running statistics, which would move, too. */
    tones_use_model(&task, "layers:\n  - flatten\n  - linear: {units: 8, activation: tanh}\n"
                           "  - linear: {units: classes}\n");
    task.config.optimizer = DV_SGD;
    task.config.beta1 = task.config.weight_decay = task.config.warmup = 0;
    task.config.learning_rate = 1;
    task.config.max_steps = 1;
    double norm, clipped_norm;
    double free_step = one_step(&task, 0, &norm);
    assert_true(norm > 0.1);
    assert_close(free_step / norm, 1, 1e-4);
    double clipped = one_step(&task, norm / 4, &clipped_norm);
    assert_true(norm == clipped_norm); /* the reported norm is that before clipping */
    assert_close(clipped / (norm / 4), 1, 1e-4);
    assert_true(one_step(&task, 2 * norm, &clipped_norm) == free_step); /* no effect below */
    tones_close(&task);
}

/* ---- State ---- */

/* Fills a field with a value of its own that is not 0. Returns its size. */
static size_t fill_field(const dv_field *field, int number, void *record)
{
    void *slot = (char *)record + field->offset;
    if (field->kind == DV_FIELD_INT)
        *(int64_t *)slot = 123456789 + number;
    else if (field->kind == DV_FIELD_FLOAT)
        *(double *)slot = (number % 2 == 0 ? 1e-300 : -5e299) / (3 + number);
    else if (field->kind == DV_FIELD_BOOL)
        return *(bool *)slot = true;
    else
        fail_msg("%s is of a kind that is not known here", field->key);
    return 8;
}

static void test_state_round_trip(void **state)
{
    (void)state;
    dv_train_state before = {0}, after = {0};
    dv_tree *tree, *again;
    char *text;
    size_t size = 0;
    for (int i = 0; dv_train_state_fields[i].kind != DV_FIELD_END; i++)
        size += fill_field(&dv_train_state_fields[i], i, &before);
    assert_int_equal((size + 7) / 8 * 8, sizeof before); /* each member has a field */
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &tree), DV_OK);
    assert_int_equal(dv_fields_write(dv_train_state_fields, &before, tree), DV_OK);
    assert_int_equal(dv_yaml_write(tree, &text), DV_OK);
    assert_int_equal(dv_yaml_parse(text, strlen(text), "state", &again), DV_OK);
    assert_int_equal(dv_fields_read(dv_train_state_fields, again, "state", &after), DV_OK);
    assert_memory_equal(&before, &after, sizeof before);
    dv_tree_free(tree);
    dv_tree_free(again);
    free(text);
    /* A missing field is not read as 0. */
    assert_int_equal(dv_yaml_parse("step: 3", 7, "state", &tree), DV_OK);
    assert_int_equal(dv_fields_read(dv_train_state_fields, tree, "state", &after), DV_ECONFIG);
    assert_message("missing");
    dv_tree_free(tree);
}

/* Copies all that a checkpoint holds from one trainer to another. */
static void hand_over(const run *from, run *to)
{
    *dv_trainer_state(to->trainer) = *dv_trainer_state_of(from->trainer);
    const dv_params *source = dv_trainer_params(from->trainer);
    dv_params *target = dv_trainer_params(to->trainer);
    for (int i = 0; i < source->count; i++) {
        float *values = calloc((size_t)source->items[i].count, sizeof *values);
        for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++) {
            if (dv_params_address(source, i, (dv_buffer)buffer) == NULL ||
                buffer == DV_BUFFER_GRADIENTS)
                continue;
            assert_int_equal(dv_params_read(source, i, (dv_buffer)buffer, values), DV_OK);
            assert_int_equal(dv_params_write(target, i, (dv_buffer)buffer, values), DV_OK);
        }
        free(values);
    }
}

/* A training that is stopped after any step and resumed in a new trainer ends the same. */
static void test_stopping_and_going_on_changes_nothing(void **state)
{
    (void)state;
    tones task;
    run whole, first, second;
    int64_t count;
    tones_open(&task, 3, 14, 4, false); /* 5 steps per epoch, 2 clips left over */
    task.config.epochs = 3;
    run_open(&whole, &dv_backend_cpu, &task);
    assert_int_equal(run_go(&whole), DV_OK);
    float *want = copy_parameters(whole.trainer, &count);
    const int64_t stops[] = {1, 4, 5, 8, 10, 14};
    for (int i = 0; i < 6; i++) {
        run_open(&first, &dv_backend_cpu, &task);
        first.stop_at = stops[i];
        assert_int_equal(run_go(&first), DV_EINTERRUPTED);
        assert_message(stops[i] % 5 == 0 ? "interrupted after epoch" : "interrupted after step");
        assert_int_equal(first.saves, 1);
        assert_int_equal(first.steps, stops[i]);
        run_open(&second, &dv_backend_cpu, &task);
        hand_over(&first, &second);
        assert_int_equal(run_go(&second), DV_OK);
        assert_int_equal(first.epochs + second.epochs, 3);
        for (int e = 0; e < 3; e++) {
            const dv_epoch_metrics *got =
                e < first.epochs ? &first.metrics[e] : &second.metrics[e - first.epochs];
            assert_int_equal(got->epoch, e + 1);
            assert_memory_equal(got, &whole.metrics[e], offsetof(dv_epoch_metrics, seconds));
        }
        float *got = copy_parameters(second.trainer, &count);
        assert_memory_equal(got, want, (size_t)count * sizeof *got);
        free(got);
        run_close(&first);
        run_close(&second);
    }
    free(want);
    run_close(&whole);
    tones_close(&task);
}

static void test_a_stop_at_the_very_end_is_too_late(void **state)
{
    (void)state;
    tones task;
    run seen;
    tones_open(&task, 2, 8, 4, false);
    task.config.epochs = 2;
    run_open(&seen, &dv_backend_cpu, &task);
    seen.stop_at = 4;
    assert_int_equal(run_go(&seen), DV_OK);
    assert_int_equal(seen.saves, 1);
    run_close(&seen);
    tones_close(&task);
}

static void test_checkpoint_seconds_zero_saves_every_epoch(void **state)
{
    (void)state;
    tones task;
    run seen;
    tones_open(&task, 2, 8, 4, false);
    task.config.checkpoint_seconds = 0;
    run_open(&seen, &dv_backend_cpu, &task);
    assert_int_equal(run_go(&seen), DV_OK);
    assert_int_equal(seen.saves, 4);
    run_close(&seen);
    tones_close(&task);
}

/* ---- Refusals ---- */

static dv_status fail_to_save(void *user, const dv_trainer *trainer)
{
    (void)user;
    (void)trainer;
    return dv_fail(DV_EIO, "the disk is full");
}

static void test_failures_come_through(void **state)
{
    (void)state;
    tones task;
    run seen;
    tones_open(&task, 2, 8, 4, false);
    run_open(&seen, &dv_backend_cpu, &task);
    dv_train_events events = {.save = fail_to_save};
    assert_int_equal(dv_trainer_run(seen.trainer, &events), DV_EIO);
    assert_message("the disk is full");
    run_close(&seen);
    task.config.learning_rate = 1e9; /* the loss runs away */
    task.config.epochs = 20;
    task.config.clip_norm = 0;
    task.config.optimizer = DV_SGD;
    run_open(&seen, &dv_backend_cpu, &task);
    assert_int_equal(run_go(&seen), DV_ENUMERIC);
    assert_message("not finite");
    run_close(&seen);
    task.config.check_finite = true;
    run_open(&seen, &dv_backend_cpu, &task);
    assert_int_equal(run_go(&seen), DV_ENUMERIC);
    assert_message("of '");
    run_close(&seen);
    tones_close(&task);
}

static void test_nothing_to_train_on(void **state)
{
    (void)state;
    tones task;
    dv_context *context;
    dv_trainer *trainer;
    tones_open(&task, 2, 1, 2, false);
    dv_source none = task.source;
    none.train_count = 0;
    assert_int_equal(dv_context_open("cpu", 1, (dv_log){0}, &context), DV_OK);
    assert_int_equal(dv_trainer_create(context, &task.config, task.model, &none, &trainer),
                     DV_EFORMAT);
    assert_null(trainer);
    assert_message("nothing to train on");
    /* With fewer clips than a batch, the batch shrinks. */
    assert_int_equal(dv_trainer_create(context, &task.config, task.model, &task.source, &trainer),
                     DV_OK);
    assert_int_equal(dv_trainer_batch_size(trainer), 2);
    assert_int_equal(dv_trainer_steps_per_epoch(trainer), 1);
    assert_int_equal(dv_trainer_run(trainer, &(dv_train_events){0}), DV_OK);
    dv_trainer_free(trainer);
    dv_context_close(context);
    tones_close(&task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_tones),
        cmocka_unit_test(test_one_batch_is_learnt_by_heart),
        cmocka_unit_test(test_backends_learn_the_same),
        cmocka_unit_test(test_every_epoch_has_its_order),
        cmocka_unit_test(test_short_runs_end_above_the_minimum),
        cmocka_unit_test(test_early_stopping_restores_the_best),
        cmocka_unit_test(test_max_steps),
        cmocka_unit_test(test_clipping_limits_the_step),
        cmocka_unit_test(test_state_round_trip),
        cmocka_unit_test(test_stopping_and_going_on_changes_nothing),
        cmocka_unit_test(test_a_stop_at_the_very_end_is_too_late),
        cmocka_unit_test(test_checkpoint_seconds_zero_saves_every_epoch),
        cmocka_unit_test(test_failures_come_through),
        cmocka_unit_test(test_nothing_to_train_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
