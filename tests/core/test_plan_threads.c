/* The number of threads of a plan: an inference plan takes no more than its steps' work is worth,
   and OpenMP gets its own number back. Also, that steps are planned with the plan's device current.
 */
#include "engine/backends/open.h"
#include "engine/core/plan_internal.h"
#include "engine/ops/ops.h"
#include "tests/support/network.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const int context_threads = 3, threads_before = 5;
static int seen; /* threads in the linear layer */

static dv_status watched_forward(dv_node_step *s)
{
    seen = omp_get_max_threads();
    return dv_backend_cpu.impls[DV_OP_linear]->forward(s);
}

static dv_status watched_backward(dv_node_step *s)
{
    seen = omp_get_max_threads();
    return dv_backend_cpu.impls[DV_OP_linear]->backward(s);
}

/* Asserts the threads in all passes of a plan of two linear layers of units x units on `batch`
   rows, which have batch units^2 multiply-adds in each step. */
static void require_threads(int64_t batch, int units, bool training, int want)
{
    patched_backend watched;
    patched_backend_init(&watched, &dv_backend_cpu, DV_OP_linear);
    watched.impl.forward = watched_forward;
    watched.impl.backward = watched_backward;
    char text[200];
    snprintf(text, sizeof text,
             "layers:\n  - flatten\n  - linear: {units: %d}\n  - linear: {units: %d}\n", units,
             units);
    network net;
    network_begin(&net, &watched.backend, (dv_shape){batch, 1, 1, units});
    net.context->threads = context_threads;
    net.pass.training = training;
    network_layers(&net, text, units);
    omp_set_num_threads(threads_before);
    network_plan(&net, &(dv_plan_options){.training = training});
    assert_int_equal(omp_get_max_threads(), threads_before);
    seen = 0;
    network_forward(&net);
    assert_int_equal(seen, want);
    assert_int_equal(omp_get_max_threads(), threads_before);
    if (training) {
        seen = 0;
        network_backward(&net);
        assert_int_equal(seen, want);
        assert_int_equal(omp_get_max_threads(), threads_before);
    }
    network_close(&net);
}

/* A thread needs 0.39 million multiply-adds per step. Flatten is a step as well. */
static void test_inference_takes_what_is_worth_it(void **state)
{
    (void)state;
    require_threads(1, 256, false, 1);  /* 0.04 million per step */
    require_threads(16, 256, false, 1); /* 0.7 */
    require_threads(20, 256, false, 2); /* 0.87 */
    require_threads(64, 256, false, 3); /* 2.8 */
}

static void test_training_takes_all(void **state)
{
    (void)state;
    require_threads(1, 16, true, context_threads);
}

static void test_a_failed_pass_gives_back_too(void **state)
{
    (void)state;
    network net;
    dv_plan_options options = {.check_finite = true};
    network_begin(&net, &dv_backend_cpu, (dv_shape){1, 1, 1, 4});
    network_layers(&net, "layers:\n  - flatten\n  - linear: {units: classes}\n", 10);
    network_plan(&net, &options);
    net.pass.training = false;
    network_set_value(&net, net.input, (double[]){0, (double)NAN, 0, 0});
    omp_set_num_threads(threads_before);
    assert_int_equal(dv_plan_forward(net.plan, &net.pass), DV_ENUMERIC);
    assert_int_equal(omp_get_max_threads(), threads_before);
    network_close(&net);
}

static int entered;

static dv_status enter(dv_context *context)
{
    (void)context;
    return entered++ == 0 ? DV_OK : DV_FAIL(DV_EDEVICE, "the device is gone");
}

static dv_status plan_entered(dv_planner *planner, dv_node_step *s)
{
    (void)planner;
    (void)s;
    return entered == 1 ? DV_OK : DV_FAIL(DV_EARG, "entered %d times", entered);
}

/* While steps are planned, they allocate on the thread's current device. */
static void test_the_device_is_entered_before_steps_are_planned(void **state)
{
    (void)state;
    patched_backend patched;
    patched_backend_init(&patched, &dv_backend_ref, DV_OP_flatten);
    patched.impl.plan = plan_entered;
    patched.backend.enter = enter;
    network net;
    entered = 0;
    network_open(&net, &patched.backend, "layers:\n  - flatten\n", (dv_shape){2, 4, 3, 4}, 48,
                 NULL);
    assert_int_equal(entered, 1);
    dv_plan *plan;
    assert_int_equal(dv_plan_create(net.context, net.graph, &(dv_plan_options){0}, &plan),
                     DV_EDEVICE);
    assert_null(plan);
    assert_string_equal(dv_error_message(), "the device is gone");
    network_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inference_takes_what_is_worth_it),
        cmocka_unit_test(test_training_takes_all),
        cmocka_unit_test(test_a_failed_pass_gives_back_too),
        cmocka_unit_test(test_the_device_is_entered_before_steps_are_planned),
    };
    return cmocka_run_group_tests_name("threads of plans", tests, NULL, NULL);
}
