#include "tests/op_cases/cases.h"
#include "engine/ops/ops.h"

#include "engine/base/rng.h"
#include "engine/base/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int op_case_input_count(const op_case *item)
{
    int count = 0;
    while (count < DV_MAX_INPUTS && item->inputs[count].shape.n > 0)
        count++;
    return count;
}

bool op_case_has_int8(const op_case *item)
{
    bool has = false;
    for (int i = 0; i < op_case_input_count(item); i++)
        has = has || item->inputs[i].scale > 0;
    return has;
}

dv_status op_attributes(dv_op_id id, const char *text, void **out)
{
    const dv_op *op = dv_op_get(id);
    char flow[512];
    int size = snprintf(flow, sizeof flow, "{%s}", text);
    DV_ASSERT(size > 0 && (size_t)size < sizeof flow);
    *out = NULL;

    dv_tree *tree = NULL;
    void *attributes = NULL;
    dv_status status = dv_yaml_parse(flow, (size_t)size, "case", &tree);
    if (status == DV_OK && op->attr_size > 0) {
        status = dv_calloc(1, op->attr_size, &attributes);
        if (status == DV_OK)
            status = dv_fields_read(op->fields, tree, op->name, attributes);
    }
    dv_tree_free(tree);
    if (status != DV_OK) {
        free(attributes);
        return status;
    }
    *out = attributes;
    return DV_OK;
}

uint32_t op_hash(uint32_t hash, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 16777619U;
    return hash;
}

static dv_rng stream(const char *name, const char *tensor)
{
    uint32_t hash = op_hash(OP_HASH_START, name, strlen(name));
    return (dv_rng){.seed = 2, .use = DV_RNG_TEST, .step = op_hash(hash, tensor, strlen(tensor))};
}

/* Fills with values 1/16 apart, in random order, around zero. */
static void fill_distinct(const dv_rng *rng, int64_t count, double *out)
{
    int64_t *order = malloc((size_t)count * sizeof *order);
    DV_ASSERT(order != NULL);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    dv_rng_shuffle(rng, order, count);
    for (int64_t i = 0; i < count; i++)
        out[i] = ((double)order[i] - (double)(count / 2)) / 16;
    free(order);
}

/* Fills rows of `channels` that sum to exactly 1, or to a weight. A row is one class, or 64 parts
   dealt out at random. */
static void fill_targets(const dv_rng *rng, op_data data, int64_t count, int64_t channels,
                         double *out)
{
    uint32_t parts = data == DATA_ONE_HOT ? 1 : 64;
    for (int64_t row = 0; row < count / channels; row++) {
        double *target = out + row * channels, weight = 1;
        if (data == DATA_WEIGHTED)
            weight = ldexp(1, (int)(row % 7) - 3);
        memset(target, 0, (size_t)channels * sizeof *target);
        for (uint32_t part = 0; part < parts; part++) {
            float uniform = dv_rng_uniform(rng, (uint32_t)row * parts + part);
            target[(int64_t)(uniform * (float)channels)] += weight / parts;
        }
    }
}

/* Moves a value to at least 1/16 from the corners of the activation functions. */
static double away(double value)
{
    static const double corners[] = {-3, 0, 3};
    for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++) {
        if (fabs(value - corners[i]) < 0.0625)
            return corners[i] + (value < corners[i] ? -0.0625 : 0.0625);
    }
    return value;
}

static double element(const dv_rng *rng, op_data data, int64_t i, int64_t channels)
{
    static const double kinks[] = {-3, -1, 0, 1, 3};
    double normal = dv_rng_normal(rng, (uint32_t)i);
    double uniform = dv_rng_uniform(rng, (uint32_t)i);
    switch (data) {
    case DATA_TIES:
        return floor(uniform * 3) - 1;
    case DATA_EQUAL:
        return 1.5;
    case DATA_KINKS:
        return kinks[i % 5];
    case DATA_AWAY:
        return away(2 * normal);
    case DATA_WIDE:
        return 1e4 * normal;
    case DATA_OFFSET:
        return 100 + normal;
    case DATA_FLAT:
        return (double)(i % channels);
    case DATA_POSITIVE:
        return 0.5 + uniform;
    default:
        return normal;
    }
}

void op_case_fill(const op_case *item, const char *tensor, op_data data, int64_t count,
                  int64_t channels, double *out)
{
    dv_rng rng = stream(item->name, tensor);
    if (data == DATA_DISTINCT || data == DATA_NEGATIVE) {
        fill_distinct(&rng, count, out);
        for (int64_t i = 0; data == DATA_NEGATIVE && i < count; i++)
            out[i] -= (double)count / 8;
    } else if (data == DATA_ONE_HOT || data == DATA_MIXED || data == DATA_WEIGHTED) {
        fill_targets(&rng, data, count, channels, out);
    } else {
        for (int64_t i = 0; i < count; i++)
            out[i] = element(&rng, data, i, channels);
    }
    for (int64_t i = 0; i < count; i++)
        out[i] = (double)(float)out[i];
}

void optimizer_case_fill(const optimizer_case *item, int step, double *out)
{
    char tensor[16];
    snprintf(tensor, sizeof tensor, "step%d", step);
    dv_rng rng = stream(item->name, tensor);
    for (int64_t i = 0; i < item->count; i++)
        out[i] = (double)(float)dv_rng_normal(&rng, (uint32_t)i);
}
