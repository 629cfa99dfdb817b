#include "tests/op_cases/vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ADVICE "run tests/golden/make_ops.py"

dv_status vectors_find(const dv_safetensors *file, const char *name, const char *what,
                       int64_t count, const double **out)
{
    char key[256];
    snprintf(key, sizeof key, "%s/%s", name, what);
    const dv_safetensors_entry *entry = dv_safetensors_find(file, key);
    if (entry == NULL)
        return DV_FAIL(DV_EFORMAT, OP_VECTORS_PATH " has no '%s': " ADVICE, key);
    size_t bytes = dv_safetensors_bytes(entry);
    if (entry->dtype != DV_SAFETENSORS_F64 || bytes != (size_t)count * sizeof(double))
        return DV_FAIL(DV_EFORMAT, "'%s' has %zu bytes, expected %" PRId64 " doubles: " ADVICE, key,
                       bytes, count);
    *out = entry->data;
    return DV_OK;
}

dv_status vectors_fresh(const dv_safetensors *file, const char *name, uint32_t hash)
{
    const double *stored;
    DV_TRY(vectors_find(file, name, "hash", 1, &stored));
    if (*stored == (double)hash)
        return DV_OK;
    return DV_FAIL(DV_EFORMAT, "the vectors of '%s' are stale: " ADVICE, name);
}

uint32_t optimizer_case_hash(const optimizer_case *item)
{
    uint32_t hash = OP_HASH_START;
    double *values = calloc((size_t)item->count, sizeof *values);
    DV_ASSERT(values != NULL);
    for (int step = 0; step <= OPTIMIZER_STEPS; step++) {
        optimizer_case_fill(item, step, values);
        hash = op_hash(hash, values, (size_t)item->count * sizeof *values);
    }
    free(values);
    double numbers[] = {(double)item->decay_count,
                        item->learning_rate,
                        item->weight_decay,
                        item->beta1,
                        item->beta2,
                        item->epsilon,
                        item->gradient_scale};
    return op_hash(hash, numbers, sizeof numbers);
}
