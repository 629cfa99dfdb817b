/* No operation without an implementation on every backend, cases in every mode, a check of its
   gradient and a PyTorch vector. Prints the table. */
#include "tests/ops/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

typedef struct coverage {
    int training, inference, large, gradients, vectors;
} coverage;

static coverage count_cases(const dv_safetensors *file, dv_op_id op)
{
    coverage found = {0};
    for (int i = 0; i < op_case_count; i++) {
        const op_case *item = &op_cases[i];
        if (item->op != op)
            continue;
        char key[DV_NAME_SIZE];
        snprintf(key, sizeof key, "%s/y", item->name);
        bool inference = (item->flags & CASE_INFERENCE) != 0;
        bool large = (item->flags & CASE_LARGE) != 0;
        found.training += !inference;
        found.inference++; /* every case is run in an inference plan as well */
        found.large += large;
        found.gradients += !inference && !large && (item->flags & CASE_CORNER) == 0;
        found.vectors += dv_safetensors_find(file, key) != NULL;
    }
    return found;
}

static const char *directions(const dv_backend *backend, dv_op_id op)
{
    const dv_impl *impl = backend->impls[op];
    if (impl == NULL || impl->forward == NULL)
        return "-";
    return impl->backward != NULL ? "f+b" : "f";
}

static void test_every_operation(void **state)
{
    (void)state;
    dv_safetensors *file;
    assert_int_equal(dv_safetensors_read(OP_VECTORS_PATH, &file), DV_OK);
    printf("%-22s %5s %5s %5s  %8s %9s %5s %9s %7s\n", "operation", "ref64", "ref", "cpu",
           "training", "inference", "large", "gradients", "vectors");
    int incomplete = 0;
    for (int id = 0; id < DV_OP_COUNT; id++) {
        if (id == DV_OP_input)
            continue;
        const char *ref64 = directions(&dv_backend_ref64, (dv_op_id)id);
        const char *ref = directions(&dv_backend_ref, (dv_op_id)id);
        const char *cpu = directions(&dv_backend_cpu, (dv_op_id)id);
        coverage found = count_cases(file, (dv_op_id)id);
        bool complete = strcmp(ref64, "f+b") == 0 && strcmp(ref, "f+b") == 0 &&
                        strcmp(cpu, "f+b") == 0 && found.training > 0 && found.inference > 0 &&
                        found.large > 0 && found.gradients > 0 && found.vectors > 0;
        printf("%-22s %5s %5s %5s  %8d %9d %5d %9d %7d%s\n", dv_op_get((dv_op_id)id)->name, ref64,
               ref, cpu, found.training, found.inference, found.large, found.gradients,
               found.vectors, complete ? "" : "  INCOMPLETE");
        incomplete += !complete;
    }
    dv_safetensors_free(file);
    assert_int_equal(incomplete, 0);
}

static void test_every_optimizer(void **state)
{
    (void)state;
    for (int kind = 0; kind < DV_OPTIMIZER_COUNT; kind++) {
        int cases = 0;
        for (int i = 0; i < optimizer_case_count; i++)
            cases += optimizer_cases[i].kind == (dv_optimizer_kind)kind;
        if (cases == 0)
            fail_msg("no case for the optimiser %s", dv_optimizer_names[kind]);
    }
}

static void test_names_differ(void **state)
{
    (void)state;
    for (int i = 0; i < op_case_count; i++) {
        for (int k = 0; k < i; k++)
            assert_string_not_equal(op_cases[i].name, op_cases[k].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_every_optimizer),
        cmocka_unit_test(test_names_differ),
    };
    return cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
}
