/* A running training allocates nothing. If memory runs out while a training is made, only the
   training is lost. */
#include "engine/backends/open.h"
#include "tests/support/counted_allocation.h"
#include "tests/support/tones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WARM_UP = 5, STEPS = 10 };

typedef struct watch {
    int64_t before, after; /* allocations until step WARM_UP and WARM_UP + STEPS */
    int epochs;            /* number of epochs that ended between the two */
} watch;

static void on_step(void *user, const dv_trainer *trainer)
{
    watch *seen = user;
    int64_t step = dv_trainer_state_of(trainer)->step;
    if (step == WARM_UP)
        seen->before = allocation_count();
    if (step == WARM_UP + STEPS)
        seen->after = allocation_count();
}

static dv_status on_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    watch *seen = user;
    (void)metrics;
    int64_t step = dv_trainer_state_of(trainer)->step;
    seen->epochs += step > WARM_UP && step < WARM_UP + STEPS ? 1 : 0;
    return DV_OK;
}

/* The steps include reading batches, forward, backward, update, and the end of an epoch with its
   validation. */
static void count_steps(const dv_backend *backend, int threads)
{
    tones task;
    watch seen = {0};
    dv_context *context;
    dv_trainer *trainer;
    tones_open(&task, 3, 20, 6, false);
    task.config.epochs = 3;
    assert_int_equal(dv_context_open_backend(backend, threads, (dv_log){0}, &context), DV_OK);
    int64_t none = allocation_count();
    assert_int_equal(dv_trainer_create(context, &task.config, task.model, &task.source, &trainer),
                     DV_OK);
    assert_true(allocation_count() > none); /* allocations are counted */
    dv_train_events events = {.user = &seen, .step = on_step, .epoch = on_epoch};
    assert_int_equal(dv_trainer_run(trainer, &events), DV_OK);
    assert_true(seen.epochs > 0);
    assert_int_equal(seen.after - seen.before, 0);
    dv_trainer_free(trainer);
    dv_context_close(context);
    tones_close(&task);
}

static void test_steps_allocate_nothing(void **state)
{
    (void)state;
    count_steps(&dv_backend_ref, 1);
    count_steps(&dv_backend_cpu, 1);
    count_steps(&dv_backend_cpu, 2);
}

/* Makes each allocation fail in turn, until a training is made before the failing one is reached.
 */
static void fail_each(const dv_backend *backend)
{
    tones task;
    dv_context *context;
    dv_trainer *trainer;
    dv_status status;
    int64_t next = 0;
    tones_open(&task, 2, 4, 2, false);
    assert_int_equal(dv_context_open_backend(backend, 1, (dv_log){0}, &context), DV_OK);
    do {
        allocation_fail(++next);
        status = dv_trainer_create(context, &task.config, task.model, &task.source, &trainer);
        allocation_fail(0);
        if (status == DV_OK)
            break;
        assert_null(trainer);
        if (status != DV_ENOMEM || strstr(dv_error_message(), "out of memory") == NULL)
            fail_msg("allocation %lld: status %d: %s", (long long)next, (int)status,
                     dv_error_message());
    } while (next < 5000);
    assert_in_range(next, 30, 4999);
    assert_int_equal(dv_trainer_run(trainer, &(dv_train_events){0}), DV_OK);
    dv_trainer_free(trainer);
    dv_context_close(context);
    tones_close(&task);
}

static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    fail_each(&dv_backend_ref);
    fail_each(&dv_backend_cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_allocate_nothing),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
