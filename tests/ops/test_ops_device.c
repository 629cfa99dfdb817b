/*
 * Every case of the table on a device of a module against ref, and the optimisers:
 *
 *     test_ops_device DEVICE [CASE]     cudasim or cuda; cases whose name contains CASE
 *
 * The device's memory cannot be guarded from here: the simulated device does that itself.
 */
#include "engine/core/module.h"
#include "tests/ops/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SKIPPED = 77 };

typedef struct test_suite {
    const dv_backend *backend;
    double used[TOLERANCE_COUNT];
    char where[TOLERANCE_COUNT][160];
} test_suite;

/* The state of one test. */
typedef struct test_job {
    test_suite *suite;
    const op_case *item;
    const optimizer_case *optimizer;
    char name[96];
} test_job;

static void require_ok(const char *name, dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s: %s", name, dv_status_text(status), dv_error_message());
}

static void require_close(const test_job *job, op_tolerance tolerance, const char *what,
                          const double *got, const double *want, int64_t count)
{
    tolerance_report report = tolerance_compare(tolerance, got, want, count);
    char text[256];
    tolerance_describe(tolerance, &report, text, sizeof text);
    if (!report.ok)
        fail_msg("%s: %s: %s", job->name, what, text);
    if (report.used > job->suite->used[tolerance]) {
        job->suite->used[tolerance] = report.used;
        snprintf(job->suite->where[tolerance], sizeof job->suite->where[tolerance], "%s: %s",
                 job->name, what);
    }
}

/* ---- Operations ---- */

static op_rig *open_rig(const op_case *item, const dv_backend *backend, op_rig_options options)
{
    op_rig *rig;
    options.unguarded = true;
    require_ok(item->name, op_rig_open(item, backend, &options, &rig));
    return rig;
}

/* NaN in all that forward and backward have to write: they write all of it, and never add. */
static void poison(op_rig *rig)
{
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *tensor = &rig->tensors[i];
        float *nan = malloc((size_t)tensor->count * sizeof *nan);
        assert_non_null(nan);
        for (int64_t k = 0; k < tensor->count; k++)
            nan[k] = NAN;
        dv_status status = DV_OK;
        if (tensor->kind == TENSOR_OUTPUT)
            status = dv_plan_upload(rig->plan, tensor->index, nan);
        else if (tensor->gradient != NULL && tensor->kind == TENSOR_INPUT)
            status = dv_plan_upload_gradient(rig->plan, tensor->index, nan);
        else if (tensor->gradient != NULL)
            status = dv_params_write(rig->params, tensor->index, DV_GRADIENTS, nan);
        free(nan);
        require_ok(rig->item->name, status);
    }
}

static void run(op_rig *rig)
{
    require_ok(rig->item->name, op_rig_forward(rig));
    if (!rig->inference)
        require_ok(rig->item->name, op_rig_backward(rig));
}

static void require_same(const test_job *job, op_tolerance tolerance, const op_rig *rig,
                         const op_rig *reference)
{
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *got = &rig->tensors[i], *want = &reference->tensors[i];
        char what[DV_NAME_SIZE + 16];
        snprintf(what, sizeof what, "%s", got->name);
        if (got->kind == TENSOR_OUTPUT || got->kind == TENSOR_STATE)
            require_close(job, tolerance, what, got->value, want->value, got->count);
        snprintf(what, sizeof what, "gradient of %s", got->name);
        if (got->gradient != NULL)
            require_close(job, tolerance, what, got->gradient, want->gradient, got->count);
    }
}

static void check_variant(const test_job *job, op_rig_options options, const op_rig *reference)
{
    op_rig *rig = open_rig(job->item, job->suite->backend, options);
    poison(rig);
    run(rig);
    require_same(job, job->item->tolerance, rig, reference);
    op_rig_close(rig);
}

/* A second device, or a second run, gives the same bits. */
static void check_repeatable(const test_job *job)
{
    op_rig *first = open_rig(job->item, job->suite->backend, (op_rig_options){0});
    op_rig *second = open_rig(job->item, job->suite->backend, (op_rig_options){0});
    run(first);
    run(second);
    require_same(job, TOLERANCE_EXACT, second, first);
    run(second);
    require_same(job, TOLERANCE_EXACT, second, first);
    op_rig_close(first);
    op_rig_close(second);
}

static void check_operation(const test_job *job, bool inference)
{
    op_rig_options options = {.inference = inference};
    op_rig *reference = open_rig(job->item, &dv_backend_ref, options);
    const dv_node *node = &reference->graph->nodes[reference->node];
    run(reference);
    check_variant(job, options, reference);
    options.plain = true;
    if (node->param_count > 0)
        check_variant(job, options, reference);
    options = (op_rig_options){.unwanted = 1};
    if (!reference->inference && node->param_count > 0)
        check_variant(job, options, reference);
    op_rig_close(reference);
}

static void test_operation(void **state)
{
    const test_job *job = *state;
    check_operation(job, true);
    if ((job->item->flags & CASE_INFERENCE) != 0)
        return;
    check_operation(job, false);
    if ((job->item->flags & CASE_LARGE) == 0)
        check_repeatable(job);
}

static void test_every_operation_is_there(void **state)
{
    const test_job *job = *state;
    for (int id = 0; id < DV_OP_COUNT; id++) {
        const dv_impl *impl = job->suite->backend->impls[id];
        if (impl == NULL || impl->forward == NULL || (id != DV_OP_input && impl->backward == NULL))
            fail_msg("%s lacks %s", job->suite->backend->name, dv_op_get((dv_op_id)id)->name);
    }
}

/* ---- Optimisers ---- */

enum { BUFFERS = 4 }; /* values, gradients, both moments */

typedef struct bench {
    const dv_backend *backend;
    dv_context *context;
    int64_t count;
    float *host; /* (count) */
    void *memory[BUFFERS];
} bench;

static size_t bench_bytes(const bench *b)
{
    return (size_t)b->count * sizeof *b->host;
}

static bench bench_open(const dv_backend *backend, int64_t count)
{
    bench b = {.backend = backend, .count = count};
    b.host = calloc((size_t)count, sizeof *b.host);
    assert_non_null(b.host);
    require_ok("open", dv_context_open_backend(backend, 1, (dv_log){0}, &b.context));
    for (int k = 0; k < BUFFERS; k++)
        require_ok("allocate", backend->allocate(b.context, bench_bytes(&b), &b.memory[k]));
    return b;
}

static void bench_close(bench *b)
{
    for (int k = 0; k < BUFFERS; k++)
        b->backend->release(b->context, b->memory[k]);
    dv_context_close(b->context);
    free(b->host);
}

static void put(bench *b, int buffer, const double *values)
{
    for (int64_t i = 0; i < b->count; i++)
        b->host[i] = (float)values[i];
    require_ok("upload",
               b->backend->upload(b->context, b->memory[buffer], b->host, bench_bytes(b)));
}

static void get(bench *b, int buffer, double *values)
{
    require_ok("download",
               b->backend->download(b->context, b->host, b->memory[buffer], bench_bytes(b)));
    for (int64_t i = 0; i < b->count; i++)
        values[i] = b->host[i];
}

static void update(const bench *b, const optimizer_case *item, uint64_t t)
{
    dv_update step = {
        .kind = item->kind,
        .count = item->count,
        .decay_count = item->decay_count,
        .values = b->memory[0],
        .gradients = b->memory[1],
        .moment1 = b->memory[2],
        .moment2 = item->kind == DV_SGD ? NULL : b->memory[3],
        .learning_rate = item->learning_rate,
        .weight_decay = item->weight_decay,
        .beta1 = item->beta1,
        .beta2 = item->beta2,
        .epsilon = item->epsilon,
        .gradient_scale = item->gradient_scale,
        .t = t,
    };
    require_ok(item->name, b->backend->optimizer->update(b->context, &step));
}

/* (OPTIMIZER_STEPS, count) values after each update, then the sums of squares of the gradients
   (OPTIMIZER_STEPS); the caller frees. */
static double *trajectory(const optimizer_case *item, const dv_backend *backend)
{
    size_t count = (size_t)item->count;
    double *values = calloc(count, sizeof *values);
    double *after = calloc(OPTIMIZER_STEPS * (count + 1), sizeof *after);
    assert_non_null(values);
    assert_non_null(after);
    bench b = bench_open(backend, item->count);
    optimizer_case_fill(item, 0, values);
    put(&b, 0, values);
    for (int step = 1; step <= OPTIMIZER_STEPS; step++) {
        optimizer_case_fill(item, step, values);
        put(&b, 1, values);
        update(&b, item, (uint64_t)step);
        get(&b, 0, after + (size_t)(step - 1) * count);
        require_ok(item->name, backend->optimizer->sum_of_squares(
                                   b.context, b.memory[1], item->count,
                                   &after[OPTIMIZER_STEPS * count + (size_t)(step - 1)]));
    }
    bench_close(&b);
    free(values);
    return after;
}

static void test_optimizer(void **state)
{
    const test_job *job = *state;
    const optimizer_case *item = job->optimizer;
    int64_t values = OPTIMIZER_STEPS * item->count;
    double *got = trajectory(item, job->suite->backend);
    double *want = trajectory(item, &dv_backend_ref);
    require_close(job, TOLERANCE_SUM, "values", got, want, values);
    require_close(job, TOLERANCE_SUM, "sum of squares", got + values, want + values,
                  OPTIMIZER_STEPS);
    free(got);
    free(want);
}

/* The trainer stops on it, or leaves the step out. */
static void test_sum_of_squares_is_not_finite(void **state)
{
    const test_job *job = *state;
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    enum { COUNT = 5000 };
    double *values = calloc(COUNT, sizeof *values);
    assert_non_null(values);
    bench b = bench_open(job->suite->backend, COUNT);
    for (int i = 0; i < 3; i++) {
        double sum;
        values[COUNT - 1 - i] = bad[i];
        put(&b, 1, values);
        values[COUNT - 1 - i] = 0;
        require_ok("sum of squares", job->suite->backend->optimizer->sum_of_squares(
                                         b.context, b.memory[1], COUNT, &sum));
        assert_true(isfinite(sum) == 0);
    }
    bench_close(&b);
    free(values);
}

/* ---- Memory ---- */

static void test_too_much_memory(void **state)
{
    const test_job *job = *state;
    const dv_backend *backend = job->suite->backend;
    dv_context *context;
    void *memory;
    require_ok("open", dv_context_open_backend(backend, 1, (dv_log){0}, &context));
    assert_int_equal(backend->allocate(context, (size_t)1 << 50, &memory), DV_ENOMEM);
    assert_null(memory);
    assert_non_null(strstr(dv_error_message(), "1125899906842624 bytes"));
    require_ok("allocate", backend->allocate(context, 100, &memory)); /* the failure is over */
    float zeros[25];
    memset(zeros, 1, sizeof zeros);
    require_ok("download", backend->download(context, zeros, memory, sizeof zeros));
    for (size_t i = 0; i < 25; i++)
        assert_true(zeros[i] == 0);
    backend->release(context, memory);
    dv_context_close(context);
}

/* ---- The list of tests ---- */

typedef struct test_list {
    struct CMUnitTest *tests;
    test_job *jobs;
    size_t count;
} test_list;

static void append(test_list *list, test_suite *suite, const op_case *item,
                   const optimizer_case *optimizer, const char *name, CMUnitTestFunction function)
{
    test_job *job = &list->jobs[list->count];
    *job = (test_job){.suite = suite, .item = item, .optimizer = optimizer};
    snprintf(job->name, sizeof job->name, "%s on %s", name, suite->backend->name);
    list->tests[list->count++] = (struct CMUnitTest){job->name, function, NULL, NULL, job};
}

static void append_cases(test_list *list, test_suite *suite, const char *part, unsigned large)
{
    for (int i = 0; i < op_case_count; i++) {
        const op_case *item = &op_cases[i];
        if ((item->flags & CASE_LARGE) == large &&
            (part == NULL || strstr(item->name, part) != NULL))
            append(list, suite, item, NULL, item->name, test_operation);
    }
}

/* The large cases last: the simulated device becomes slower with all memory it has ever given. */
static void append_all(test_list *list, test_suite *suite, const char *part)
{
    append_cases(list, suite, part, 0);
    for (int i = 0; i < optimizer_case_count; i++) {
        if (part == NULL || strstr(optimizer_cases[i].name, part) != NULL)
            append(list, suite, NULL, &optimizer_cases[i], optimizer_cases[i].name, test_optimizer);
    }
    if (part == NULL) {
        append(list, suite, NULL, NULL, "every operation", test_every_operation_is_there);
        append(list, suite, NULL, NULL, "sums that are not finite",
               test_sum_of_squares_is_not_finite);
        append(list, suite, NULL, NULL, "too much memory", test_too_much_memory);
    }
    append_cases(list, suite, part, CASE_LARGE);
}

static int run_all(const dv_backend *backend, const char *part)
{
    test_suite suite = {.backend = backend};
    size_t most = (size_t)(op_case_count + optimizer_case_count) + 3;
    test_list list = {.tests = calloc(most, sizeof *list.tests),
                      .jobs = calloc(most, sizeof *list.jobs)};
    int failures = 1;
    if (list.tests != NULL && list.jobs != NULL) {
        append_all(&list, &suite, part);
        failures = _cmocka_run_group_tests(backend->name, list.tests, list.count, NULL, NULL);
        for (int t = 0; t < TOLERANCE_COUNT; t++)
            printf("%-8s %5.1f %% of the budget used by %s\n", tolerance_get((op_tolerance)t).name,
                   100 * suite.used[t], suite.where[t]);
    }
    free(list.tests);
    free(list.jobs);
    return failures != 0;
}

/* A missing module is a reason to skip, and a missing device is one where it is a real one. */
int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s DEVICE [CASE]\n", argv[0]);
        return 2;
    }
    char places[4096];
    bool simulated = strcmp(argv[1], "cudasim") == 0;
    if (!dv_module_find(simulated ? "cudasim" : "cuda", places, sizeof places)) {
        printf("skipped: no module for %s in %s\n", argv[1], places);
        return SKIPPED;
    }
    dv_context *context;
    if (dv_context_open(argv[1], 1, (dv_log){0}, &context) != DV_OK) {
        printf("%s%s\n", simulated ? "" : "skipped: ", dv_error_message());
        return simulated ? 1 : SKIPPED;
    }
    const dv_backend *backend = context->backend;
    dv_context_close(context);
    return run_all(backend, argc > 2 ? argv[2] : NULL);
}
