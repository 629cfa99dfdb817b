/*
 * The gradients of ref64 against central differences of its forward, for every element of every
 * input and parameter of every case at a smooth point. With L = sum dy y:
 *
 *     element    |difference - gradient| <= 1e-6 (|gradient| + rms of the gradient)
 *     direction  cosine between both > 0.9999
 *     length     equal within 0.1 %
 *
 * Signs are compared, so a gradient with the wrong sign fails. test_ops shows that forward itself
 * is right.
 */
#include "tests/op_cases/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double step_size = 1e-5;
static const double element_tolerance = 1e-6;
static const double least_cosine = 0.9999;
static const double length_tolerance = 1e-3;

static void require_ok(const op_case *item, dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s: %s", item->name, dv_status_text(status), dv_error_message());
}

static void forward_at(op_rig *rig, op_tensor *tensor, int64_t i, double value, double *y)
{
    double before = tensor->value[i];
    tensor->value[i] = value;
    require_ok(rig->item, op_rig_upload(rig, tensor));
    require_ok(rig->item, op_rig_forward(rig));
    tensor->value[i] = before;
    memcpy(y, rig->output->value, (size_t)rig->output->count * sizeof *y);
}

/* dL / d tensor[i] by differences. `y` has room for two outputs. */
static double difference(op_rig *rig, op_tensor *tensor, int64_t i, double *y)
{
    int64_t count = rig->output->count;
    double low = tensor->value[i] - step_size, high = tensor->value[i] + step_size, sum = 0;
    forward_at(rig, tensor, i, low, y);
    forward_at(rig, tensor, i, high, y + count);
    for (int64_t k = 0; k < count; k++)
        sum += rig->output->gradient[k] * (y[count + k] - y[k]);
    return sum / (high - low);
}

static void compare(const op_rig *rig, const op_tensor *tensor, const double *differences)
{
    double dot = 0, power = 0, expected_power = 0;
    for (int64_t i = 0; i < tensor->count; i++) {
        dot += tensor->gradient[i] * differences[i];
        power += tensor->gradient[i] * tensor->gradient[i];
        expected_power += differences[i] * differences[i];
    }
    double rms = sqrt(power / (double)tensor->count);
    for (int64_t i = 0; i < tensor->count; i++) {
        double bound = element_tolerance * (fabs(tensor->gradient[i]) + rms);
        if (!(fabs(tensor->gradient[i] - differences[i]) <= bound))
            fail_msg("%s: gradient of %s, element %lld: %.12g, by differences %.12g",
                     rig->item->name, tensor->name, (long long)i, tensor->gradient[i],
                     differences[i]);
    }
    double cosine = dot / sqrt(power * expected_power), length = sqrt(power / expected_power);
    if (!(cosine > least_cosine) || !(fabs(length - 1) <= length_tolerance))
        fail_msg("%s: gradient of %s: cosine %.9f, length %.6f of the differences'",
                 rig->item->name, tensor->name, cosine, length);
}

static void check_tensor(op_rig *rig, op_tensor *tensor)
{
    double *differences = calloc((size_t)tensor->count, sizeof *differences);
    double *y = calloc(2 * (size_t)rig->output->count, sizeof *y);
    assert_non_null(differences);
    assert_non_null(y);
    for (int64_t i = 0; i < tensor->count; i++)
        differences[i] = difference(rig, tensor, i, y);
    require_ok(rig->item, op_rig_upload(rig, tensor));
    compare(rig, tensor, differences);
    free(differences);
    free(y);
}

static void test_gradient(void **state)
{
    op_rig *rig;
    require_ok(*state, op_rig_open(*state, &dv_backend_ref64, &(op_rig_options){0}, &rig));
    require_ok(rig->item, op_rig_forward(rig));
    require_ok(rig->item, op_rig_backward(rig));
    int checked = 0;
    for (int i = 0; i < rig->tensor_count; i++) {
        op_tensor *tensor = &rig->tensors[i];
        if (tensor->kind == TENSOR_OUTPUT || tensor->gradient == NULL)
            continue;
        check_tensor(rig, tensor);
        checked++;
    }
    assert_true(checked > 0);
    op_rig_close(rig);
}

int main(void)
{
    struct CMUnitTest *tests = calloc((size_t)op_case_count, sizeof *tests);
    size_t count = 0;
    for (int i = 0; tests != NULL && i < op_case_count; i++) {
        if ((op_cases[i].flags & (CASE_LARGE | CASE_CORNER | CASE_INFERENCE)) == 0)
            tests[count++] = (struct CMUnitTest){op_cases[i].name, test_gradient, NULL, NULL,
                                                 (void *)(uintptr_t)&op_cases[i]};
    }
    int failures = _cmocka_run_group_tests("gradients", tests, count, NULL, NULL);
    free(tests);
    return failures != 0;
}
