/*
 * The parts of a training step outside the graph: the optimisers against torch.optim, the norm, the
 * decisions, the metrics and the gradient with which backward begins.
 *
 *     test_optimizer [DEVICE]     on ref64, ref and cpu, or on the backend of a module
 */
#include "engine/backends/open.h"
#include "tests/op_cases/vectors.h"
#include "tests/support/device.h"
#include "tests/support/rounding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One backend under test. */
typedef struct subject {
    const dv_backend *backend;
    int threads;
    op_tolerance tolerance;
    dv_context *context; /* shared by all tests of the backend */
} subject;

typedef struct subjects {
    subject items[4];
    int count;
} subjects;

static subjects under_test; /* set by main */

/* Buffers of an update. Behind each of the first four lie ZONE elements of 1. */
enum { VALUES, GRADIENTS, MOMENT1, MOMENT2, BUFFERS, ZONE = 64 };

typedef struct bench {
    const dv_backend *backend;
    dv_context *context;
    int64_t count;
    void *memory[BUFFERS];
    void *rounded;
    dv_dtype operands;
    dv_progress *progress;
    dv_rate *rates;
} bench;

static void require_ok(dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s", dv_status_text(status), dv_error_message());
}

static void *allocate(const bench *b, size_t bytes)
{
    void *memory;
    require_ok(b->backend->allocate(b->context, bytes, &memory));
    return memory;
}

/* Copies (count) doubles of the host to a buffer of the backend's real type. */
static void upload(const bench *b, void *device, const double *values, int64_t count)
{
    size_t size = b->backend->real_size;
    float *floats = calloc((size_t)count + 1, sizeof *floats);
    assert_non_null(floats);
    for (int64_t i = 0; i < count; i++)
        floats[i] = (float)values[i];
    require_ok(b->backend->upload(b->context, device,
                                  size == sizeof(double) ? (const void *)values : floats,
                                  (size_t)count * size));
    free(floats);
}

static void download(const bench *b, const void *device, double *values, int64_t count)
{
    size_t size = b->backend->real_size;
    float *floats = calloc((size_t)count + 1, sizeof *floats);
    assert_non_null(floats);
    require_ok(b->backend->download(b->context, size == sizeof(double) ? (void *)values : floats,
                                    device, (size_t)count * size));
    for (int64_t i = 0; size == sizeof(float) && i < count; i++)
        values[i] = (double)floats[i];
    free(floats);
}

static void set_progress(const bench *b, dv_progress progress)
{
    require_ok(b->backend->upload(b->context, b->progress, &progress, sizeof progress));
}

static dv_progress get_progress(const bench *b)
{
    dv_progress progress;
    require_ok(b->backend->download(b->context, &progress, b->progress, sizeof progress));
    return progress;
}

static void open_subject(subject *on)
{
    require_ok(dv_context_open_backend(on->backend, on->threads, (dv_log){0}, &on->context));
}

static int open_all(void **state)
{
    (void)state;
    for (int i = 0; i < under_test.count; i++)
        open_subject(&under_test.items[i]);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < under_test.count; i++)
        dv_context_close(under_test.items[i].context);
    return 0;
}

static bench bench_open(const subject *on, int64_t count, dv_dtype dtype)
{
    bench b = {.backend = on->backend, .context = on->context, .count = count};
    double *ones = calloc((size_t)(count + ZONE), sizeof *ones);
    assert_non_null(ones);
    for (int64_t i = count; i < count + ZONE; i++)
        ones[i] = 1;
    for (int k = 0; k < BUFFERS; k++) {
        b.memory[k] = allocate(&b, (size_t)(count + ZONE) * on->backend->real_size);
        upload(&b, b.memory[k], ones, count + ZONE);
    }
    if (dtype != DV_F32)
        b.rounded = allocate(&b, (size_t)count * dv_dtype_size(dtype));
    b.operands = dtype;
    b.progress = allocate(&b, sizeof *b.progress);
    b.rates = allocate(&b, OPTIMIZER_STEPS * sizeof *b.rates);
    set_progress(&b, (dv_progress){.loss_scale = 1});
    free(ones);
    return b;
}

static void bench_close(bench *b)
{
    double *all = calloc((size_t)(b->count + ZONE), sizeof *all);
    assert_non_null(all);
    for (int k = 0; k < BUFFERS; k++) {
        download(b, b->memory[k], all, b->count + ZONE);
        for (int64_t i = b->count; i < b->count + ZONE; i++)
            assert_true(all[i] == 1);
        b->backend->release(b->context, b->memory[k]);
    }
    free(all);
    if (b->rounded != NULL)
        b->backend->release(b->context, b->rounded);
    b->backend->release(b->context, b->progress);
    b->backend->release(b->context, b->rates);
}

static void update(const bench *b, const optimizer_case *item, dv_update_limits limits)
{
    dv_update step = {
        .kind = item->kind,
        .count = item->count,
        .decay_count = item->decay_count,
        .values = b->memory[VALUES],
        .gradients = b->memory[GRADIENTS],
        .moment1 = b->memory[MOMENT1],
        .moment2 = item->kind == DV_SGD ? NULL : b->memory[MOMENT2],
        .rounded = b->rounded,
        .operands = b->operands,
        .weight_decay = item->weight_decay,
        .beta1 = item->beta1,
        .beta2 = item->beta2,
        .epsilon = item->epsilon,
        .limits = limits,
        .rates = b->rates,
        .progress = b->progress,
    };
    require_ok(b->backend->optimizer->update(b->context, &step));
}

/* Sets the rates of a case, whose first update is number 1. */
static void set_rates(const bench *b, const optimizer_case *item)
{
    dv_rate rates[OPTIMIZER_STEPS];
    for (int i = 0; i < OPTIMIZER_STEPS; i++)
        rates[i] = dv_rate_make(item->learning_rate, item->beta1, item->beta2, (uint64_t)i + 1);
    require_ok(b->backend->upload(b->context, b->rates, rates, sizeof rates));
}

/* The values (OPTIMIZER_STEPS, count) after each update; the caller frees them. A case's
   gradient_scale is the inverse of the loss scale. */
static double *trajectory(const optimizer_case *item, const subject *on)
{
    size_t count = (size_t)item->count;
    double *values = calloc(2 * count, sizeof *values);
    double *after = calloc(OPTIMIZER_STEPS * count, sizeof *after);
    assert_non_null(values);
    assert_non_null(after);
    bench b = bench_open(on, item->count, DV_F32);
    set_rates(&b, item);
    set_progress(&b, (dv_progress){.loss_scale = 1 / item->gradient_scale});
    optimizer_case_fill(item, 0, values);
    upload(&b, b.memory[VALUES], values, item->count);
    for (int step = 1; step <= OPTIMIZER_STEPS; step++) {
        optimizer_case_fill(item, step, values);
        upload(&b, b.memory[GRADIENTS], values, item->count);
        update(&b, item, (dv_update_limits){.clip_norm = 0});
        download(&b, b.memory[VALUES], after + (size_t)(step - 1) * count, item->count);
        download(&b, b.memory[GRADIENTS], values + count, item->count);
        for (size_t i = 0; i < count; i++) /* updates do not change gradients */
            assert_true(values[count + i] == values[i]);
    }
    assert_int_equal(get_progress(&b).updates, OPTIMIZER_STEPS);
    bench_close(&b);
    free(values);
    return after;
}

static void require_close(const char *name, const char *what, op_tolerance tolerance,
                          const double *got, const double *want, int64_t count)
{
    tolerance_report report = tolerance_compare(tolerance, got, want, count);
    char text[256];
    tolerance_describe(tolerance, &report, text, sizeof text);
    if (!report.ok)
        fail_msg("%s: %s: %s", name, what, text);
}

static void test_updates(void **state)
{
    const optimizer_case *item = *state;
    char name[64];
    snprintf(name, sizeof name, "optimizer/%s", item->name);
    int64_t count = OPTIMIZER_STEPS * item->count;
    dv_safetensors *file;
    const double *want;
    require_ok(dv_safetensors_read(OP_VECTORS_PATH, &file));
    require_ok(vectors_fresh(file, name, optimizer_case_hash(item)));
    require_ok(vectors_find(file, name, "values", count, &want));
    for (int i = 0; i < under_test.count; i++) {
        const subject *on = &under_test.items[i];
        double *got = trajectory(item, on);
        require_close(item->name, on->backend->name, on->tolerance, got, want, count);
        free(got);
    }
    dv_safetensors_free(file);
}

/* More elements than one thread takes, and a boundary of the decay within them. */
static void test_large(void **state)
{
    (void)state;
    subject reference = {&dv_backend_ref, 1, TOLERANCE_MATH, NULL};
    open_subject(&reference);
    for (int kind = 0; kind < DV_OPTIMIZER_COUNT; kind++) {
        optimizer_case item = optimizer_cases[0];
        item.name = "large";
        item.kind = (dv_optimizer_kind)kind;
        item.count = 40007;
        item.decay_count = 20011;
        double *want = trajectory(&item, &reference);
        for (int i = 0; i < under_test.count; i++) {
            double *got = trajectory(&item, &under_test.items[i]);
            require_close(dv_optimizer_names[kind], under_test.items[i].backend->name,
                          TOLERANCE_MATH, got, want, OPTIMIZER_STEPS * item.count);
            free(got);
        }
        free(want);
    }
    dv_context_close(reference.context);
}

/* With zero gradients and momenta only the decay moves a value, and only below the boundary. */
static void decay_boundary(const subject *on)
{
    optimizer_case item = optimizer_cases[0];
    assert_int_equal(item.kind, DV_ADAMW);
    double *values = calloc((size_t)item.count, sizeof *values);
    assert_non_null(values);
    bench b = bench_open(on, item.count, DV_F32);
    set_rates(&b, &item);
    for (int64_t i = 0; i < item.count; i++)
        values[i] = 2;
    upload(&b, b.memory[VALUES], values, item.count);
    update(&b, &item, (dv_update_limits){.clip_norm = 1});
    download(&b, b.memory[VALUES], values, item.count);
    double decayed = 2 * (1 - item.learning_rate * item.weight_decay);
    for (int64_t i = 0; i < item.count; i++) {
        assert_true(fabs(values[i] - (i < item.decay_count ? decayed : 2)) < 1e-6);
        assert_true(i < item.decay_count || values[i] == 2);
    }
    bench_close(&b);
    free(values);
}

/* ---- The norm ---- */

enum { MANY = 50001 };

/* Makes one update with these gradients and returns the progress after it. */
static dv_progress after_update(bench *b, const double *gradients, dv_progress before,
                                dv_update_limits limits)
{
    optimizer_case item = optimizer_cases[0];
    item.count = b->count;
    item.decay_count = 0;
    set_rates(b, &item);
    set_progress(b, before);
    upload(b, b->memory[GRADIENTS], gradients, b->count);
    update(b, &item, limits);
    return get_progress(b);
}

static void norm(const subject *on)
{
    const dv_progress plain = {.step = 6, .loss_scale = 1};
    const dv_update_limits free_of_limits = {.clip_norm = 0};
    double *gradients = calloc(MANY, sizeof *gradients), squares = 0;
    assert_non_null(gradients);
    bench b = bench_open(on, MANY, DV_F32);
    for (int64_t i = 0; i < MANY; i++) {
        gradients[i] = (double)(i % 17 - 8) * (i % 1000 == 0 ? 1024 : 0.03125);
        squares += gradients[i] * gradients[i];
    }
    dv_progress once = after_update(&b, gradients, plain, free_of_limits);
    /* The sum is in double; float would lose the small values. */
    assert_true(fabs(once.norm_sum - sqrt(squares)) <= 1e-12 * sqrt(squares));
    assert_true(once.gradient_scale == 1);
    assert_true(after_update(&b, gradients, plain, free_of_limits).norm_sum == once.norm_sum);
    dv_progress clipped = after_update(&b, gradients, plain, (dv_update_limits){.clip_norm = 2});
    assert_true(fabs(clipped.gradient_scale * sqrt(squares) - 2) < 1e-12);
    static const int64_t places[] = {0, 13, MANY / 2, MANY - 1};
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 12; i++) {
        double before = gradients[places[i / 3]];
        gradients[places[i / 3]] = bad[i % 3];
        assert_int_equal(after_update(&b, gradients, plain, free_of_limits).failed, 7);
        gradients[places[i / 3]] = before;
    }
    gradients[3] = 3e38; /* finite, its square in float is not */
    assert_int_equal(after_update(&b, gradients, plain, free_of_limits).failed, 0);
    bench_close(&b);
    free(gradients);
}

/* ---- The loss scale ---- */

/* An overflow changes only the scale, and the schedule waits. */
static void overflow(const subject *on)
{
    const dv_update_limits limits = {.scaling = true, .growth_after = 3};
    double gradients[40], values[40], after[40];
    bench b = bench_open(on, 40, DV_F32);
    for (int i = 0; i < 40; i++) {
        gradients[i] = i == 39 ? INFINITY : 1;
        values[i] = 0.5 * i;
    }
    upload(&b, b.memory[VALUES], values, 40);
    dv_progress progress = {.step = 9, .updates = 1, .loss_scale = 1024, .steady = 2};
    progress = after_update(&b, gradients, progress, limits);
    download(&b, b.memory[VALUES], after, 40);
    assert_memory_equal(after, values, sizeof values);
    download(&b, b.memory[MOMENT1], after, 40);
    for (int i = 0; i < 40; i++)
        assert_true(after[i] == 0);
    assert_int_equal(progress.step, 10);
    assert_int_equal(progress.updates, 1);
    assert_int_equal(progress.skipped, 1);
    assert_int_equal(progress.steady, 0);
    assert_int_equal(progress.failed, 0);
    assert_true(progress.loss_scale == 512 && progress.norm_sum == 0);
    gradients[39] = 1; /* three good updates then double the scale */
    for (int i = 0; i < 3; i++)
        progress = after_update(&b, gradients, progress, limits);
    assert_true(progress.loss_scale == 1024);
    assert_int_equal(progress.steady, 0);
    assert_int_equal(progress.updates, 4);
    /* The norm is that of the gradient without its scale. */
    assert_true(fabs(progress.norm_sum - 3 * sqrt(40) / 512) < 1e-9);
    download(&b, b.memory[VALUES], after, 40);
    assert_true(after[5] != values[5]);
    bench_close(&b);
}

/* If the scale is already the least, the overflow is a failure of the model, and nothing changes
   from then on. */
static void failure(const subject *on)
{
    const dv_update_limits limits = {.scaling = true, .growth_after = 3};
    double gradients[8] = {NAN}, values[8] = {1, 2, 3}, after[8];
    bench b = bench_open(on, 8, DV_F32);
    upload(&b, b.memory[VALUES], values, 8);
    dv_progress progress = {.step = 4, .loss_scale = DV_LOSS_SCALE_LEAST};
    progress = after_update(&b, gradients, progress, limits);
    assert_int_equal(progress.failed, 5);
    assert_int_equal(progress.skipped, 0);
    gradients[0] = 1;
    progress = after_update(&b, gradients, progress, limits);
    assert_int_equal(progress.failed, 5);
    assert_int_equal(progress.updates, 0);
    download(&b, b.memory[VALUES], after, 8);
    assert_memory_equal(after, values, sizeof values);
    bench_close(&b);
}

static void scale_has_an_end(const subject *on)
{
    const dv_update_limits limits = {.scaling = true, .growth_after = 1};
    double gradients[8] = {1};
    bench b = bench_open(on, 8, DV_F32);
    dv_progress progress = {.loss_scale = DV_LOSS_SCALE_MOST};
    assert_true(after_update(&b, gradients, progress, limits).loss_scale == DV_LOSS_SCALE_MOST);
    bench_close(&b);
}

/* ---- Rounded values ---- */

static bool rounds_to(const subject *on, dv_dtype dtype)
{
    dv_precision precision;
    return dv_precision_in(on->context, dtype, &precision) == DV_OK;
}

static void rounded_values(const subject *on)
{
    static const dv_dtype dtypes[] = {DV_F16, DV_BF16};
    for (int d = 0; d < 2; d++) {
        double gradients[300], values[300];
        uint16_t rounded[300];
        if (!rounds_to(on, dtypes[d]))
            continue;
        bench b = bench_open(on, 300, dtypes[d]);
        for (int i = 0; i < 300; i++) {
            gradients[i] = i % 7 - 3;
            values[i] = sin(i);
        }
        upload(&b, b.memory[VALUES], values, 300);
        (void)after_update(&b, gradients, (dv_progress){.loss_scale = 1},
                           (dv_update_limits){.clip_norm = 1});
        download(&b, b.memory[VALUES], values, 300);
        require_ok(b.backend->download(b.context, rounded, b.rounded, sizeof rounded));
        for (int i = 0; i < 300; i++)
            assert_int_equal(rounded[i], bits_from_float(dtypes[d], (float)values[i]));
        bench_close(&b);
    }
}

/* ---- Metrics and seed ---- */

enum { SAMPLES = 37, CLASSES = 5 };

/* Sample i is of class i % CLASSES; every third answer is one class off. */
static void fill_answers(double *logits, double *targets, double *loss, uint64_t *correct)
{
    *loss = 0;
    *correct = 0;
    for (int i = 0; i < SAMPLES; i++) {
        int truth = i % CLASSES, answer = i % 3 == 0 ? (truth + 1) % CLASSES : truth;
        double sum = 0;
        for (int k = 0; k < CLASSES; k++) {
            logits[i * CLASSES + k] = 0.25 * ((i * 7 + k * 3) % 8) + (k == answer ? 4 : 0);
            targets[i * CLASSES + k] = k == truth ? 0.75 : 0.0625;
            sum += exp(logits[i * CLASSES + k]);
        }
        *loss += log(sum) - logits[i * CLASSES + truth];
        *correct += answer == truth;
    }
}

static void measures(const subject *on)
{
    double logits[SAMPLES * CLASSES], targets[SAMPLES * CLASSES], losses[SAMPLES], loss;
    uint64_t correct;
    fill_answers(logits, targets, &loss, &correct);
    bench b = bench_open(on, SAMPLES * CLASSES, DV_F32);
    upload(&b, b.memory[0], logits, SAMPLES * CLASSES);
    upload(&b, b.memory[1], targets, SAMPLES * CLASSES);
    for (int i = 0; i < SAMPLES; i++)
        losses[i] = 0.5 * i;
    upload(&b, b.memory[2], losses, SAMPLES);
    dv_batch_metrics measure = {.logits = b.memory[0],
                                .targets = b.memory[1],
                                .count = SAMPLES,
                                .classes = CLASSES,
                                .progress = b.progress};
    require_ok(b.backend->optimizer->measure(b.context, &measure));
    dv_progress progress = get_progress(&b);
    assert_true(fabs(progress.loss_sum - loss) < 1e-5 * loss);
    assert_int_equal(progress.correct, correct);
    assert_int_equal(progress.seen, SAMPLES);
    measure.losses = b.memory[2]; /* losses are given, and added to the sums */
    measure.count = 3;
    require_ok(b.backend->optimizer->measure(b.context, &measure));
    dv_progress more = get_progress(&b);
    assert_true(fabs(more.loss_sum - progress.loss_sum - 1.5) < 1e-9);
    assert_int_equal(more.correct, correct + 2);
    assert_int_equal(more.seen, SAMPLES + 3);
    /* All losses but 7 are left out. Its answer is right. */
    const double bad[] = {NAN, INFINITY, 7, -INFINITY};
    upload(&b, b.memory[2], bad, 4);
    measure.count = 4;
    require_ok(b.backend->optimizer->measure(b.context, &measure));
    dv_progress rest = get_progress(&b);
    assert_true(rest.loss_sum == more.loss_sum + 7);
    assert_int_equal(rest.correct, more.correct + 1);
    assert_int_equal(rest.seen, more.seen + 1);
    upload(&b, b.memory[0], targets, SAMPLES * CLASSES); /* bench_close checks the zones */
    bench_close(&b);
}

static void seeds(const subject *on)
{
    bench b = bench_open(on, 48, DV_F32);
    double gradient[48];
    set_progress(&b, (dv_progress){.loss_scale = 4096});
    require_ok(b.backend->optimizer->seed(b.context, b.progress, b.memory[0], 48));
    download(&b, b.memory[0], gradient, 48);
    for (int i = 0; i < 48; i++)
        assert_true(fabs(gradient[i] - 4096.0 / 48) < 1e-5);
    bench_close(&b);
}

/* ---- The list of tests ---- */

static void on_each(void **state)
{
    void (*const test)(const subject *) = *(void (**)(const subject *)) * state;
    for (int i = 0; i < under_test.count; i++)
        test(&under_test.items[i]);
}

static int run_fixed(void)
{
    static struct {
        const char *name;
        void (*test)(const subject *);
    } fixed[] = {
        {"decay boundary", decay_boundary},
        {"norm", norm},
        {"an overflow skips a step", overflow},
        {"an overflow that no scale explains", failure},
        {"the scale has an end", scale_has_an_end},
        {"rounded values", rounded_values},
        {"metrics", measures},
        {"seed", seeds},
    };
    enum { COUNT = sizeof fixed / sizeof fixed[0] };
    struct CMUnitTest tests[COUNT + 1] = {{"large", test_large, NULL, NULL, NULL}};
    for (size_t i = 0; i < COUNT; i++)
        tests[i + 1] = (struct CMUnitTest){fixed[i].name, on_each, NULL, NULL, &fixed[i].test};
    return _cmocka_run_group_tests("steps", tests, COUNT + 1, open_all, close_all);
}

static int run_cases(void)
{
    struct CMUnitTest *tests = calloc((size_t)optimizer_case_count, sizeof *tests);
    if (tests == NULL)
        return 1;
    for (int i = 0; i < optimizer_case_count; i++)
        tests[i] = (struct CMUnitTest){optimizer_cases[i].name, test_updates, NULL, NULL,
                                       (void *)(uintptr_t)&optimizer_cases[i]};
    int failures = _cmocka_run_group_tests("optimisers", tests, (size_t)optimizer_case_count,
                                           open_all, close_all);
    free(tests);
    return failures;
}

int main(int argc, char **argv)
{
    int status;
    under_test = (subjects){.items = {{&dv_backend_ref64, 1, TOLERANCE_DOUBLE, NULL},
                                      {&dv_backend_ref, 1, TOLERANCE_MATH, NULL},
                                      {&dv_backend_cpu, 1, TOLERANCE_MATH, NULL},
                                      {&dv_backend_cpu, 2, TOLERANCE_MATH, NULL}},
                            .count = 4};
    if (argc > 1) {
        const dv_backend *backend = device_backend(argv[1], &status);
        if (backend == NULL)
            return status;
        under_test = (subjects){.items = {{backend, 1, TOLERANCE_MATH, NULL}}, .count = 1};
    }
    return run_cases() + run_fixed() != 0;
}
