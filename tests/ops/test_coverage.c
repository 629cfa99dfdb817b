/* Every operation has an implementation on every backend in every dtype, cases in every mode, a
   check of its gradient and a PyTorch vector. Prints the table. */
#include "engine/backends/module.h"
#include "engine/backends/open.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/harness.h"
#include "tests/op_cases/vectors.h"

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
        found.inference++; /* every case also runs in an inference plan */
        found.large += large;
        found.gradients += !inference && !large && (item->flags & CASE_CORNER) == 0;
        found.vectors += dv_safetensors_find(file, key) != NULL;
    }
    return found;
}

/* A column of the table. An operation's directions are found by running it. */
typedef struct column {
    const char *title;
    const dv_backend *backend; /* NULL if its module is missing */
    dv_dtype dtype;
} column;

enum { COLUMNS = 6 };

static void make_columns(column columns[COLUMNS])
{
    const dv_backend *device = NULL;
    char places[4096];
    if (!dv_module_find("cudasim", places, sizeof places))
        printf("the CUDA backend is left out: no module for the simulated device in %s\n", places);
    else if (dv_module_load("cudasim", &device) != DV_OK)
        fail_msg("%s", dv_error_message());
    columns[0] = (column){"ref64", &dv_backend_ref64, DV_F32};
    columns[1] = (column){"ref", &dv_backend_ref, DV_F32};
    columns[2] = (column){"cpu", &dv_backend_cpu, DV_F32};
    columns[3] = (column){"cuda:fp32", device, DV_F32};
    columns[4] = (column){"cuda:fp16", device, DV_F16};
    columns[5] = (column){"cuda:bf16", device, DV_BF16};
}

/* The first small case with a gradient. */
static const op_case *small_case(dv_op_id op)
{
    for (int i = 0; i < op_case_count; i++) {
        if (op_cases[i].op == op && (op_cases[i].flags & (CASE_LARGE | CASE_INFERENCE)) == 0)
            return &op_cases[i];
    }
    return NULL;
}

/* "f+b", "f" or "-". Empty if the backend is missing. */
static const char *directions(const column *in, const op_case *item)
{
    op_rig *rig;
    if (in->backend == NULL)
        return "";
    op_rig_options options = {
        .threads = 1, .dtype = in->dtype, .unguarded = !in->backend->host_memory};
    if (op_rig_open(item, in->backend, &options, &rig) != DV_OK)
        return "-";
    const char *found = op_rig_forward(rig) != DV_OK    ? "-"
                        : op_rig_backward(rig) != DV_OK ? "f"
                                                        : "f+b";
    op_rig_close(rig);
    return found;
}

/* Prints the operation's part of the table. Returns false for a hole in it. */
static bool print_directions(const column columns[COLUMNS], dv_op_id op)
{
    bool complete = true;
    const op_case *item = small_case(op);
    if (item == NULL)
        fail_msg("%s has no small case", dv_op_get(op)->name);
    printf("%-22s", dv_op_get(op)->name);
    for (int i = 0; i < COLUMNS; i++) {
        const char *found = directions(&columns[i], item);
        printf(" %9s", found);
        complete = complete && (columns[i].backend == NULL || strcmp(found, "f+b") == 0);
    }
    return complete;
}

static void test_every_operation(void **state)
{
    (void)state;
    column columns[COLUMNS];
    dv_safetensors *file;
    assert_int_equal(dv_safetensors_read(OP_VECTORS_PATH, &file), DV_OK);
    make_columns(columns);
    printf("%-22s", "operation");
    for (int i = 0; i < COLUMNS; i++)
        printf(" %9s", columns[i].title);
    printf(" | %8s %9s %5s %9s %7s\n", "training", "inference", "large", "gradients", "vectors");
    int incomplete = 0;
    for (int id = 0; id < DV_OP_COUNT; id++) {
        coverage found = count_cases(file, (dv_op_id)id);
        bool complete = print_directions(columns, (dv_op_id)id) && found.training > 0 &&
                        found.inference > 0 && found.large > 0 && found.gradients > 0 &&
                        found.vectors > 0;
        printf(" | %8d %9d %5d %9d %7d%s\n", found.training, found.inference, found.large,
               found.gradients, found.vectors, complete ? "" : "  INCOMPLETE");
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
