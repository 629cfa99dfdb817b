/* Reads and writes checkpoints, and rounds weights to FP16. */
#include "frontends/model/checkpoint.h"
#include "engine/base/convert.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/base/yaml.h"
#include "engine/core/context.h"
#include "frontends/model/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char config_key[] = "decavox.config";
static const char labels_key[] = "decavox.labels";
static const char state_key[] = "decavox.state";

/* The prefix of each buffer's tensors in the file. A buffer without one is never written. */
static const char *const prefixes[DV_BUFFER_COUNT] = {
    [DV_BUFFER_VALUES] = "",    [DV_BUFFER_MOMENT1] = "moment1/", [DV_BUFFER_MOMENT2] = "moment2/",
    [DV_BUFFER_BEST] = "best/", [DV_BUFFER_AVERAGE] = "average/",
};

enum { NAME_SIZE = DV_NAME_SIZE + 16 };

const char *const dv_checkpoint_precision_names[] = {
    [DV_CHECKPOINT_FP32] = "fp32", [DV_CHECKPOINT_FP16] = "fp16", NULL};

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
    if (status == DV_OK)
        return DV_OK;
    return dv_fail_within(status == DV_ENOMEM ? DV_ENOMEM : DV_EFORMAT, "%s", checkpoint->path);
}

static dv_status check_texts(const dv_checkpoint *checkpoint)
{
    if (checkpoint->config == NULL || checkpoint->labels == NULL)
        return DV_FAIL(DV_EFORMAT, "%s: is no checkpoint of decavox: its metadata have no '%s'",
                       checkpoint->path, checkpoint->config == NULL ? config_key : labels_key);
    if (checkpoint->config->kind != DV_TREE_MAP)
        return DV_FAIL(DV_EFORMAT, "%s: is damaged: '%s' in its metadata is no map",
                       checkpoint->path, config_key);
    const dv_tree *labels = checkpoint->labels;
    bool good = labels->kind == DV_TREE_LIST && labels->count > 0;
    for (size_t i = 0; good && i < labels->count; i++)
        good = labels->children[i]->kind == DV_TREE_SCALAR &&
               !dv_has_control_character(labels->children[i]->text);
    if (!good)
        return DV_FAIL(
            DV_EFORMAT,
            "%s: is damaged: '%s' in its metadata is no list of texts without control characters",
            checkpoint->path, labels_key);
    return DV_OK;
}

/* Reads and checks the texts of the open file. */
static dv_status read_texts(dv_checkpoint *out)
{
    DV_TRY(read_text(out, config_key, &out->config));
    DV_TRY(read_text(out, labels_key, &out->labels));
    DV_TRY(read_text(out, state_key, &out->state));
    return check_texts(out);
}

dv_status dv_checkpoint_open(const char *path, dv_checkpoint *out)
{
    memset(out, 0, sizeof *out);
    dv_status status = dv_strdup(path, &out->path);
    if (status == DV_OK)
        status = dv_safetensors_read(path, &out->file);
    if (status == DV_OK)
        status = read_texts(out);
    if (status != DV_OK)
        dv_checkpoint_close(out);
    return status;
}

dv_status dv_checkpoint_open_memory(const void *bytes, size_t size, const char *name,
                                    dv_checkpoint *out)
{
    memset(out, 0, sizeof *out);
    dv_status status = dv_strdup(name, &out->path);
    if (status == DV_OK)
        status = dv_safetensors_read_memory(bytes, size, name, &out->file);
    if (status == DV_OK)
        status = read_texts(out);
    if (status != DV_OK)
        dv_checkpoint_close(out);
    return status;
}

void dv_checkpoint_digest(const dv_checkpoint *checkpoint, char *digest)
{
    size_t size;
    const void *content = dv_safetensors_content(checkpoint->file, &size);
    dv_sha256_bytes(content, size, digest);
}

const char *dv_checkpoint_config_text(const dv_checkpoint *checkpoint)
{
    return dv_safetensors_metadata(checkpoint->file, config_key);
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

/* 0 x is 0 for a finite x and NaN otherwise, so one sum over all values is a quick test. */
static bool all_finite(const float *values, int64_t count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += 0 * values[i];
    return isfinite(sum);
}

bool dv_checkpoint_same_shape(const dv_safetensors_entry *entry, const dv_param *param)
{
    bool same = entry->rank == param->rank;
    for (int d = 0; same && d < param->rank; d++)
        same = entry->dim[d] == param->dim[d];
    return same;
}

bool dv_checkpoint_takes(const dv_safetensors_entry *entry)
{
    return entry->dtype == DV_SAFETENSORS_F32 || entry->dtype == DV_SAFETENSORS_F16;
}

static dv_status fail_not_finite(const dv_safetensors_entry *entry)
{
    return DV_FAIL(DV_EFORMAT, "tensor '%s' holds NaN or infinity", entry->name);
}

static dv_status put_floats(const dv_safetensors_entry *entry, const float *values,
                            dv_params *params, int index, dv_buffer buffer)
{
    if (!all_finite(values, params->items[index].count))
        return fail_not_finite(entry);
    return dv_params_write(params, index, buffer, values);
}

/* `values` has room to convert the numbers of an F16 tensor. */
static dv_status put(const dv_safetensors_entry *entry, dv_params *params, int index,
                     dv_buffer buffer, float *values)
{
    if (entry->dtype == DV_SAFETENSORS_F32)
        return put_floats(entry, entry->data, params, index, buffer);
    dv_conversion conversion = {.source = entry->data,
                                .into = values,
                                .count = params->items[index].count,
                                .from = {.dtype = DV_F16}};
    dv_convert(&conversion, sizeof *values);
    return put_floats(entry, values, params, index, buffer);
}

dv_status dv_checkpoint_put(const dv_safetensors_entry *entry, dv_params *params, int index,
                            dv_buffer buffer)
{
    float *values;
    DV_TRY(dv_calloc((size_t)params->items[index].count, sizeof *values, &values));
    dv_status status = put(entry, params, index, buffer, values);
    free(values);
    return status;
}

/* Checks type and shape. A training checkpoint must be F32: a rounded one could not be resumed bit
   for bit. */
static dv_status check_entry(const char *path, const char *name, const dv_param *param,
                             const dv_safetensors_entry *entry, bool training)
{
    if (entry == NULL)
        return DV_FAIL(DV_EFORMAT, "%s: the tensor '%s' is missing", path, name);
    if (training && entry->dtype != DV_SAFETENSORS_F32)
        return DV_FAIL(DV_EFORMAT, "%s: the tensor '%s' of a training must be F32", path, name);
    if (!dv_checkpoint_takes(entry))
        return DV_FAIL(DV_EFORMAT, "%s: the tensor '%s' must be F32 or F16", path, name);
    if (!dv_checkpoint_same_shape(entry, param))
        return DV_FAIL(DV_EFORMAT, "%s: the tensor '%s' has another shape than in the model", path,
                       name);
    return DV_OK;
}

const char *dv_checkpoint_name(const dv_safetensors_entry *entry, dv_buffer buffer)
{
    size_t length = strlen(prefixes[buffer]);
    const char *name = entry->name + length;
    return strncmp(entry->name, prefixes[buffer], length) == 0 && strchr(name, '/') == NULL ? name
                                                                                            : NULL;
}

static bool has_buffer(const dv_checkpoint *checkpoint, dv_buffer buffer)
{
    for (size_t i = 0; i < dv_safetensors_count(checkpoint->file); i++) {
        if (dv_checkpoint_name(dv_safetensors_at(checkpoint->file, i), buffer) != NULL)
            return true;
    }
    return false;
}

dv_status dv_checkpoint_kept(const dv_checkpoint *checkpoint, dv_buffer *out)
{
    int64_t epoch;
    *out = DV_BUFFER_VALUES;
    if (checkpoint->state == NULL)
        return DV_OK;
    const dv_tree *best = dv_tree_get(checkpoint->state, "best_epoch");
    if (best == NULL || best->kind != DV_TREE_SCALAR || !dv_parse_int(best->text, &epoch) ||
        epoch < 0)
        return DV_FAIL(DV_EFORMAT,
                       "%s: is damaged: '%s' in its metadata has no number of the best epoch",
                       checkpoint->path, state_key);
    if (epoch > 0)
        *out = DV_BUFFER_BEST;
    else if (has_buffer(checkpoint, DV_BUFFER_AVERAGE))
        *out = DV_BUFFER_AVERAGE;
    return DV_OK;
}

/* Fails if the buffer has a tensor that is not in the model. */
static dv_status check_extra(const dv_checkpoint *checkpoint, const dv_params *params,
                             dv_buffer buffer)
{
    for (size_t i = 0; i < dv_safetensors_count(checkpoint->file); i++) {
        const dv_safetensors_entry *entry = dv_safetensors_at(checkpoint->file, i);
        const char *name = dv_checkpoint_name(entry, buffer);
        if (name != NULL && dv_params_find(params, name) < 0)
            return DV_FAIL(DV_EFORMAT, "%s: the tensor '%s' is not in the model", checkpoint->path,
                           entry->name);
    }
    return DV_OK;
}

void dv_checkpoint_tensors(const dv_checkpoint *checkpoint, size_t *count, size_t *f16)
{
    *count = dv_safetensors_count(checkpoint->file);
    *f16 = 0;
    for (size_t i = 0; i < *count; i++) {
        if (dv_safetensors_at(checkpoint->file, i)->dtype == DV_SAFETENSORS_F16)
            ++*f16;
    }
}

bool dv_checkpoint_holds(dv_buffer buffer)
{
    return prefixes[buffer] != NULL;
}

/* The number of values of the largest F16 tensor. */
static size_t most_rounded(const dv_checkpoint *checkpoint)
{
    size_t most = 0;
    for (size_t i = 0; i < dv_safetensors_count(checkpoint->file); i++) {
        const dv_safetensors_entry *entry = dv_safetensors_at(checkpoint->file, i);
        size_t count = (size_t)dv_safetensors_bytes(entry) / sizeof(uint16_t);
        if (entry->dtype == DV_SAFETENSORS_F16 && count > most)
            most = count;
    }
    return most;
}

static dv_status read_one(const dv_checkpoint *checkpoint, dv_params *params, int index,
                          dv_buffer buffer, float *values)
{
    const dv_param *param = &params->items[index];
    char name[NAME_SIZE];
    tensor_name(name, param, buffer);
    const dv_safetensors_entry *entry = dv_safetensors_find(checkpoint->file, name);
    DV_TRY(check_entry(checkpoint->path, name, param, entry, checkpoint->state != NULL));
    dv_status status = put(entry, params, index, buffer, values);
    dv_safetensors_forget(checkpoint->file, entry);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "%s", checkpoint->path);
}

dv_status dv_checkpoint_read(const dv_checkpoint *checkpoint, dv_params *params, dv_buffer buffer)
{
    DV_ASSERT(prefixes[buffer] != NULL && params->buffers[buffer] != NULL);
    if (params->context->backend->real_size != sizeof(float))
        return DV_FAIL(DV_EUNSUPPORTED,
                       "only float parameters can be loaded from a checkpoint or saved in one");
    float *values; /* shared by all tensors, since fresh memory costs as much as the conversion */
    DV_TRY(dv_calloc(most_rounded(checkpoint), sizeof *values, &values));
    dv_status status = DV_OK;
    for (int i = 0; status == DV_OK && i < params->count; i++) {
        if (dv_params_address(params, i, buffer) != NULL)
            status = read_one(checkpoint, params, i, buffer, values);
    }
    free(values);
    return status == DV_OK ? check_extra(checkpoint, params, buffer) : status;
}

dv_status dv_checkpoint_read_all(const dv_checkpoint *checkpoint, dv_params *params)
{
    for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++) {
        if (dv_checkpoint_holds((dv_buffer)buffer) && params->buffers[buffer] != NULL)
            DV_TRY(dv_checkpoint_read(checkpoint, params, (dv_buffer)buffer));
    }
    return DV_OK;
}

/* ---- Writing ---- */

typedef struct checkpoint_content {
    dv_safetensors_entry *entries;
    size_t count;
    char (*names)[NAME_SIZE];
    float *data, *next; /* all tensors, one behind the other */
    uint16_t *rounded;  /* all F16 tensors, one behind the other */
    char *texts[3];
} checkpoint_content;

static bool is_written(const dv_params *params, dv_buffer buffer, bool training)
{
    return prefixes[buffer] != NULL && params->buffers[buffer] != NULL &&
           (buffer == DV_BUFFER_VALUES || training);
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
    DV_TRY(dv_calloc(most, sizeof *content->entries, &content->entries));
    DV_TRY(dv_calloc(most, sizeof *content->names, &content->names));
    size_t buffers = 0;
    for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++)
        buffers += is_written(params, (dv_buffer)buffer, training) ? 1 : 0;
    DV_TRY(dv_calloc(elements * buffers, sizeof(float), &content->data));
    content->next = content->data;
    for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++) {
        if (is_written(params, (dv_buffer)buffer, training))
            DV_TRY(add_buffer(content, params, (dv_buffer)buffer));
    }
    return DV_OK;
}

/* ---- F16 ---- */

static bool may_be_rounded(const dv_param *param)
{
    return param->trainable && param->rank > 1;
}

/* Rounds the values (count) of a parameter. */
static dv_status round_values(const dv_param *param, const float *values, uint16_t *rounded)
{
    int64_t large = dv_round_to_half(values, param->count, rounded);
    if (large >= 0)
        return DV_FAIL(DV_ENUMERIC, "parameter '%s': %g is too large for FP16 (at most 65504)",
                       param->name, (double)values[large]);
    return DV_OK;
}

static dv_status check_finite(const checkpoint_content *content)
{
    for (size_t i = 0; i < content->count; i++) {
        const dv_safetensors_entry *entry = &content->entries[i];
        if (!all_finite(entry->data, (int64_t)(dv_safetensors_bytes(entry) / sizeof(float))))
            return DV_FAIL(DV_ENUMERIC, "parameter '%s' holds NaN or infinity", entry->name);
    }
    return DV_OK;
}

/* Rounds the entries, one for each parameter, to F16 if they may be. F16 entries go behind all
   others, so that F32 stays aligned in the file. */
static dv_status round_entries(checkpoint_content *content, const dv_params *params)
{
    size_t elements = 0, moved = 0, kept = 0;
    for (int i = 0; i < params->count; i++)
        elements += may_be_rounded(&params->items[i]) ? (size_t)params->items[i].count : 0;
    DV_ASSERT(content->count == (size_t)params->count);
    DV_TRY(dv_calloc(elements, sizeof *content->rounded, &content->rounded));
    dv_safetensors_entry *behind;
    DV_TRY(dv_calloc(content->count, sizeof *behind, &behind));
    dv_status status = DV_OK;
    uint16_t *next = content->rounded;
    for (size_t i = 0; status == DV_OK && i < content->count; i++) {
        dv_safetensors_entry entry = content->entries[i];
        if (!may_be_rounded(&params->items[i])) {
            content->entries[kept++] = entry;
            continue;
        }
        status = round_values(&params->items[i], entry.data, next);
        entry.dtype = DV_SAFETENSORS_F16;
        entry.data = next;
        next += params->items[i].count;
        behind[moved++] = entry;
    }
    memcpy(content->entries + kept, behind, moved * sizeof *behind);
    free(behind);
    return status;
}

/* ---- The file ---- */

/* The texts of a checkpoint. With a NULL `state` only the values are written. */
typedef struct checkpoint_texts {
    const dv_tree *config, *labels, *state;
} checkpoint_texts;

/* Makes the metadata and the tensors, checks and rounds them if asked to, and writes the file. The
   caller frees the content. */
static dv_status write_content(checkpoint_content *content, const char *path,
                               const dv_params *params, const checkpoint_texts *texts, bool checked,
                               dv_checkpoint_precision precision)
{
    static const char *const keys[3] = {config_key, labels_key, state_key};
    const dv_tree *const trees[3] = {texts->config, texts->labels, texts->state};
    dv_safetensors_pair metadata[3];
    size_t count = 0;
    for (int i = 0; i < 3; i++) {
        if (trees[i] == NULL)
            continue;
        DV_TRY(dv_yaml_write(trees[i], &content->texts[i]));
        metadata[count++] = (dv_safetensors_pair){keys[i], content->texts[i]};
    }
    DV_TRY(collect(content, params, texts->state != NULL));
    if (checked)
        DV_TRY(check_finite(content));
    if (precision == DV_CHECKPOINT_FP16)
        DV_TRY(round_entries(content, params));
    return dv_safetensors_write(path, metadata, count, content->entries, content->count);
}

static dv_status write_file(const char *path, const dv_params *params,
                            const checkpoint_texts *texts, bool checked,
                            dv_checkpoint_precision precision)
{
    if (params->context->backend->real_size != sizeof(float))
        return DV_FAIL(DV_EUNSUPPORTED,
                       "only float parameters can be loaded from a checkpoint or saved in one");
    checkpoint_content content = {0};
    dv_status status = write_content(&content, path, params, texts, checked, precision);
    for (int i = 0; i < 3; i++)
        free(content.texts[i]);
    free(content.entries);
    free(content.names);
    free(content.data);
    free(content.rounded);
    return status;
}

dv_status dv_checkpoint_write(const char *path, const dv_params *params, const dv_tree *config,
                              const dv_tree *labels, const dv_tree *state)
{
    checkpoint_texts texts = {config, labels, state};
    return write_file(path, params, &texts, false, DV_CHECKPOINT_FP32);
}

dv_status dv_checkpoint_write_weights(const char *path, const dv_params *params,
                                      dv_checkpoint_precision precision, const dv_tree *config,
                                      const dv_tree *labels)
{
    checkpoint_texts texts = {config, labels, NULL};
    dv_status status = write_file(path, params, &texts, true, precision);
    return status == DV_ENUMERIC ? dv_fail_within(status, "cannot write '%s'", path) : status;
}
