/* A training that its caller finishes: within an epoch, after one, and at its own end. */
#include "engine/backends/open.h"
#include "engine/base/yaml.h"
#include "tests/support/tones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct run {
    int64_t steps, epochs, saves;
    int64_t finish_at; /* step after which the caller finishes, once */
    bool said;
} run;

static void on_step(void *user, const dv_trainer *trainer)
{
    (void)trainer;
    ((run *)user)->steps++;
}

static dv_status on_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    (void)trainer, (void)metrics;
    ((run *)user)->epochs++;
    return DV_OK;
}

static dv_status on_save(void *user, const dv_trainer *trainer)
{
    run *seen = user;
    seen->saves++;
    assert_true(dv_trainer_state_of(trainer)->finished);
    return DV_OK;
}

static dv_train_next what_next(void *user)
{
    run *seen = user;
    bool now = !seen->said && seen->steps == seen->finish_at;
    seen->said = seen->said || now;
    return now ? DV_TRAIN_FINISH : DV_TRAIN_CONTINUE;
}

static void test_the_epoch_at_hand_is_the_last_one(void **state)
{
    (void)state;
    enum { STEPS = 5, EPOCHS = 3 };
    const struct {
        int64_t step, epochs;
    } cases[] = {{1, 1}, {5, 1}, {6, 2}, {10, 2}, {15, 3}, {16, 3}};
    tones task;
    dv_context *context;
    assert_int_equal(dv_context_open("cpu", 1, (dv_log){0}, &context), DV_OK);
    tones_open(&task, 3, 14, 4, false); /* five steps of four clips, with two clips left over */
    task.config.epochs = EPOCHS;
    task.config.batch_size = 8;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_trainer *trainer;
        run seen = {.finish_at = cases[i].step};
        const dv_train_events events = {
            .user = &seen, .step = on_step, .epoch = on_epoch, .save = on_save, .next = what_next};
        assert_int_equal(
            dv_trainer_create(context, &task.config, task.model, &task.source, &trainer), DV_OK);
        assert_int_equal(dv_trainer_steps_per_epoch(trainer), STEPS);
        assert_int_equal(dv_trainer_run(trainer, &events), DV_OK);
        assert_int_equal(seen.epochs, cases[i].epochs);
        assert_int_equal(seen.steps, STEPS * cases[i].epochs);
        assert_int_equal(seen.saves, 1);
        dv_trainer_free(trainer);
    }
    tones_close(&task);
    dv_context_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_epoch_at_hand_is_the_last_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
