/* Every case of the table: ref64 and ref against PyTorch, cpu against ref, all under guard. */
#include "engine/backends/open.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shared by all tests: the vectors, and the comparison that uses most of its budget. */
typedef struct test_suite {
    const dv_safetensors *vectors;
    double used[TOLERANCE_COUNT];
    char where[TOLERANCE_COUNT][160];
} test_suite;

/* The state of one test. */
typedef struct test_job {
    test_suite *suite;
    const op_case *item;
    char name[96];
} test_job;

static void require_ok(const op_case *item, dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s: %s", item->name, dv_status_text(status), dv_error_message());
}

static op_rig *open_rig(const op_case *item, const dv_backend *backend, op_rig_options options)
{
    op_rig *rig;
    require_ok(item, op_rig_open(item, backend, &options, &rig));
    return rig;
}

static void require_close(const test_job *job, const op_rig *rig, op_tolerance tolerance,
                          const char *what, const double *got, const double *want, int64_t count)
{
    tolerance_report report = tolerance_compare(tolerance, got, want, count);
    char where[160], text[256];
    snprintf(where, sizeof where, "%s on %s, %d thread(s): %s", rig->item->name,
             rig->guard.real->name, rig->context->threads, what);
    tolerance_describe(tolerance, &report, text, sizeof text);
    if (!report.ok)
        fail_msg("%s: %s", where, text);
    if (report.used > job->suite->used[tolerance]) {
        job->suite->used[tolerance] = report.used;
        strcpy(job->suite->where[tolerance], where);
    }
}

static void run(op_rig *rig)
{
    require_ok(rig->item, op_rig_forward(rig));
    if (!rig->inference)
        require_ok(rig->item, op_rig_backward(rig));
}

/* ---- Against PyTorch ---- */

static void require_vector(const test_job *job, const op_rig *rig, op_tolerance tolerance,
                           const char *what, const double *got, int64_t count)
{
    const double *want;
    require_ok(rig->item, vectors_find(job->suite->vectors, rig->item->name, what, count, &want));
    require_close(job, rig, tolerance, what, got, want, count);
}

static void check_training(const test_job *job, const dv_backend *backend, op_tolerance tolerance)
{
    const op_case *item = job->item;
    op_rig *rig = open_rig(item, backend, (op_rig_options){0});
    require_ok(item, vectors_fresh(job->suite->vectors, item->name, op_rig_hash(rig)));
    run(rig);
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *tensor = &rig->tensors[i];
        if (tensor->kind == TENSOR_OUTPUT || (tensor->kind == TENSOR_STATE && !rig->inference)) {
            require_vector(job, rig, tolerance, tensor->name, tensor->value, tensor->count);
        } else if (tensor->gradient != NULL) {
            char what[DV_NAME_SIZE + 1];
            snprintf(what, sizeof what, "d%s", tensor->name);
            require_vector(job, rig, tolerance, what, tensor->gradient, tensor->count);
        }
    }
    op_rig_close(rig);
}

static void check_inference(const test_job *job, const dv_backend *backend, op_tolerance tolerance)
{
    const op_case *item = job->item;
    bool differs = item->op == DV_OP_batchnorm || item->op == DV_OP_dropout;
    op_rig *rig = open_rig(item, backend, (op_rig_options){.inference = true});
    run(rig);
    const char *what = differs && (item->flags & CASE_INFERENCE) == 0 ? "y_inference" : "y";
    require_vector(job, rig, tolerance, what, rig->output->value, rig->output->count);
    op_rig_close(rig);
}

/* In double exact operations stay exact, and all others have the roundings of double. */
static void test_ref64(void **state)
{
    const test_job *job = *state;
    bool exact = job->item->tolerance == TOLERANCE_EXACT;
    op_tolerance tolerance = exact ? TOLERANCE_EXACT : TOLERANCE_DOUBLE;
    check_training(job, &dv_backend_ref64, tolerance);
    check_inference(job, &dv_backend_ref64, tolerance);
}

/* dy is a float, so the results of an exact operation are floats, too. */
static void test_ref(void **state)
{
    const test_job *job = *state;
    check_training(job, &dv_backend_ref, job->item->tolerance);
    check_inference(job, &dv_backend_ref, job->item->tolerance);
}

/* ---- cpu against ref ---- */

static void require_same_within(const test_job *job, op_tolerance tolerance, op_rig *rig,
                                op_rig *reference)
{
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *got = &rig->tensors[i], *want = &reference->tensors[i];
        char what[DV_NAME_SIZE + 16];
        snprintf(what, sizeof what, "%s", got->name);
        if (got->kind == TENSOR_OUTPUT || got->kind == TENSOR_STATE)
            require_close(job, rig, tolerance, what, got->value, want->value, got->count);
        snprintf(what, sizeof what, "gradient of %s", got->name);
        if (got->gradient != NULL)
            require_close(job, rig, tolerance, what, got->gradient, want->gradient, got->count);
    }
}

static void require_same(const test_job *job, op_rig *rig, op_rig *reference)
{
    require_same_within(job, rig->item->tolerance, rig, reference);
}

/* With one thread a second run gives the same bits. */
static void require_repeatable(const test_job *job, op_rig *rig)
{
    op_tensor before[OP_RIG_TENSORS];
    for (int i = 0; i < rig->tensor_count; i++) {
        op_tensor *tensor = &rig->tensors[i];
        before[i] = *tensor;
        tensor->value = malloc((size_t)tensor->count * sizeof(double));
        assert_non_null(tensor->value);
        memcpy(tensor->value, before[i].value, (size_t)tensor->count * sizeof(double));
        if (tensor->gradient == NULL)
            continue;
        tensor->gradient = malloc((size_t)tensor->count * sizeof(double));
        assert_non_null(tensor->gradient);
        memcpy(tensor->gradient, before[i].gradient, (size_t)tensor->count * sizeof(double));
    }
    run(rig);
    for (int i = 0; i < rig->tensor_count; i++) {
        op_tensor *tensor = &rig->tensors[i];
        require_close(job, rig, TOLERANCE_EXACT, tensor->name, tensor->value, before[i].value,
                      tensor->count);
        if (tensor->gradient != NULL)
            require_close(job, rig, TOLERANCE_EXACT, tensor->name, tensor->gradient,
                          before[i].gradient, tensor->count);
        free(before[i].value);
        free(before[i].gradient);
    }
}

/* The other gradients do not depend on whether one input's gradient is asked for. */
static void check_unwanted(const test_job *job, op_rig *reference)
{
    const op_case *item = job->item;
    int inputs = op_case_input_count(item);
    const dv_node *node = &reference->graph->nodes[reference->node];
    for (int i = 0; i < inputs && !reference->inference; i++) {
        bool others = node->param_count > 0;
        for (int k = 0; k < inputs; k++)
            others = others || (k != i && !op_input_constant(item->op, k));
        if (!others || op_input_constant(item->op, i))
            continue;
        op_rig *rig = open_rig(item, &dv_backend_cpu, (op_rig_options){.unwanted = 1U << i});
        run(rig);
        require_same(job, rig, reference);
        op_rig_close(rig);
    }
}

static void check_variant(const test_job *job, op_rig_options options, op_rig *reference)
{
    op_rig *rig = open_rig(job->item, &dv_backend_cpu, options);
    run(rig);
    require_same(job, rig, reference);
    if (options.threads == 1)
        require_repeatable(job, rig);
    op_rig_close(rig);
}

static void check_cpu(const test_job *job, bool inference)
{
    op_rig_options options = {.inference = inference};
    op_rig *reference = open_rig(job->item, &dv_backend_ref, options);
    run(reference);
    for (options.threads = 1; options.threads <= 2; options.threads++)
        check_variant(job, options, reference);
    options = (op_rig_options){.threads = 2, .inference = inference, .plain = true};
    if (reference->graph->nodes[reference->node].param_count > 0)
        check_variant(job, options, reference);
    check_unwanted(job, reference);
    op_rig_close(reference);
}

/* layer_norm promises the same bits for every number of threads. */
static void check_thread_counts(const test_job *job)
{
    op_rig *one = open_rig(job->item, &dv_backend_cpu, (op_rig_options){.threads = 1});
    run(one);
    for (int threads = 2; threads <= 5; threads++) {
        op_rig *rig = open_rig(job->item, &dv_backend_cpu, (op_rig_options){.threads = threads});
        run(rig);
        require_same_within(job, TOLERANCE_EXACT, rig, one);
        op_rig_close(rig);
    }
    op_rig_close(one);
}

static void test_cpu(void **state)
{
    const test_job *job = *state;
    bool large = (job->item->flags & CASE_LARGE) != 0; /* others have one thread anyway */
    if (job->item->op == DV_OP_layer_norm && large)
        check_thread_counts(job);
    if ((job->item->flags & CASE_INFERENCE) == 0)
        check_cpu(job, false);
    check_cpu(job, true);
}

/* ---- The list of tests ---- */

typedef struct test_list {
    struct CMUnitTest *tests; /* (3 per case) */
    test_job *jobs;
    size_t count;
} test_list;

static void append(test_list *list, test_suite *suite, const op_case *item, const char *what,
                   CMUnitTestFunction function)
{
    test_job *job = &list->jobs[list->count];
    *job = (test_job){.suite = suite, .item = item};
    snprintf(job->name, sizeof job->name, "%s: %s", item->name, what);
    list->tests[list->count++] = (struct CMUnitTest){job->name, function, NULL, NULL, job};
}

static void append_case(test_list *list, test_suite *suite, const op_case *item)
{
    if ((item->flags & (CASE_LARGE | CASE_NO_VECTOR)) == 0) {
        append(list, suite, item, "ref64 as PyTorch", test_ref64);
        append(list, suite, item, "ref as PyTorch", test_ref);
    }
    append(list, suite, item, "cpu as ref", test_cpu);
}

static void print_budgets(const test_suite *suite)
{
    for (int t = 0; t < TOLERANCE_COUNT; t++)
        printf("%-8s %5.1f %% of the budget used by %s\n", tolerance_get((op_tolerance)t).name,
               100 * suite->used[t], suite->where[t]);
}

/* An argument selects the cases whose name contains it. */
int main(int argc, char **argv)
{
    test_suite suite = {0};
    dv_safetensors *file = NULL;
    test_list list = {.tests = calloc(3 * (size_t)op_case_count, sizeof *list.tests),
                      .jobs = calloc(3 * (size_t)op_case_count, sizeof *list.jobs)};
    int failures = 1;
    if (dv_safetensors_read(OP_VECTORS_PATH, &file) != DV_OK) {
        fprintf(stderr, "%s\n", dv_error_message());
    } else if (list.tests != NULL && list.jobs != NULL) {
        suite.vectors = file;
        for (int i = 0; i < op_case_count; i++) {
            if (argc < 2 || strstr(op_cases[i].name, argv[1]) != NULL)
                append_case(&list, &suite, &op_cases[i]);
        }
        failures = _cmocka_run_group_tests("operations", list.tests, list.count, NULL, NULL);
        print_budgets(&suite);
    }
    free(list.tests);
    free(list.jobs);
    dv_safetensors_free(file);
    return failures != 0;
}
