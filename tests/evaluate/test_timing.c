/* Quantiles, the repetitions of a measurement, and the measured forward pass. */
#include "engine/core/graph.h"
#include "frontends/model/model_file.h"
#include "runner/evaluate/timing.h"
#include "tests/support/tree_helpers.h"

#include <math.h>

static void test_quantiles(void **state)
{
    (void)state;
    double seconds[200];
    for (int i = 0; i < 200; i++)
        seconds[i] = (double)((i * 77) % 200 + 1); /* 1 to 200 in mixed order */
    dv_times times = dv_times_of(seconds, 200);
    assert_true(times.minimum == 1 && times.low == 50 && times.median == 100);
    assert_true(times.high == 150 && times.p99 == 198 && times.count == 200);
    double one = 3;
    times = dv_times_of(&one, 1);
    assert_true(times.minimum == 3 && times.low == 3 && times.median == 3);
    assert_true(times.high == 3 && times.p99 == 3);
}

typedef struct job {
    int64_t done, prepared;
    int64_t fails_at; /* repetition that fails, 0 for none */
    double lasts;     /* seconds of each repetition */
} job;

static dv_status do_job(void *user)
{
    job *work = user;
    double end = dv_clock() + work->lasts;
    while (dv_clock() < end)
        ;
    return ++work->done == work->fails_at ? DV_FAIL(DV_EIO, "no more paper") : DV_OK;
}

static void prepare(void *user)
{
    job *work = user;
    work->prepared++;
    double end = dv_clock() + 0.002;
    while (dv_clock() < end)
        ;
}

static void test_repetitions(void **state)
{
    (void)state;
    dv_times times;
    job work = {.lasts = 0.001};
    dv_time_options options = {.warm = 1e-9, .seconds = 1e-9, .least = 7};
    assert_int_equal(dv_time_work(do_job, &work, &options, &times), DV_OK);
    assert_int_equal(times.count, 7); /* the time was reached long before */
    assert_int_equal(work.done, 8);   /* once to warm up */
    assert_true(times.minimum >= 0.001 && times.minimum <= times.median);

    work = (job){.lasts = 0};
    options = (dv_time_options){.warm = 1e-9, .seconds = 60, .most = 9};
    assert_int_equal(dv_time_work(do_job, &work, &options, &times), DV_OK);
    assert_int_equal(times.count, 9);

    work = (job){.lasts = 0.001};
    options = (dv_time_options){.warm = 0.02, .seconds = 0.05, .least = 1};
    double begin = dv_clock();
    assert_int_equal(dv_time_work(do_job, &work, &options, &times), DV_OK);
    assert_true(dv_clock() - begin >= 0.07);
    assert_true(work.done > times.count && times.count <= 51);
}

static void test_preparation_is_not_timed(void **state)
{
    (void)state;
    dv_times times;
    job work = {.lasts = 0};
    dv_time_options options = {.warm = 1e-9, .seconds = 1e-9, .least = 20, .prepare = prepare};
    assert_int_equal(dv_time_work(do_job, &work, &options, &times), DV_OK);
    assert_int_equal(work.prepared, work.done);
    assert_true(times.median < 0.002);
}

static void test_failure_of_the_work(void **state)
{
    (void)state;
    for (int64_t at = 1; at <= 3; at += 2) { /* while it warms up, and later */
        dv_times times;
        job work = {.fails_at = at};
        dv_time_options options = {.warm = 1e-9, .seconds = 1};
        assert_int_equal(dv_time_work(do_job, &work, &options, &times), DV_EIO);
        assert_string_equal(dv_error_message(), "no more paper");
        assert_int_equal(work.done, at);
    }
}

static void test_clocks(void **state)
{
    (void)state;
    double wall = dv_clock(), processor = dv_clock_processor();
    job work = {.lasts = 0.01};
    assert_int_equal(do_job(&work), DV_OK);
    assert_true(dv_clock() - wall >= 0.01);
    assert_true(dv_clock_processor() >= processor);
}

static void test_forward(void **state)
{
    (void)state;
    dv_tree *model;
    assert_int_equal(dv_model_file_read("configs/models/lightweight.yaml", &model), DV_OK);
    static const char *const devices[] = {"ref", "cpu"};
    float first[2] = {0};
    for (int i = 0; i < 2; i++) {
        dv_forward_options options = {.model = model,
                                      .rows = 13,
                                      .frames = 32,
                                      .classes = 10,
                                      .batch = 3,
                                      .device = devices[i],
                                      .threads = 1};
        dv_forward *forward;
        assert_int_equal(dv_forward_open(&options, &forward), DV_OK);
        assert_int_equal(dv_forward_parameters(forward), 198154);
        /* Convolutions of 13, 32 and 64 channels over 32, 16 and 8 frames; 512-256-128-10. */
        int64_t macs = 32 * 13 * 32 * 3 + 16 * 32 * 64 * 3 + 8 * 64 * 128 * 3 + 512 * 256 +
                       256 * 128 + 128 * 10;
        assert_int_equal(dv_forward_macs(forward), 3 * macs);
        assert_int_equal(dv_params_count(dv_forward_graph(forward)->params), 198154);
        assert_int_equal(dv_forward_run(forward), DV_OK);
        const float *logits = dv_forward_logits(forward);
        assert_true(isfinite(logits[29]) && logits[0] != logits[10]); /* clips differ */
        first[i] = logits[0];
        dv_forward_close(forward);
    }
    assert_true(fabs((double)first[0] - (double)first[1]) < 1e-4);
    dv_tree_free(model);
}

static void test_forward_that_cannot_be(void **state)
{
    (void)state;
    dv_tree *model = parse("layers: [{flatten: }, {linear: {units: nonsense}}]");
    dv_forward_options options = {
        .model = model, .rows = 13, .frames = 32, .classes = 10, .batch = 1, .device = "cpu"};
    dv_forward *forward;
    assert_int_equal(dv_forward_open(&options, &forward), DV_ECONFIG);
    assert_message("nonsense");
    assert_null(forward);
    options.device = "abacus";
    assert_int_equal(dv_forward_open(&options, &forward), DV_EARG);
    assert_message("abacus");
    dv_forward_close(NULL);
    dv_tree_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_repetitions),
        cmocka_unit_test(test_preparation_is_not_timed),
        cmocka_unit_test(test_failure_of_the_work),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_forward_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
