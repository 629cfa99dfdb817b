/* The trainer on the CPU with products in BF16: it learns as in float, resumes as if never
   interrupted, and computes in float if BF16 is not available. */
#include "engine/backends/open.h"
#include "engine/device/cpu_device.h"
#include "tests/support/rounding.h"
#include "tests/support/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A model with every way to compute a product: direct, pointwise (all rows, some), taps, dense. */
static const char model[] = "layers:\n"
                            "  - frames:\n"
                            "  - conv2d: {filters: 24, kernel: [1, 3], bias: false}\n"
                            "  - batchnorm: {activation: silu}\n"
                            "  - conv2d: {filters: 40, kernel: 1, stride: [1, 2]}\n"
                            "  - encoder: {units: 40, heads: 4, feed_forward: 64, layers: 1}\n"
                            "  - global_avgpool:\n"
                            "  - conv2d: {filters: 32, kernel: 3}\n"
                            "  - linear: {units: 32, activation: tanh}\n"
                            "  - linear: {units: classes}\n";

static void require_bf16(void)
{
    if (dv_cpu_has_bf16())
        return;
    print_message("skipped: this processor has no instructions for bf16\n");
    skip();
}

/* Opens a trial that rounds products of all sizes. */
static void open_trial(trial *seen, int precision)
{
    trial_open(seen, &dv_backend_cpu, model, 16, 8);
    dv_cpu_device *device = seen->context->device;
    device->bf16_products = device->bf16_channels = 0;
    seen->task.config.mixed_precision = precision;
    seen->task.config.epochs = 6;
    seen->task.config.learning_rate = 0.003;
}

static void run_whole(trial *seen, int precision)
{
    open_trial(seen, precision);
    trial_whole(seen);
}

static void test_learns_as_in_float(void **state)
{
    (void)state;
    require_bf16();
    trial full, mixed;
    run_whole(&full, DV_MIXED_NONE);
    run_whole(&mixed, DV_MIXED_BF16);
    assert_int_equal(dv_trainer_params(full.trainer)->precision.operands, DV_F32);
    assert_int_equal(dv_trainer_params(mixed.trainer)->precision.operands, DV_BF16);
    for (int e = 0; e < full.epochs; e++) {
        const dv_epoch_metrics *want = &full.metrics[e], *got = &mixed.metrics[e];
        assert_true(got->train_loss != want->train_loss);
        assert_true(fabs(got->train_loss - want->train_loss) <= 0.02 + 0.02 * want->train_loss);
        trial_require_near(got->gradient_norm, want->gradient_norm, 0.1);
    }
    assert_true(trial_last(&full)->train_loss < 0.6 * full.metrics[0].train_loss);
    assert_true(fabs(trial_last(&mixed)->validation_accuracy -
                     trial_last(&full)->validation_accuracy) <= 0.05);
    trial_close(&full);
    trial_close(&mixed);
}

/* `true` chooses the device's best precision. */
static void test_true_is_bf16(void **state)
{
    (void)state;
    require_bf16();
    trial named, chosen;
    run_whole(&named, DV_MIXED_BF16);
    run_whole(&chosen, DV_MIXED_TRUE);
    trial_require_same(&named, &chosen);
    trial_close(&named);
    trial_close(&chosen);
}

static void note_warning(void *user, dv_log_level level, const char *message)
{
    if (level == DV_LOG_WARNING)
        snprintf(user, 256, "%s", message);
}

/* FP16, which the CPU lacks, gives a warning and the numbers of float. */
static void test_fp16_is_float(void **state)
{
    (void)state;
    char warning[256] = "";
    trial full, mixed;
    run_whole(&full, DV_MIXED_NONE);
    open_trial(&mixed, DV_MIXED_FP16);
    mixed.context->log = (dv_log){note_warning, warning};
    trial_whole(&mixed);
    assert_string_equal(warning, "no mixed precision: cpu computes in fp32 and bf16, not in fp16");
    trial_require_same(&full, &mixed);
    trial_close(&full);
    trial_close(&mixed);
}

static void require_rounded(const trial *seen, dv_buffer buffer)
{
    const dv_params *params = dv_trainer_params(seen->trainer);
    const float *values = params->buffers[buffer];
    const uint16_t *rounded = params->copies[buffer];
    assert_true(params->value_elements > 0);
    for (int64_t i = 0; i < params->value_elements; i++)
        assert_int_equal(rounded[i], bits_from_float(DV_BF16, values[i]));
}

static void watch_values(trial *seen)
{
    require_rounded(seen, DV_BUFFER_VALUES);
}

/* The rounded weights follow the weights in every step, and those of the average in every
   validation. */
static void test_rounded_weights_follow(void **state)
{
    (void)state;
    require_bf16();
    trial seen;
    open_trial(&seen, DV_MIXED_BF16);
    seen.task.config.ema_decay = 0.9;
    seen.task.config.epochs = 2;
    seen.watch = watch_values;
    trial_freeze(&seen, "[\"conv2d_1.weight\"]");
    trial_whole(&seen);
    require_rounded(&seen, DV_BUFFER_VALUES);
    require_rounded(&seen, DV_BUFFER_AVERAGE);
    trial_close(&seen);
}

static void hand_over(const trial *from, trial *to)
{
    static const dv_buffer buffers[] = {DV_BUFFER_VALUES, DV_BUFFER_MOMENT1, DV_BUFFER_MOMENT2,
                                        DV_BUFFER_BEST};
    dv_params *params = dv_trainer_params(to->trainer);
    for (size_t b = 0; b < sizeof buffers / sizeof buffers[0]; b++) {
        for (int i = 0; i < params->count; i++) {
            if (!params->items[i].trainable && buffers[b] != DV_BUFFER_VALUES &&
                buffers[b] != DV_BUFFER_BEST)
                continue;
            int64_t count;
            float *values = trial_read_one(from, params->items[i].name, buffers[b], &count);
            must(dv_params_write(params, i, buffers[b], values));
            free(values);
        }
    }
    *dv_trainer_state(to->trainer) = *dv_trainer_state_of(from->trainer);
}

static void test_resume(void **state)
{
    (void)state;
    require_bf16();
    trial whole, first, second;
    run_whole(&whole, DV_MIXED_BF16);
    open_trial(&first, DV_MIXED_BF16);
    first.stop_at = 9; /* in the second epoch */
    must(trial_create(&first));
    assert_int_equal(trial_go(&first), DV_EINTERRUPTED);
    open_trial(&second, DV_MIXED_BF16);
    must(trial_create(&second));
    hand_over(&first, &second);
    must(trial_go(&second));
    trial_require_same(&second, &whole);
    assert_true(trial_last(&second)->train_loss == trial_last(&whole)->train_loss);
    trial_close(&whole);
    trial_close(&first);
    trial_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_as_in_float),
        cmocka_unit_test(test_true_is_bf16),
        cmocka_unit_test(test_fp16_is_float),
        cmocka_unit_test(test_rounded_weights_follow),
        cmocka_unit_test(test_resume),
    };
    return cmocka_run_group_tests_name("mixed precision on the CPU", tests, NULL, NULL);
}
