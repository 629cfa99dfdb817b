/*
 * Every case of the table on a device of a module against ref:
 *
 *     test_ops_device DEVICE [CASE]     cudasim or cuda; cases whose name contains CASE
 *
 * The device's memory cannot be guarded from here: the simulated device does that itself.
 */
#include "tests/device.h"
#include "tests/ops/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_suite {
    const dv_backend *backend;
    double used[TOLERANCE_COUNT];
    char where[TOLERANCE_COUNT][160];
} test_suite;

/* The state of one test. */
typedef struct test_job {
    test_suite *suite;
    const op_case *item;
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

static void append(test_list *list, test_suite *suite, const op_case *item, const char *name,
                   CMUnitTestFunction function)
{
    test_job *job = &list->jobs[list->count];
    *job = (test_job){.suite = suite, .item = item};
    snprintf(job->name, sizeof job->name, "%s on %s", name, suite->backend->name);
    list->tests[list->count++] = (struct CMUnitTest){job->name, function, NULL, NULL, job};
}

static void append_cases(test_list *list, test_suite *suite, const char *part, unsigned large)
{
    for (int i = 0; i < op_case_count; i++) {
        const op_case *item = &op_cases[i];
        if ((item->flags & CASE_LARGE) == large &&
            (part == NULL || strstr(item->name, part) != NULL))
            append(list, suite, item, item->name, test_operation);
    }
}

/* The large cases last: the simulated device becomes slower with all memory it has ever given. */
static void append_all(test_list *list, test_suite *suite, const char *part)
{
    append_cases(list, suite, part, 0);
    if (part == NULL) {
        append(list, suite, NULL, "every operation", test_every_operation_is_there);
        append(list, suite, NULL, "too much memory", test_too_much_memory);
    }
    append_cases(list, suite, part, CASE_LARGE);
}

static int run_all(const dv_backend *backend, const char *part)
{
    test_suite suite = {.backend = backend};
    size_t most = (size_t)op_case_count + 2;
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

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s DEVICE [CASE]\n", argv[0]);
        return 2;
    }
    int status;
    const dv_backend *backend = device_backend(argv[1], &status);
    return backend != NULL ? run_all(backend, argc > 2 ? argv[2] : NULL) : status;
}
