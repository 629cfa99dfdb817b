/*
 * The CPU with products in BF16: every case of conv2d and linear, under guard, against ref, which
 * computes in float from the same rounded numbers. Products of BF16 numbers are exact, so the
 * bounds are those of float. Another test shows that rounding happens.
 *
 * An argument selects the cases whose name contains it. If the processor has no BF16, or oneDNN is
 * told so by DNNL_MAX_CPU_ISA, only the refusal is tested.
 */
#include "engine/backends/open.h"
#include "engine/device/cpu_device.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/harness.h"
#include "tests/support/rounding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static op_rig *open_rig(const op_case *item, const dv_backend *backend, op_rig_options options)
{
    op_rig *rig;
    options.dtype = DV_BF16;
    if (op_rig_open(item, backend, &options, &rig) != DV_OK)
        fail_msg("%s: %s", item->name, dv_error_message());
    return rig;
}

static void run(op_rig *rig)
{
    dv_status status = op_rig_forward(rig);
    if (status == DV_OK && !rig->inference)
        status = op_rig_backward(rig);
    if (status != DV_OK)
        fail_msg("%s: %s", rig->item->name, dv_error_message());
}

static bool is_close(const op_rig *rig, op_tolerance tolerance, const char *what, const double *got,
                     const double *want, tolerance_roundings roundings, char *text, size_t size)
{
    tolerance_bounds bounds = tolerance_in(tolerance, DV_BF16, roundings);
    tolerance_report report = tolerance_compare_within(bounds, got, want, NULL, roundings.count);
    int length = snprintf(text, size, "%s, %d thread(s): %s: ", rig->item->name,
                          rig->context->threads, what);
    tolerance_describe_within(bounds, &report, text + length, size - (size_t)length);
    return report.ok;
}

/* Compares all results. Returns false and a text for the first that differs. */
static bool agree(const op_rig *rig, const op_rig *reference, op_tolerance tolerance, char *text,
                  size_t size)
{
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *got = &rig->tensors[i], *want = &reference->tensors[i];
        char what[DV_NAME_SIZE + 16];
        snprintf(what, sizeof what, "gradient of %s", got->name);
        if (got->kind == TENSOR_OUTPUT &&
            !is_close(rig, tolerance, got->name, got->value, want->value,
                      op_rig_value_roundings(rig, got), text, size))
            return false;
        if (got->gradient != NULL && got->kind != TENSOR_OUTPUT &&
            !is_close(rig, tolerance, what, got->gradient, want->gradient,
                      op_rig_gradient_roundings(rig, got), text, size))
            return false;
    }
    return true;
}

static void require_same(const op_rig *rig, const op_rig *reference, op_tolerance tolerance)
{
    char text[512];
    if (!agree(rig, reference, tolerance, text, sizeof text))
        fail_msg("%s", text);
}

static void check_variant(const op_rig *reference, op_rig_options options)
{
    op_rig *rig = open_rig(reference->item, &dv_backend_cpu, options);
    assert_int_equal(rig->precision.operands, DV_BF16);
    assert_int_equal(rig->precision.values, DV_F32);
    run(rig);
    require_same(rig, reference, reference->item->tolerance);
    op_rig *again = open_rig(reference->item, &dv_backend_cpu, options);
    run(again);
    run(again);
    if (options.threads == 1)
        require_same(again, rig, TOLERANCE_EXACT);
    op_rig_close(again);
    op_rig_close(rig);
}

static void check_case(const op_case *item, bool inference)
{
    op_rig *reference = open_rig(item, &dv_backend_ref, (op_rig_options){.inference = inference});
    run(reference);
    for (int threads = 1; threads <= 2; threads++)
        check_variant(reference, (op_rig_options){.threads = threads, .inference = inference});
    check_variant(reference, (op_rig_options){.threads = 1, .inference = inference, .plain = true});
    if (!inference)
        check_variant(reference, (op_rig_options){.threads = 1, .unwanted = 1});
    op_rig_close(reference);
}

static void test_case(void **state)
{
    const op_case *item = *state;
    if ((item->flags & CASE_INFERENCE) == 0)
        check_case(item, false);
    check_case(item, true);
}

/* With numbers that BF16 does not have, the result is that of the rounded numbers, and not that of
   the numbers themselves. All results of these cases are products of rounded numbers. */
static void test_operands_are_rounded(void **state)
{
    (void)state;
    static const char *const names[] = {"conv2d/no_bias", "conv2d/large_last",
                                        "conv2d/large_square", "conv2d/large_reduce",
                                        "linear/image"};
    int found = 0;
    for (int i = 0; i < op_case_count; i++) {
        const op_case *item = &op_cases[i];
        bool wanted = false;
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            wanted = wanted || strcmp(item->name, names[k]) == 0;
        if (!wanted)
            continue;
        op_rig *rig = open_rig(item, &dv_backend_cpu, (op_rig_options){.unrounded = true});
        op_rig *rounded = open_rig(item, &dv_backend_ref, (op_rig_options){0});
        op_rig *exact = open_rig(item, &dv_backend_ref, (op_rig_options){.unrounded = true});
        run(rig);
        run(rounded);
        run(exact);
        require_same(rig, rounded, item->tolerance);
        char text[512];
        if (agree(rig, exact, item->tolerance, text, sizeof text))
            fail_msg("%s: computed in float", item->name);
        op_rig_close(rig);
        op_rig_close(rounded);
        op_rig_close(exact);
        found++;
    }
    assert_int_equal(found, sizeof names / sizeof names[0]);
}

/* Several threads compute the weight's gradient of a convolution in float: in BF16 oneDNN's threads
   spin for each other (conv2d/cpu_direct.c). */
static void test_weight_gradient_of_several_threads(void **state)
{
    (void)state;
    const op_case *item = NULL;
    for (int i = 0; i < op_case_count; i++)
        item = strcmp(op_cases[i].name, "conv2d/large_square") == 0 ? &op_cases[i] : item;
    assert_non_null(item);
    op_rig *exact = open_rig(item, &dv_backend_ref, (op_rig_options){.unrounded = true});
    run(exact);
    const op_tensor *want = op_rig_find(exact, "weight");
    for (int threads = 1; threads <= 2; threads++) {
        op_rig *rig = open_rig(item, &dv_backend_cpu,
                               (op_rig_options){.threads = threads, .unrounded = true});
        char text[512];
        run(rig);
        const op_tensor *got = op_rig_find(rig, "weight");
        bool close =
            is_close(rig, item->tolerance, "gradient of weight", got->gradient, want->gradient,
                     op_rig_gradient_roundings(rig, got), text, sizeof text);
        if (close != (threads == 2))
            fail_msg("%s", text);
        op_rig_close(rig);
    }
    op_rig_close(exact);
}

/* Rounds ties, both ends of the range and NaN, in arrays of every length that a vector's end can
   have. */
static void test_rounding(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static const uint32_t ends[] = {0,          0x80000000, 0x00000001, 0x807FFFFF, 0x00800000,
                                    0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0x7F7FFFFF,
                                    0xFF7F7FFF, 0x7F800000, 0xFF800000, 0x7F800001, 0x7FC00000,
                                    0xFFFFFFFF, 0x7F808000, 0xFFBFFFFF};
    enum { ENDS = sizeof ends / sizeof ends[0] };
    float *from = malloc(COUNT * sizeof *from);
    uint16_t *into = malloc(COUNT * sizeof *into);
    assert_true(from != NULL && into != NULL);
    uint32_t bits = 1;
    for (int i = 0; i < COUNT; i++) {
        bits = bits * 1664525 + 1013904223;
        memcpy(&from[i], i % 3 == 0 ? &ends[i / 3 % ENDS] : &bits, sizeof bits);
    }
    for (int count = COUNT; count > 0; count = count > 40 ? count / 2 : count - 1) {
        memset(into, 0x5A, COUNT * sizeof *into);
        dv_cpu_round(from, into, count);
        for (int i = 0; i < count; i++)
            assert_int_equal(into[i], bits_from_float(DV_BF16, from[i]));
        assert_true(count == COUNT || into[count] == 0x5A5A);
    }
    free(from);
    free(into);
}

static void require_refused(dv_context *context, dv_dtype dtype, const char *message)
{
    dv_precision precision = {DV_F32, DV_F32};
    assert_int_equal(dv_precision_in(context, dtype, &precision), DV_EUNSUPPORTED);
    assert_string_equal(dv_error_message(), message);
    assert_int_equal(precision.operands, DV_F32);
}

/* Refusals name the missing precision. */
static void test_refusals(void **state)
{
    (void)state;
    dv_context *context;
    dv_precision precision;
    assert_int_equal(dv_context_open_backend(&dv_backend_cpu, 1, (dv_log){0}, &context), DV_OK);
    if (dv_cpu_has_bf16()) {
        assert_int_equal(dv_precision_in(context, DV_BF16, &precision), DV_OK);
        assert_int_equal(precision.values, DV_F32);
        assert_int_equal(precision.operands, DV_BF16);
    } else {
        require_refused(context, DV_BF16,
                        "this processor has no instructions for bf16 (AVX512_BF16 or AMX)");
    }
    require_refused(context, DV_F16, "cpu computes in fp32 and bf16, not in fp16");
    require_refused(context, DV_I8, "cpu computes in fp32 and bf16, not in int8");
    assert_int_equal(dv_precision_in(context, DV_F32, &precision), DV_OK);
    assert_int_equal(precision.operands, DV_F32);
    dv_context_close(context);
    assert_int_equal(dv_context_open_backend(&dv_backend_ref, 1, (dv_log){0}, &context), DV_OK);
    require_refused(context, DV_BF16, "ref computes in fp32 alone, not in bf16");
    dv_context_close(context);
}

static size_t append_cases(struct CMUnitTest *tests, const char *part)
{
    size_t count = 0;
    for (int i = 0; i < op_case_count; i++) {
        const op_case *item = &op_cases[i];
        bool multiplies = item->op == DV_OP_conv2d || item->op == DV_OP_linear;
        if (multiplies && strstr(item->name, part) != NULL)
            tests[count++] =
                (struct CMUnitTest){item->name, test_case, NULL, NULL, (void *)(uintptr_t)item};
    }
    return count;
}

int main(int argc, char **argv)
{
    struct CMUnitTest *tests = calloc((size_t)op_case_count + 4, sizeof *tests);
    if (tests == NULL)
        return 1;
    tests[0] = (struct CMUnitTest)cmocka_unit_test(test_rounding);
    tests[1] = (struct CMUnitTest)cmocka_unit_test(test_refusals);
    tests[2] = (struct CMUnitTest)cmocka_unit_test(test_operands_are_rounded);
    tests[3] = (struct CMUnitTest)cmocka_unit_test(test_weight_gradient_of_several_threads);
    size_t count = 2;
    if (dv_cpu_has_bf16())
        count = 4 + append_cases(tests + 4, argc > 1 ? argv[1] : "");
    else
        printf("the cases are left out: no instructions for bf16\n");
    int failures = _cmocka_run_group_tests("operations in bf16", tests, count, NULL, NULL);
    free(tests);
    return failures != 0;
}
