/*
 * An element's value does not depend on its place in a vector or on its neighbours, so that a clip
 * has the same answer alone and in a batch. The CPU's activation, batch norm and attention are
 * compiled with fused multiply-adds, which could break this.
 */
#include "engine/backends/open.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/attention/attention.h"
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/ops.h"
#include "tests/support/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    MOST = 47,
    WHOLE = 1009
}; /* elements of a part and of the whole; no multiples of a vector */

static void begin(network *net, dv_shape shape, dv_op_id op, const void *attr)
{
    network_begin(net, &dv_backend_cpu, shape);
    network_add(net, op, "op", attr, net->input, -1);
    network_plan(net, NULL);
}

/* The output of the network for this input. The caller frees it. */
static double *output_of(network *net, const double *input)
{
    network_set_value(net, net->input, input);
    network_forward(net);
    return network_value(net, net->output);
}

/* Compares parts of the elements, of all lengths up to MOST, with all elements at once. */
static void activation_by_parts(int kind)
{
    dv_activation_attr attr = {.kind = kind};
    double input[WHOLE];
    network whole;
    network_draw(7, WHOLE, input);
    for (int i = 0; i < WHOLE; i++)
        input[i] = (double)(float)(input[i] * (i % 2 == 0 ? 3 : 0.05));
    begin(&whole, (dv_shape){1, 1, 1, WHOLE}, DV_OP_activation, &attr);
    double *want = output_of(&whole, input);
    for (int count = 1, first = 0; count <= MOST; first += count, count++) {
        network part;
        first = first + count <= WHOLE ? first : 0;
        begin(&part, (dv_shape){1, 1, 1, count}, DV_OP_activation, &attr);
        double *got = output_of(&part, input + first);
        if (memcmp(got, want + first, (size_t)count * sizeof *got) != 0)
            fail_msg("%s of %d elements from %d on", dv_activation_names[kind], count, first);
        free(got);
        network_close(&part);
    }
    free(want);
    network_close(&whole);
}

static void test_activation(void **state)
{
    (void)state;
    for (int kind = DV_ACT_RELU; kind < DV_ACT_COUNT; kind++)
        activation_by_parts(kind);
}

/* Compares the samples of a batch one by one with the whole batch, without batch statistics. */
static void by_samples(dv_shape shape, dv_op_id op, const void *attr)
{
    network whole, single;
    dv_shape one = {1, shape.h, shape.w, shape.c};
    begin(&whole, shape, op, attr);
    begin(&single, one, op, attr);
    whole.pass.training = single.pass.training = false;
    int64_t size = dv_shape_count(one), results = network_count(&single, single.output);
    double *input = network_value(&whole, whole.input), *want = output_of(&whole, input);
    for (int64_t n = 0; n < shape.n; n++) {
        double *got = output_of(&single, input + n * size);
        if (memcmp(got, want + n * results, (size_t)results * sizeof *got) != 0)
            fail_msg("%s: sample %d of %s", dv_op_get(op)->name, (int)n,
                     dv_shape_format(shape).text);
        free(got);
    }
    free(input);
    free(want);
    network_close(&whole);
    network_close(&single);
}

static void test_batch_norm(void **state)
{
    (void)state;
    static const int64_t channels[] = {1, 3, 16, 24, 64, 65, 143, 500};
    for (int kind = DV_ACT_NONE; kind < DV_ACT_COUNT; kind++) {
        dv_batchnorm_attr attr = {.epsilon = 1e-5, .momentum = 0.1, .activation = kind};
        for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
            by_samples((dv_shape){9, 2, 3, channels[i]}, DV_OP_batchnorm, &attr);
    }
}

static void test_attention(void **state)
{
    (void)state;
    dv_attention_attr attr = {.heads = 2};
    static const int64_t steps[] = {1, 7, 8, 17, 32, 33, 70};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        by_samples((dv_shape){5, 1, steps[i], 3 * 36}, DV_OP_attention, &attr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_activation),
                                       cmocka_unit_test(test_batch_norm),
                                       cmocka_unit_test(test_attention)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
