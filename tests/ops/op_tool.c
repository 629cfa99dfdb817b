/*
 * The case table from the command line.
 *
 *     op_tool --list     cases with all their data as JSON, for make_ops.py
 *     op_tool --names    name and edge of every case
 */
#include "engine/base/yaml.h"
#include "engine/ops/ops.h"
#include "tests/op_cases/vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what)
{
    fprintf(stderr, "op_tool: %s: %s\n", what, dv_error_message());
    return 1;
}

/* ---- --list ---- */

static void json_tree(const dv_tree *tree)
{
    if (tree->kind == DV_TREE_NULL) {
        printf("null");
    } else if (tree->kind == DV_TREE_SCALAR) {
        printf("\"%s\"", tree->text);
    } else {
        bool map = tree->kind == DV_TREE_MAP;
        printf(map ? "{" : "[");
        for (size_t i = 0; i < tree->count; i++) {
            printf(i > 0 ? ", " : "");
            if (map)
                printf("\"%s\": ", tree->children[i]->key);
            json_tree(tree->children[i]);
        }
        printf(map ? "}" : "]");
    }
}

static void json_numbers(const double *values, int64_t count)
{
    printf("[");
    for (int64_t i = 0; i < count; i++)
        printf("%s%.17g", i > 0 ? "," : "", values[i]);
    printf("]");
}

static void json_dims(const op_rig *rig, const op_tensor *tensor)
{
    bool value = tensor->kind == TENSOR_INPUT || tensor->kind == TENSOR_OUTPUT;
    if (value) {
        dv_shape shape = dv_graph_shape(rig->graph, tensor->index);
        printf("[%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 "]", shape.n, shape.h, shape.w,
               shape.c);
        return;
    }
    const dv_param *param = &rig->params->items[tensor->index];
    printf("[");
    for (int d = 0; d < param->rank; d++)
        printf("%s%" PRId64, d > 0 ? ", " : "", param->dim[d]);
    printf("]");
}

/* Prints the case's attributes with all defaults. make_ops.py itself replaces -1 and 0. */
static dv_status json_attributes(const op_case *item)
{
    const dv_op *op = dv_op_get(item->op);
    void *attributes;
    dv_tree *map = NULL;
    DV_TRY(op_attributes(item->op, item->attributes, &attributes));
    dv_status status = dv_tree_new(DV_TREE_MAP, NULL, 0, &map);
    if (status == DV_OK && attributes != NULL)
        status = dv_fields_write(op->fields, attributes, map);
    if (status == DV_OK) {
        printf("\"attributes\": ");
        json_tree(map);
    }
    dv_tree_free(map);
    free(attributes);
    return status;
}

static dv_status json_case(op_rig *rig)
{
    static const char *const kinds[] = {"input", "parameter", "state", "output"};
    printf("{\"name\": \"%s\", \"op\": \"%s\", \"training\": %s, \"hash\": %" PRIu32 ",\n ",
           rig->item->name, dv_op_get(rig->item->op)->name, rig->inference ? "false" : "true",
           op_rig_hash(rig));
    printf("\"seed\": %" PRIu64 ", \"step\": %" PRIu64 ", \"node\": %d,\n ", rig->pass.seed,
           rig->pass.step, rig->node);
    DV_TRY(json_attributes(rig->item));
    printf(",\n \"tensors\": [");
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *tensor = &rig->tensors[i];
        bool output = tensor->kind == TENSOR_OUTPUT;
        printf("%s\n  {\"name\": \"%s\", \"kind\": \"%s\", \"gradient\": %s, \"shape\": ",
               i > 0 ? "," : "", tensor->name, kinds[tensor->kind],
               tensor->gradient != NULL ? "true" : "false");
        json_dims(rig, tensor);
        if (tensor->kind == TENSOR_INPUT)
            printf(", \"scale\": %.17g", rig->item->inputs[i].scale);
        printf(", \"values\": ");
        if (output && tensor->gradient != NULL)
            json_numbers(tensor->gradient, tensor->count);
        else
            json_numbers(tensor->value, output ? 0 : tensor->count);
        printf("}");
    }
    printf("]}");
    return DV_OK;
}

static void json_optimizer(const optimizer_case *item)
{
    double *values = calloc((size_t)item->count, sizeof *values);
    DV_ASSERT(values != NULL);
    printf("{\"name\": \"%s\", \"kind\": \"%s\", \"decay_count\": %" PRId64 ", \"hash\": %" PRIu32
           ",\n \"learning_rate\": %.17g, \"weight_decay\": %.17g, \"beta1\": %.17g, "
           "\"beta2\": %.17g, \"epsilon\": %.17g, \"gradient_scale\": %.17g,\n \"steps\": [",
           item->name, dv_optimizer_names[item->kind], item->decay_count, optimizer_case_hash(item),
           item->learning_rate, item->weight_decay, item->beta1, item->beta2, item->epsilon,
           item->gradient_scale);
    for (int step = 0; step <= OPTIMIZER_STEPS; step++) {
        optimizer_case_fill(item, step, values);
        printf(step > 0 ? ",\n  " : "");
        json_numbers(values, item->count);
    }
    printf("]}");
    free(values);
}

static int list(void)
{
    const char *separator = "";
    printf("{\"cases\": [\n");
    for (int i = 0; i < op_case_count; i++) {
        if ((op_cases[i].flags & (CASE_LARGE | CASE_NO_VECTOR)) != 0)
            continue;
        op_rig *rig;
        if (op_rig_open(&op_cases[i], &dv_backend_ref64, &(op_rig_options){0}, &rig) != DV_OK)
            return fail(op_cases[i].name);
        printf("%s", separator);
        dv_status status = json_case(rig);
        op_rig_close(rig);
        if (status != DV_OK)
            return fail(op_cases[i].name);
        separator = ",\n";
    }
    printf("],\n\"optimizers\": [\n");
    for (int i = 0; i < optimizer_case_count; i++) {
        printf(i > 0 ? ",\n" : "");
        json_optimizer(&optimizer_cases[i]);
    }
    printf("]}\n");
    return 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "--list") == 0)
        return list();
    if (strcmp(command, "--names") == 0) {
        for (int i = 0; i < op_case_count; i++)
            printf("%-40s %s\n", op_cases[i].name, op_cases[i].edge);
        return 0;
    }
    fprintf(stderr, "usage: op_tool --list | --names\n");
    return 2;
}
