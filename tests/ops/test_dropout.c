/* Random numbers: Philox4x32-10 against the known answers of Random123's kat_vectors, and dropout
   by them. */
#include "engine/backends/open.h"
#include "engine/base/rng.h"
#include "engine/ops/dropout/dropout.h"
#include "tests/op_cases/harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

static void test_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], words[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const uint32_t *counter = known[i].counter, *key = known[i].key;
        dv_rng rng = {.seed = (uint64_t)key[1] << 32 | key[0],
                      .use = counter[1],
                      .step = (uint64_t)counter[3] << 32 | counter[2]};
        uint32_t words[4];
        dv_rng_words(&rng, counter[0], words);
        assert_memory_equal(words, known[i].words, sizeof words);
    }
}

static const op_case *find_case(const char *name)
{
    for (int i = 0; i < op_case_count; i++) {
        if (strcmp(op_cases[i].name, name) == 0)
            return &op_cases[i];
    }
    fail_msg("no case %s", name);
    return NULL;
}

static bool stays(const op_rig *rig, int64_t e, double rate)
{
    dv_rng rng = {.seed = rig->pass.seed,
                  .use = DV_RNG_DROPOUT + (uint32_t)rig->node,
                  .step = rig->pass.step};
    uint32_t words[4];
    dv_rng_words(&rng, (uint32_t)(e / 4), words);
    return (double)dv_uniform_from_bits(words[e % 4]) >= rate;
}

/* Checks every element of the output and of the gradient by the definition in dropout.h. Returns
   the number of elements that stay. */
static int64_t check_definition(op_rig *rig)
{
    const dv_dropout_attr *attr = rig->graph->nodes[rig->node].attr;
    const op_tensor *x = op_rig_find(rig, "x0"), *y = rig->output;
    dv_shape shape = rig->item->inputs[0].shape;
    assert_int_equal(op_rig_forward(rig), DV_OK);
    assert_int_equal(op_rig_backward(rig), DV_OK);
    int64_t kept = 0;
    for (int64_t i = 0; i < x->count; i++) {
        int64_t n = i / (shape.h * shape.w * shape.c), c = i % shape.c;
        int64_t e = attr->channels ? n * shape.c + c : i;
        double scale = stays(rig, e, attr->rate) ? 1 / (1 - attr->rate) : 0;
        assert_true(fabs(y->value[i] - scale * x->value[i]) <= 1e-6 * fabs(y->value[i]));
        assert_true(fabs(x->gradient[i] - scale * y->gradient[i]) <= 1e-6 * fabs(x->gradient[i]));
        kept += scale != 0;
    }
    return kept;
}

static void check_share(const dv_backend *backend, const char *name, double low, double high)
{
    op_rig *rig;
    assert_int_equal(op_rig_open(find_case(name), backend, &(op_rig_options){0}, &rig), DV_OK);
    double count = (double)rig->output->count;
    double share = (double)check_definition(rig) / count;
    assert_true(share > low && share < high);
    rig->pass.step++; /* another step has another mask, by the same definition */
    check_definition(rig);
    rig->pass.seed += (uint64_t)1 << 40; /* all 64 bits of the seed count */
    check_definition(rig);
    op_rig_close(rig);
}

static void test_definition(void **state)
{
    static const dv_backend *const backends[] = {&dv_backend_ref64, &dv_backend_ref,
                                                 &dv_backend_cpu};
    (void)state;
    for (size_t b = 0; b < sizeof backends / sizeof backends[0]; b++) {
        check_share(backends[b], "dropout/large", 0.69, 0.71);
        check_share(backends[b], "dropout/large_channels", 0.75, 0.85);
        check_share(backends[b], "dropout/count_odd", 0.5, 0.9);
        check_share(backends[b], "dropout/none", 0.99, 1.01);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_definition),
    };
    return cmocka_run_group_tests_name("dropout", tests, NULL, NULL);
}
