/* The optimisers against torch.optim, cpu against ref, and the sum of squares. */
#include "tests/ops/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFERS = 4, ZONE = 64 }; /* values, gradients, both moments; elements behind each */

/* One backend with the buffers of an update. Behind each buffer lie ZONE elements of 1. */
typedef struct bench {
    const dv_backend *backend;
    dv_context *context;
    int64_t count;
    void *memory[BUFFERS];
} bench;

static void put(const bench *b, int buffer, int64_t i, double value)
{
    if (b->backend->real_size == sizeof(double))
        ((double *)b->memory[buffer])[i] = value;
    else
        ((float *)b->memory[buffer])[i] = (float)value;
}

static double get(const bench *b, int buffer, int64_t i)
{
    return b->backend->real_size == sizeof(double) ? ((const double *)b->memory[buffer])[i]
                                                   : ((const float *)b->memory[buffer])[i];
}

static bench bench_open(const dv_backend *backend, int threads, int64_t count)
{
    bench b = {.backend = backend, .count = count};
    assert_int_equal(dv_context_open_backend(backend, threads, (dv_log){0}, &b.context), DV_OK);
    size_t bytes = (size_t)(count + ZONE) * backend->real_size;
    for (int k = 0; k < BUFFERS; k++) {
        assert_int_equal(backend->allocate(b.context, bytes, &b.memory[k]), DV_OK);
        for (int64_t i = count; i < count + ZONE; i++)
            put(&b, k, i, 1);
    }
    return b;
}

static void bench_close(bench *b)
{
    for (int k = 0; k < BUFFERS; k++) {
        for (int64_t i = b->count; i < b->count + ZONE; i++)
            assert_true(get(b, k, i) == 1);
        b->backend->release(b->context, b->memory[k]);
    }
    dv_context_close(b->context);
}

static void load(const bench *b, int buffer, const double *values)
{
    for (int64_t i = 0; i < b->count; i++)
        put(b, buffer, i, values[i]);
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
    dv_status status = b->backend->optimizer->update(b->context, &step);
    if (status != DV_OK)
        fail_msg("%s: %s", item->name, dv_error_message());
}

/* (OPTIMIZER_STEPS, count) values after each update; the caller frees. */
static double *trajectory(const optimizer_case *item, const dv_backend *backend, int threads)
{
    size_t count = (size_t)item->count;
    double *values = calloc(count, sizeof *values);
    double *after = calloc(OPTIMIZER_STEPS * count, sizeof *after);
    assert_non_null(values);
    assert_non_null(after);
    bench b = bench_open(backend, threads, item->count);
    optimizer_case_fill(item, 0, values);
    load(&b, 0, values);
    for (int step = 1; step <= OPTIMIZER_STEPS; step++) {
        optimizer_case_fill(item, step, values);
        load(&b, 1, values);
        update(&b, item, (uint64_t)step);
        for (size_t i = 0; i < count; i++) {
            after[(size_t)(step - 1) * count + i] = get(&b, 0, (int64_t)i);
            assert_true(get(&b, 1, (int64_t)i) == values[i]); /* gradients are read only */
        }
    }
    bench_close(&b);
    free(values);
    return after;
}

static void require_close(const optimizer_case *item, const char *what, op_tolerance tolerance,
                          const double *got, const double *want)
{
    tolerance_report report =
        tolerance_compare(tolerance, got, want, OPTIMIZER_STEPS * item->count);
    char text[256];
    tolerance_describe(tolerance, &report, text, sizeof text);
    if (!report.ok)
        fail_msg("%s: %s: %s", item->name, what, text);
}

static void test_updates(void **state)
{
    static const struct {
        const dv_backend *backend;
        int threads;
        op_tolerance tolerance;
    } runs[] = {
        {&dv_backend_ref64, 1, TOLERANCE_DOUBLE},
        {&dv_backend_ref, 1, TOLERANCE_MATH},
        {&dv_backend_cpu, 1, TOLERANCE_MATH},
        {&dv_backend_cpu, 2, TOLERANCE_MATH},
    };
    const optimizer_case *item = *state;
    char name[64];
    snprintf(name, sizeof name, "optimizer/%s", item->name);
    dv_safetensors *file;
    const double *want;
    assert_int_equal(dv_safetensors_read(OP_VECTORS_PATH, &file), DV_OK);
    if (vectors_fresh(file, name, optimizer_case_hash(item)) != DV_OK ||
        vectors_find(file, name, "values", OPTIMIZER_STEPS * item->count, &want) != DV_OK)
        fail_msg("%s", dv_error_message());
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        double *got = trajectory(item, runs[i].backend, runs[i].threads);
        require_close(item, runs[i].backend->name, runs[i].tolerance, got, want);
        free(got);
    }
    dv_safetensors_free(file);
}

/* More elements than one thread takes, and a boundary of the decay within them. */
static void test_large(void **state)
{
    (void)state;
    for (int kind = 0; kind < DV_OPTIMIZER_COUNT; kind++) {
        optimizer_case item = optimizer_cases[0];
        item.name = "large";
        item.kind = (dv_optimizer_kind)kind;
        item.count = 40007;
        item.decay_count = 20011;
        double *want = trajectory(&item, &dv_backend_ref, 1);
        for (int threads = 1; threads <= 2; threads++) {
            double *got = trajectory(&item, &dv_backend_cpu, threads);
            require_close(&item, dv_optimizer_names[kind], TOLERANCE_MATH, got, want);
            free(got);
        }
        free(want);
    }
}

/* With gradients and momenta of zero only the decay moves a value, and only below the boundary. */
static void test_decay_boundary(void **state)
{
    (void)state;
    optimizer_case item = optimizer_cases[0];
    assert_int_equal(item.kind, DV_ADAMW);
    bench b = bench_open(&dv_backend_cpu, 1, item.count);
    for (int64_t i = 0; i < item.count; i++)
        put(&b, 0, i, 2);
    update(&b, &item, 1);
    double decayed = 2 * (1 - item.learning_rate * item.weight_decay);
    for (int64_t i = 0; i < item.count; i++) {
        double want = i < item.decay_count ? decayed : 2;
        assert_true(fabs(get(&b, 0, i) - want) < 1e-6);
        assert_true(i < item.decay_count || get(&b, 0, i) == 2);
    }
    bench_close(&b);
}

static double sum_of_squares(const bench *b, int64_t count)
{
    double sum = -1;
    assert_int_equal(b->backend->optimizer->sum_of_squares(b->context, b->memory[0], count, &sum),
                     DV_OK);
    return sum;
}

static void check_sum(const dv_backend *backend, int threads)
{
    enum { COUNT = 50001 };
    bench b = bench_open(backend, threads, COUNT);
    double want = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        double value = (double)(i % 17 - 8) * (i % 1000 == 0 ? 1024 : 0.03125);
        put(&b, 0, i, value);
        want += value * value;
    }
    double sum = sum_of_squares(&b, COUNT);
    assert_true(fabs(sum - want) <= 1e-12 * want); /* double: float would lose the small ones */
    assert_true(sum_of_squares(&b, COUNT) == sum);
    assert_true(sum_of_squares(&b, 0) == 0);
    assert_true(sum_of_squares(&b, 1) == 64.0 * 1024 * 1024);
    static const int64_t places[] = {0, 13, COUNT / 2, COUNT - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        double before = get(&b, 0, places[i]);
        put(&b, 0, places[i], NAN);
        assert_true(!isfinite(sum_of_squares(&b, COUNT)));
        put(&b, 0, places[i], -INFINITY);
        assert_true(!isfinite(sum_of_squares(&b, COUNT)));
        put(&b, 0, places[i], before);
    }
    put(&b, 0, 3, 3e38); /* finite, its square in float is not */
    assert_true(isfinite(sum_of_squares(&b, COUNT)));
    bench_close(&b);
}

static void test_sum_of_squares(void **state)
{
    (void)state;
    check_sum(&dv_backend_ref64, 1);
    check_sum(&dv_backend_ref, 1);
    check_sum(&dv_backend_cpu, 1);
    check_sum(&dv_backend_cpu, 2);
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_decay_boundary),
        cmocka_unit_test(test_sum_of_squares),
    };
    struct CMUnitTest *tests = calloc((size_t)optimizer_case_count, sizeof *tests);
    if (tests == NULL)
        return 1;
    for (int i = 0; i < optimizer_case_count; i++)
        tests[i] = (struct CMUnitTest){optimizer_cases[i].name, test_updates, NULL, NULL,
                                       (void *)(uintptr_t)&optimizer_cases[i]};
    int failures =
        _cmocka_run_group_tests("optimisers", tests, (size_t)optimizer_case_count, NULL, NULL);
    free(tests);
    failures += cmocka_run_group_tests_name("optimisers, fixed", fixed, NULL, NULL);
    return failures != 0;
}
