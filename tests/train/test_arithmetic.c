/*
 * A trainer computes in the arithmetic of its configuration, whatever the settings of its context,
 * and leaves the context unchanged.
 *
 *     test_arithmetic [DEVICE]     on ref and cpu, or on the backend of a module
 */
#include "engine/backends/open.h"
#include "tests/support/each_backend.h"
#include "tests/support/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void require_as_before(const dv_context *context, const dv_context *before)
{
    assert_ptr_equal(context->backend, before->backend);
    assert_ptr_equal(context->device, before->device);
    assert_int_equal(context->threads, before->threads);
    assert_int_equal(context->tf32, before->tf32);
    assert_int_equal(context->algorithms, before->algorithms);
}

/* FP16 if the backend has it, or else the best that it has, which may be float. */
static int mixed_of(const dv_backend *backend)
{
    return dv_backend_has(backend, DV_F16) ? DV_MIXED_FP16 : DV_MIXED_TRUE;
}

static void open_small(trial *seen, const dv_backend *backend, int precision)
{
    trial_open(seen, backend, trial_normed_model, 8, 4);
    seen->task.config.mixed_precision = precision;
}

static void leaves_the_context(const dv_backend *backend)
{
    trial seen;
    open_small(&seen, backend, mixed_of(backend));
    const dv_context before = *seen.context;
    seen.task.config.tf32 = backend->tf32;
    seen.task.config.algorithms = DV_ALGORITHMS_ANY;
    must(trial_create(&seen));
    require_as_before(seen.context, &before);
    const dv_context *own = dv_trainer_context(seen.trainer);
    assert_int_equal(own->algorithms, DV_ALGORITHMS_ANY);
    assert_int_equal(own->tf32, backend->tf32);
    assert_int_equal(dv_trainer_params(seen.trainer)->precision.values,
                     dv_backend_has(backend, DV_F16) ? DV_F16 : DV_F32);
    must(trial_go(&seen));
    require_as_before(seen.context, &before);
    dv_trainer_free(seen.trainer);
    seen.trainer = NULL;
    require_as_before(seen.context, &before);
    trial_close(&seen);
}

/* Moves `seen` into the context of another trial, which must be closed after it. */
static void move_in(trial *seen, const trial *other)
{
    dv_context_close(seen->context);
    seen->context = other->context;
}

static void close_guest(trial *seen)
{
    seen->context = NULL;
    trial_close(seen);
}

/* Both trainers are made before either runs, and run in the opposite order. */
static void two_in_one_context(const dv_backend *backend)
{
    const int precisions[2] = {DV_MIXED_NONE, mixed_of(backend)};
    trial alone[2], together[2];
    for (int i = 0; i < 2; i++) {
        open_small(&alone[i], backend, precisions[i]);
        trial_whole(&alone[i]);
        open_small(&together[i], backend, precisions[i]);
    }
    move_in(&together[1], &together[0]);
    must(trial_create(&together[0]));
    must(trial_create(&together[1]));
    must(trial_go(&together[1]));
    must(trial_go(&together[0]));
    for (int i = 0; i < 2; i++) {
        trial_require_same(&alone[i], &together[i]);
        assert_true(trial_last(&alone[i])->train_loss == trial_last(&together[i])->train_loss);
    }
    if (dv_backend_has(backend, DV_F16))
        assert_true(trial_last(&alone[0])->train_loss != trial_last(&alone[1])->train_loss);
    close_guest(&together[1]);
    trial_close(&together[0]);
    trial_close(&alone[0]);
    trial_close(&alone[1]);
}

int main(int argc, char **argv)
{
    static const backend_test each[] = {
        {"the context stays as it was", leaves_the_context},
        {"two trainers in one context", two_in_one_context},
    };
    tested_backends backends;
    int status;
    if (!open_backends(argc, argv, &backends, &status))
        return status;
    return run_on_each("arithmetic", &backends, each, sizeof each / sizeof each[0]);
}
