#include "engine/io/checkpoint.h"
#include "engine/core/context.h"
#include "engine/io/safetensors.h"
#include "engine/io/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char config_key[] = "decavox.config";
static const char labels_key[] = "decavox.labels";
static const char state_key[] = "decavox.state";

/* Where each buffer stands in the file; NULL: never written. */
static const char *const prefixes[DV_BUFFER_COUNT] = {
    [DV_VALUES] = "",    [DV_MOMENT1] = "moment1/", [DV_MOMENT2] = "moment2/",
    [DV_BEST] = "best/", [DV_AVERAGE] = "average/",
};

enum { NAME_SIZE = DV_NAME_SIZE + 16 };

static void tensor_name(char name[NAME_SIZE], const dv_param *param, dv_buffer buffer)
{
    snprintf(name, NAME_SIZE, "%s%s", prefixes[buffer], param->name);
}

/* ---- Reading ---- */

static dv_status read_text(const dv_checkpoint *checkpoint, const char *key, dv_tree **out)
{
    const char *text = dv_safetensors_metadata(checkpoint->file, key);
    if (text == NULL)
        return DV_OK;
    dv_status status = dv_yaml_parse(text, strlen(text), key, out);
    return status == DV_OK ? DV_OK : dv__fail_within(DV_EFORMAT, "%s", checkpoint->path);
}

static dv_status check_texts(const dv_checkpoint *checkpoint)
{
    if (checkpoint->config == NULL || checkpoint->labels == NULL)
        return DV_FAIL(DV_EFORMAT, "%s: no checkpoint of decavox: '%s' is missing",
                       checkpoint->path, checkpoint->config == NULL ? config_key : labels_key);
    if (checkpoint->config->kind != DV_TREE_MAP)
        return DV_FAIL(DV_EFORMAT, "%s: '%s' is no map", checkpoint->path, config_key);
    const dv_tree *labels = checkpoint->labels;
    bool good = labels->kind == DV_TREE_LIST && labels->count > 0;
    for (size_t i = 0; good && i < labels->count; i++)
        good = labels->children[i]->kind == DV_TREE_SCALAR;
    if (!good)
        return DV_FAIL(DV_EFORMAT, "%s: '%s' is no list of texts", checkpoint->path, labels_key);
    return DV_OK;
}

static dv_status open_file(const char *path, dv_checkpoint *out)
{
    DV_TRY(dv__strdup(path, &out->path));
    DV_TRY(dv_safetensors_read(path, &out->file));
    DV_TRY(read_text(out, config_key, &out->config));
    DV_TRY(read_text(out, labels_key, &out->labels));
    DV_TRY(read_text(out, state_key, &out->state));
    return check_texts(out);
}

dv_status dv_checkpoint_open(const char *path, dv_checkpoint *out)
{
    memset(out, 0, sizeof *out);
    dv_status status = open_file(path, out);
    if (status != DV_OK)
        dv_checkpoint_close(out);
    return status;
}

void dv_checkpoint_close(dv_checkpoint *checkpoint)
{
    dv_tree_free(checkpoint->config);
    dv_tree_free(checkpoint->labels);
    dv_tree_free(checkpoint->state);
    dv_safetensors_free(checkpoint->file);
    free(checkpoint->path);
    memset(checkpoint, 0, sizeof *checkpoint);
}

/* 0 x is 0 for a finite x and NaN for all others, and a sum is quick to take. */
static bool all_finite(const float *values, int64_t count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += 0 * values[i];
    return isfinite(sum);
}

static dv_status check_entry(const char *path, const char *name, const dv_param *param,
                             const dv_safetensors_entry *entry)
{
    if (entry == NULL)
        return DV_FAIL(DV_EFORMAT, "%s: tensor '%s' is missing", path, name);
    if (entry->dtype != DV_SAFETENSORS_F32)
        return DV_FAIL(DV_EFORMAT, "%s: tensor '%s' is not F32", path, name);
    bool same = entry->rank == param->rank;
    for (int d = 0; same && d < param->rank; d++)
        same = entry->dim[d] == param->dim[d];
    if (!same)
        return DV_FAIL(DV_EFORMAT, "%s: tensor '%s' has another shape than in the model", path,
                       name);
    if (!all_finite(entry->data, param->count))
        return DV_FAIL(DV_EFORMAT, "%s: tensor '%s' holds NaN or infinity", path, name);
    return DV_OK;
}

/* Names that the model does not know, among those with the buffer's prefix. */
static dv_status check_extra(const dv_checkpoint *checkpoint, const dv_params *params,
                             dv_buffer buffer)
{
    size_t prefix = strlen(prefixes[buffer]);
    for (size_t i = 0; i < dv_safetensors_count(checkpoint->file); i++) {
        const char *name = dv_safetensors_at(checkpoint->file, i)->name;
        bool ours =
            strncmp(name, prefixes[buffer], prefix) == 0 && strchr(name + prefix, '/') == NULL;
        if (ours && dv_params_find(params, name + prefix) < 0)
            return DV_FAIL(DV_EFORMAT, "%s: tensor '%s' is not in the model", checkpoint->path,
                           name);
    }
    return DV_OK;
}

bool dv_checkpoint_holds(dv_buffer buffer)
{
    return prefixes[buffer] != NULL;
}

dv_status dv_checkpoint_read(const dv_checkpoint *checkpoint, dv_params *params, dv_buffer buffer)
{
    DV_ASSERT(prefixes[buffer] != NULL && params->buffers[buffer] != NULL);
    if (params->context->backend->real_size != sizeof(float))
        return DV_FAIL(DV_EUNSUPPORTED, "checkpoints hold float parameters");
    for (int i = 0; i < params->count; i++) {
        const dv_param *param = &params->items[i];
        if (dv_params_address(params, i, buffer) == NULL)
            continue;
        char name[NAME_SIZE];
        tensor_name(name, param, buffer);
        const dv_safetensors_entry *entry = dv_safetensors_find(checkpoint->file, name);
        DV_TRY(check_entry(checkpoint->path, name, param, entry));
        DV_TRY(dv_params_write(params, i, buffer, entry->data));
    }
    return check_extra(checkpoint, params, buffer);
}

/* ---- Writing ---- */

typedef struct checkpoint_content {
    dv_safetensors_entry *entries;
    size_t count;
    char (*names)[NAME_SIZE];
    float *data, *next; /* all tensors, one behind the other */
    char *texts[3];
} checkpoint_content;

static bool is_written(const dv_params *params, dv_buffer buffer, bool training)
{
    return prefixes[buffer] != NULL && params->buffers[buffer] != NULL &&
           (buffer == DV_VALUES || training);
}

static dv_status add_buffer(checkpoint_content *content, const dv_params *params, dv_buffer buffer)
{
    for (int i = 0; i < params->count; i++) {
        const dv_param *param = &params->items[i];
        if (dv_params_address(params, i, buffer) == NULL)
            continue;
        char *name = content->names[content->count];
        tensor_name(name, param, buffer);
        DV_TRY(dv_params_read(params, i, buffer, content->next));
        dv_safetensors_entry *entry = &content->entries[content->count++];
        *entry = (dv_safetensors_entry){
            .name = name, .dtype = DV_SAFETENSORS_F32, .rank = param->rank, .data = content->next};
        memcpy(entry->dim, param->dim, sizeof param->dim);
        content->next += param->count;
    }
    return DV_OK;
}

static dv_status collect(checkpoint_content *content, const dv_params *params, bool training)
{
    size_t elements = 0;
    for (int i = 0; i < params->count; i++)
        elements += (size_t)params->items[i].count;
    size_t most = (size_t)params->count * DV_BUFFER_COUNT;
    DV_TRY(dv__calloc(most, sizeof *content->entries, &content->entries));
    DV_TRY(dv__calloc(most, sizeof *content->names, &content->names));
    size_t buffers = 0;
    for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++)
        buffers += is_written(params, (dv_buffer)buffer, training) ? 1 : 0;
    DV_TRY(dv__calloc(elements * buffers, sizeof(float), &content->data));
    content->next = content->data;
    for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++) {
        if (is_written(params, (dv_buffer)buffer, training))
            DV_TRY(add_buffer(content, params, (dv_buffer)buffer));
    }
    return DV_OK;
}

static dv_status write_content(checkpoint_content *content, const char *path,
                               const dv_params *params, const dv_tree *const trees[3])
{
    static const char *const keys[3] = {config_key, labels_key, state_key};
    dv_safetensors_pair metadata[3];
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        if (trees[i] == NULL)
            continue;
        DV_TRY(dv_yaml_write(trees[i], &content->texts[i]));
        metadata[count++] = (dv_safetensors_pair){keys[i], content->texts[i]};
    }
    DV_TRY(collect(content, params, trees[2] != NULL));
    return dv_safetensors_write(path, metadata, count, content->entries, content->count);
}

dv_status dv_checkpoint_write(const char *path, const dv_params *params, const dv_tree *config,
                              const dv_tree *labels, const dv_tree *state)
{
    if (params->context->backend->real_size != sizeof(float))
        return DV_FAIL(DV_EUNSUPPORTED, "checkpoints hold float parameters");
    checkpoint_content content = {0};
    dv_status status =
        write_content(&content, path, params, (const dv_tree *const[3]){config, labels, state});
    for (int i = 0; i < 3; i++)
        free(content.texts[i]);
    free(content.entries);
    free(content.names);
    free(content.data);
    return status;
}
