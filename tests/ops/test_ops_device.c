/*
 * Every case of the table on a module's device against ref:
 *
 *     test_ops_device DEVICE [PRECISION] [CASE ...]
 *
 * DEVICE is cudasim or cuda. PRECISION, by default fp32, is that of the tensors. With 16 bits, ref
 * computes in float from the same numbers. With tf32 only the cases of sums of products run, whose
 * operands the device then rounds. CASE selects the tests whose names contain one of the texts.
 * In other precisions than fp32 the simulated device leaves out most large cases, unless they are
 * named.
 *
 * The device's memory cannot be guarded from here; the simulated device guards its own.
 */
#include "engine/backends/open.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/harness.h"
#include "tests/support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OTHERS = 5,                 /* number of tests that do not belong to one case */
    CONTEXTS = 2,               /* shared by all tests */
    PRODUCTS = TOLERANCE_COUNT, /* a further class of tolerance */
    CLASSES
};

typedef struct test_suite {
    const dv_backend *backend;
    dv_context *contexts[CONTEXTS]; /* the program's context, and another one */
    dv_dtype dtype;
    bool tf32;
    double epsilon; /* relative error of one rounding in products */
    char **parts;   /* (part_count) parts of the names of tests to run, none for all */
    int part_count;
    double used[CLASSES];
    char where[CLASSES][256];
    char notes[1024]; /* log of the device's last rig, with its algorithms */
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

/* `class` is an op_tolerance or PRODUCTS. */
static void require_within(const test_job *job, const op_comparison *c, int class,
                           tolerance_bounds bounds)
{
    test_suite *suite = job->suite;
    tolerance_report report =
        tolerance_compare_within(bounds, c->got, c->want, c->magnitudes, c->roundings.count);
    char text[256];
    tolerance_describe_within(bounds, &report, text, sizeof text);
    if (!report.ok)
        fail_msg("%s: %s: %s%s", job->name, c->what, text, suite->notes);
    if (report.used > suite->used[class]) {
        suite->used[class] = report.used;
        snprintf(suite->where[class], sizeof suite->where[class], "%s: %.80s", job->name, c->what);
    }
}

/* Sums of products must keep a bound that any library keeps. The tolerance of their class is for a
   device that sums like the CPU. */
static void require_close(const test_job *job, op_tolerance tolerance, const op_comparison *c)
{
    const test_suite *suite = job->suite;
    bool products = c->magnitudes != NULL && c->summands > 0;
    if (products)
        require_within(
            job, c, PRODUCTS,
            tolerance_of_products(suite->epsilon, c->summands, suite->dtype, c->roundings));
    if (!products || (device_is_simulated(suite->backend) && !suite->tf32))
        require_within(job, c, (int)tolerance, tolerance_in(tolerance, suite->dtype, c->roundings));
}

/* ---- Operations ---- */

static void note(void *user, dv_log_level level, const char *message)
{
    test_suite *suite = user;
    (void)level;
    size_t used = strlen(suite->notes);
    snprintf(suite->notes + used, sizeof suite->notes - used, "\n%s", message);
}

static op_rig *open_on(const test_job *job, const dv_backend *backend, op_rig_options options)
{
    op_rig *rig;
    options.unguarded = true;
    options.dtype = job->suite->dtype;
    require_ok(job->item->name, op_rig_open(job->item, backend, &options, &rig));
    return rig;
}

/* Opens a rig on the device, in one of the contexts. */
static op_rig *open_rig(const test_job *job, int context, op_rig_options options)
{
    options.context = job->suite->contexts[context];
    options.tf32 = job->suite->tf32;
    options.log = (dv_log){.write = note, .user = job->suite};
    job->suite->notes[0] = '\0';
    return open_on(job, job->suite->backend, options);
}

/* Fills all results of forward and backward with NaN. Both must write every element, and never add.
 */
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
            status = dv_params_write(rig->params, tensor->index, DV_BUFFER_GRADIENTS, nan);
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
                         op_reference by)
{
    op_comparison all[OP_RIG_COMPARISONS];
    int count = op_rig_compare(rig, by, all);
    for (int i = 0; i < count; i++)
        require_close(job, tolerance, &all[i]);
}

static double *copy_values(const double *values, int64_t count)
{
    if (values == NULL)
        return NULL;
    double *copy = malloc((size_t)count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, (size_t)count * sizeof *copy);
    return copy;
}

/* Asserts equal bits of a value or a gradient (tensor's count). `want` is NULL without one. */
static void require_bits(const test_job *job, const op_tensor *tensor, const double *got,
                         const double *want)
{
    if (want != NULL && memcmp(got, want, (size_t)tensor->count * sizeof *got) != 0)
        fail_msg("%s: %s: other bits in the second run%s", job->name, tensor->name,
                 job->suite->notes);
}

/* The activation's derivative if it follows from the output y, or else 1. */
static double slope(const op_case *item, double y)
{
    if (strstr(item->attributes, "tanh") != NULL)
        return 1 - y * y;
    return strstr(item->attributes, "sigmoid") != NULL ? y * (1 - y) : 1;
}

/* If backward reads the output, slopes follow from its rounded numbers. For y near 1 these have
   lost most of 1 - y^2, and no bound on sums over them would mean anything. The reference therefore
   runs backward from a gradient that contains the device's slopes instead of its own. */
static void share_slopes(const test_job *job, const op_rig *rig, op_rig *want)
{
    bool read = (dv_op_get(job->item->op)->backward_reads & DV_READS_OUTPUT) != 0;
    if (job->suite->dtype == DV_F32 || rig->inference || !read)
        return;
    const op_tensor *y = rig->output;
    double *given = want->output->gradient;
    double *shared = calloc((size_t)y->count, sizeof *shared);
    assert_non_null(shared);
    for (int64_t i = 0; i < y->count; i++) {
        double own = slope(job->item, want->output->value[i]);
        shared[i] = own > 0 ? given[i] * slope(job->item, y->value[i]) / own : given[i];
    }
    want->output->gradient = shared;
    dv_status status = op_rig_backward(want);
    want->output->gradient = given;
    free(shared);
    require_ok(job->item->name, status);
}

static void check_variant(const test_job *job, op_rig_options options, op_reference by)
{
    op_rig *rig = open_rig(job, 0, options);
    poison(rig);
    run(rig);
    share_slopes(job, rig, by.rig);
    require_same(job, job->item->tolerance, rig, by);
    op_rig_close(rig);
}

/* A second run gives the same bits, with measured algorithms, too. Another context may choose
   others. */
static void check_second_run(const test_job *job)
{
    op_rig *rig = open_rig(job, 0, (op_rig_options){.algorithms = DV_ALGORITHMS_MEASURED});
    double *first[OP_RIG_TENSORS][2] = {{NULL}};
    run(rig);
    for (int i = 0; i < rig->tensor_count; i++) {
        first[i][0] = copy_values(rig->tensors[i].value, rig->tensors[i].count);
        first[i][1] = copy_values(rig->tensors[i].gradient, rig->tensors[i].count);
    }
    run(rig);
    for (int i = 0; i < rig->tensor_count; i++) {
        require_bits(job, &rig->tensors[i], rig->tensors[i].value, first[i][0]);
        require_bits(job, &rig->tensors[i], rig->tensors[i].gradient, first[i][1]);
        free(first[i][0]);
        free(first[i][1]);
    }
    op_rig_close(rig);
}

/* Another context gives the same bits if nothing is measured. */
static void check_repeatable(const test_job *job)
{
    op_rig *first = open_rig(job, 0, (op_rig_options){.algorithms = DV_ALGORITHMS_FIXED});
    op_rig *second = open_rig(job, 1, (op_rig_options){.algorithms = DV_ALGORITHMS_FIXED});
    run(first);
    run(second);
    require_same(job, TOLERANCE_EXACT, second, (op_reference){first, NULL});
    op_rig_close(first);
    op_rig_close(second);
    check_second_run(job);
}

static op_reference open_reference(const test_job *job, op_rig_options options)
{
    op_reference by = {.rig = open_on(job, &dv_backend_ref, options)};
    run(by.rig);
    if (op_rig_summands(by.rig, by.rig->output, false) > 0) {
        options.magnitudes = true;
        by.magnitudes = open_on(job, &dv_backend_ref, options);
        run(by.magnitudes);
    }
    return by;
}

static void close_reference(op_reference by)
{
    op_rig_close(by.rig);
    op_rig_close(by.magnitudes);
}

static void check_operation(const test_job *job, bool inference)
{
    op_rig_options options = {.inference = inference};
    op_reference by = open_reference(job, options);
    const dv_node *node = &by.rig->graph->nodes[by.rig->node];
    check_variant(job, options, by);
    options.plain = true;
    if (node->param_count > 0)
        check_variant(job, options, by);
    options = (op_rig_options){.unwanted = 1};
    if (!by.rig->inference && node->param_count > 0)
        check_variant(job, options, by);
    close_reference(by);
}

/* The plan refuses a case that the device does not support, and names the layer and its types. */
static void require_refused(const test_job *job)
{
    op_rig_options options = {
        .unguarded = true, .dtype = job->suite->dtype, .context = job->suite->contexts[0]};
    op_rig *rig;
    assert_int_equal(op_rig_open(job->item, job->suite->backend, &options, &rig), DV_EUNSUPPORTED);
    const char *parts[] = {"'layer'", job->suite->backend->name, "int8 ->", "weights in int8"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(dv_error_message(), parts[i]) == NULL)
            fail_msg("the message does not name %s: %s", parts[i], dv_error_message());
    }
}

static void test_operation(void **state)
{
    const test_job *job = *state;
    if (op_case_has_int8(job->item)) {
        require_refused(job);
        return;
    }
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
        if (impl == NULL || impl->forward == NULL || impl->backward == NULL)
            fail_msg("%s lacks %s", job->suite->backend->name, dv_op_get((dv_op_id)id)->name);
    }
}

/* ---- Algorithms ---- */

static const op_case *find_case(const char *name)
{
    for (int i = 0; i < op_case_count; i++) {
        if (strcmp(op_cases[i].name, name) == 0)
            return &op_cases[i];
    }
    fail_msg("there is no case %s", name);
    return NULL;
}

/* The largest used part of the tolerance. */
static double worst_use(const test_job *job, const op_rig *rig, op_reference by)
{
    op_comparison all[OP_RIG_COMPARISONS];
    int count = op_rig_compare(rig, by, all);
    double worst = 0;
    for (int i = 0; i < count; i++) {
        const op_comparison *c = &all[i];
        tolerance_bounds bounds =
            tolerance_in(job->item->tolerance, job->suite->dtype, c->roundings);
        tolerance_report report =
            tolerance_compare_within(bounds, c->got, c->want, NULL, c->roundings.count);
        worst = fmax(worst, fmax(report.used, report.nmse / bounds.nmse));
    }
    return worst;
}

/* The simulated device has deterministic algorithms and others. Of equally fast ones the first is
   taken, which adds up in another order at every second call, and each run has one call. On other
   devices an algorithm may do more than add up products. */
static void test_nondeterministic_algorithms(void **state)
{
    test_job job = *(const test_job *)*state;
    const dv_backend *backend = job.suite->backend;
    job.item = find_case("conv2d/large_last");
    op_reference by = open_reference(&job, (op_rig_options){0});
    op_rig *rig =
        open_rig(&job, 0, (op_rig_options){.algorithms = DV_ALGORITHMS_ANY, .unwanted = 1});
    const op_tensor *weight = op_rig_find(rig, "weight");
    double *first = NULL, worst = 0;
    for (int i = 0; i < 2; i++) {
        run(rig);
        first = i == 0 ? copy_values(weight->gradient, weight->count) : first;
        worst = fmax(worst, worst_use(&job, rig, by));
    }
    bool same = memcmp(first, weight->gradient, (size_t)weight->count * sizeof *first) == 0;
    free(first);
    op_rig_close(rig);
    close_reference(by);
    if (!device_may_deviate(backend, "conv2d/large_last by any algorithm", worst, 1))
        fail_msg("%s: over the tolerance%s", job.name, job.suite->notes);
    if (device_is_simulated(backend))
        assert_false(same);
}

/* A second plan of a context uses the algorithms of the first. */
static void test_second_plan(void **state)
{
    test_job job = *(const test_job *)*state;
    job.item = find_case("conv2d/same");
    op_rig *rig = open_rig(&job, 0, (op_rig_options){0});
    require_ok("forward", op_rig_forward(rig));
    const op_tensor *x = op_rig_find(rig, "x0"), *y = op_rig_find(rig, "y");
    float *values = malloc((size_t)(x->count + y->count) * sizeof *values);
    assert_non_null(values);
    dv_plan *second;
    require_ok("plan", dv_plan_create(rig->context, rig->graph, &(dv_plan_options){0}, &second));
    for (int64_t i = 0; i < x->count; i++)
        values[i] = (float)x->value[i];
    require_ok("upload", dv_plan_upload(second, x->index, values));
    require_ok("forward", dv_plan_forward(second, &(dv_pass){0}));
    require_ok("download", dv_plan_download(second, y->index, values));
    for (int64_t i = 0; i < y->count; i++)
        assert_true(values[i] == (float)y->value[i]);
    dv_plan_free(second);
    free(values);
    op_rig_close(rig);
}

/* ---- Refusals ---- */

typedef struct too_large {
    op_case item;
    const char *parts[3]; /* parts of the message */
} too_large;

/* A plan refuses an operation for which a block has too little shared memory. */
static void test_too_large_for_a_block(void **state)
{
    const test_job *job = *state;
    const too_large refusals[] = {
        {{.op = DV_OP_squeeze_excite, .attributes = "", .inputs = {{.shape = {1, 1, 1, 13000}}}},
         {"'layer'", "13000 channels and 812 middle units", "shared memory"}},
        {{.op = DV_OP_spatial_attention, .attributes = "", .inputs = {{.shape = {1, 100, 90, 2}}}},
         {"'layer'", "(1, 100, 90, 2) with a 7x7 kernel", "shared memory"}},
        {{.op = DV_OP_attention, .attributes = "heads: 1", .inputs = {{.shape = {1, 1, 2, 387}}}},
         {"'layer'", "(1, 1, 2, 387) with 1 heads", "129 channels in each, at most 128"}},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        op_case item = refusals[i].item;
        item.name = "too_large";
        op_rig_options options = {
            .unguarded = true, .dtype = job->suite->dtype, .context = job->suite->contexts[0]};
        op_rig *rig;
        assert_int_equal(op_rig_open(&item, job->suite->backend, &options, &rig), DV_EUNSUPPORTED);
        for (size_t k = 0; k < 3; k++) {
            if (strstr(dv_error_message(), refusals[i].parts[k]) == NULL)
                fail_msg("the message does not name %s: %s", refusals[i].parts[k],
                         dv_error_message());
        }
    }
}

/* ---- Memory ---- */

static void test_too_much_memory(void **state)
{
    const test_job *job = *state;
    const dv_backend *backend = job->suite->backend;
    dv_context *context = job->suite->contexts[0];
    void *memory;
    assert_int_equal(backend->allocate(context, (size_t)1 << 50, &memory), DV_ENOMEM);
    assert_null(memory);
    assert_non_null(strstr(dv_error_message(), "1125899906842624 bytes"));
    require_ok("allocate",
               backend->allocate(context, 100, &memory)); /* the failure leaves nothing behind */
    float zeros[25];
    memset(zeros, 1, sizeof zeros);
    require_ok("download", backend->download(context, zeros, memory, sizeof zeros));
    for (size_t i = 0; i < 25; i++)
        assert_true(zeros[i] == 0);
    backend->release(context, memory);
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

static bool is_wanted(const test_suite *suite, const char *name)
{
    for (int i = 0; i < suite->part_count; i++) {
        if (strstr(name, suite->parts[i]) != NULL)
            return true;
    }
    return suite->part_count == 0;
}

/* Selects the large cases with other kernels than the small ones. The simulated device is slow, so
   in 16 bits it runs only these; the others run in float. */
static bool is_affordable(const test_suite *suite, const op_case *item)
{
    static const char *const needed[] = {"batchnorm/large_rows", "conv2d/large_depthwise_column",
                                         "softmax_cross_entropy/large"};
    bool slow = (suite->dtype != DV_F32 || suite->tf32) && device_is_simulated(suite->backend);
    if (suite->tf32 && !op_case_adds_products(item))
        return false;
    if (!slow || suite->part_count > 0 || (item->flags & CASE_LARGE) == 0)
        return true;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (strcmp(item->name, needed[i]) == 0)
            return true;
    }
    return false;
}

static void append_cases(test_list *list, test_suite *suite, unsigned large)
{
    for (int i = 0; i < op_case_count; i++) {
        const op_case *item = &op_cases[i];
        if ((item->flags & CASE_LARGE) == large && is_wanted(suite, item->name) &&
            is_affordable(suite, item))
            append(list, suite, item, item->name, test_operation);
    }
}

/* Appends the large cases last: the simulated device slows down with all memory ever allocated. */
static void append_all(test_list *list, test_suite *suite)
{
    append_cases(list, suite, 0);
    if (suite->part_count == 0 && !suite->tf32) {
        append(list, suite, NULL, "every operation", test_every_operation_is_there);
        append(list, suite, NULL, "too much memory", test_too_much_memory);
        append(list, suite, NULL, "too large for a block", test_too_large_for_a_block);
        append(list, suite, NULL, "algorithms that are not deterministic",
               test_nondeterministic_algorithms);
        append(list, suite, NULL, "a second plan", test_second_plan);
    }
    append_cases(list, suite, CASE_LARGE);
}

static void print_use(const test_suite *suite)
{
    for (int c = 0; c < CLASSES; c++) {
        const char *name = c == PRODUCTS ? "products" : tolerance_get((op_tolerance)c).name;
        printf("%-8s %5.1f %% of the budget used by %s\n", name, 100 * suite->used[c],
               suite->where[c]);
    }
}

static int run_all(test_suite *suite)
{
    size_t most = (size_t)op_case_count + OTHERS;
    test_list list = {.tests = calloc(most, sizeof *list.tests),
                      .jobs = calloc(most, sizeof *list.jobs)};
    int failures = 1;
    suite->contexts[0] = device_context();
    dv_status status = dv_context_open_same(suite->contexts[0], 1, &suite->contexts[1]);
    if (status != DV_OK)
        printf("%s\n", dv_error_message());
    if (status == DV_OK && list.tests != NULL && list.jobs != NULL) {
        append_all(&list, suite);
        failures =
            _cmocka_run_group_tests(suite->backend->name, list.tests, list.count, NULL, NULL);
        print_use(suite);
    }
    dv_context_close(suite->contexts[1]);
    free(list.tests);
    free(list.jobs);
    return failures != 0;
}

/* Returns false if the text names no precision. TF32 has the fraction of FP16, and rounds both
   operands. */
static bool read_precision(const char *text, test_suite *suite)
{
    if (strcmp(text, "tf32") == 0) {
        suite->tf32 = true;
        suite->epsilon = 0x1p-11;
        return true;
    }
    for (int dtype = 0; dtype < DV_DTYPE_COUNT; dtype++) {
        if (strcmp(text, dv_dtype_name((dv_dtype)dtype)) == 0) {
            suite->dtype = (dv_dtype)dtype;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s DEVICE [PRECISION] [CASE ...]\n", argv[0]);
        return 2;
    }
    int status;
    test_suite suite = {.backend = device_backend(argv[1], &status), .epsilon = 0x1p-24};
    int first = argc > 2 && read_precision(argv[2], &suite) ? 3 : 2;
    suite.parts = argv + first;
    suite.part_count = argc - first;
    return suite.backend != NULL ? run_all(&suite) : status;
}
