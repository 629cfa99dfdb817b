/* Loads the parameters of checkpoints into another model, and tells which did not fit. */
#include "frontends/model/transfer.h"
#include "engine/base/text.h"
#include "engine/core/context.h"
#include "engine/ops/ops.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHOWN = 8, LINE_SIZE = 512 };

typedef struct transfer {
    const dv_transfer_target *target;
    dv_params *params; /* the target's */
    bool *loaded;      /* (params->count) */
    bool *of_classes;  /* (params->count), whether it has a row for each class */
    bool *told;        /* (params->count), whether a line told why it is not loaded */
    dv_line_fn line;
    void *user;
} transfer;

/* Names for a message: the number of all, and the first few. */
typedef struct names {
    int count;
    char text[LINE_SIZE];
} names;

static void add_name(names *list, const char *name)
{
    size_t length = strlen(list->text);
    if (list->count < SHOWN && length < sizeof list->text)
        snprintf(list->text + length, sizeof list->text - length, "%s%.250s",
                 list->count > 0 ? ", " : "", name);
    list->count++;
}

static void tell(const transfer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(const transfer *t, const char *format, ...)
{
    char text[2 * LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    t->line(t->user, text);
}

static void tell_names(const transfer *t, const char *what, const names *list)
{
    if (list->count > 0)
        tell(t, "  %s (%d): %s%s", what, list->count, list->text,
             list->count > SHOWN ? ", ..." : "");
}

/* ---- Parameters of the classes ---- */

/*
 * Marks the parameters with a row for each class. It goes back from the logits along values with a
 * channel for each class, up to the matrix of a linear layer or a convolution, whose rows are the
 * classes. Scales and offsets on the way have an element for each class. A node with several
 * inputs, such as the one that mixes the members of an ensemble, has parameters for the inputs,
 * which are not marked.
 */
static void mark_classes(transfer *t, int value)
{
    const dv_graph *graph = t->target->graph;
    const dv_node *node = &graph->nodes[value];
    int64_t classes = (int64_t)t->target->label_count;
    bool matrix = false;
    if (node->shape.c != classes)
        return;
    for (int i = 0; i < node->param_count + node->state_count; i++) {
        int index = i < node->param_count ? node->params[i] : node->states[i - node->param_count];
        const dv_param *param = &t->params->items[index];
        matrix = matrix || param->rank > 1;
        if (node->input_count == 1 && param->dim[0] == classes)
            t->of_classes[index] = true;
    }
    for (int i = 0; !matrix && i < node->input_count; i++)
        mark_classes(t, node->inputs[i]);
}

/* The graph of a training ends with the loss of the logits, or after that with the loss with a
   teacher. */
static void find_classes(transfer *t)
{
    const dv_graph *graph = t->target->graph;
    const dv_node *last = &graph->nodes[graph->count - 1];
    if (last->op->id == DV_OP_distillation)
        last = &graph->nodes[last->inputs[0]];
    bool is_loss = last->op->id == DV_OP_softmax_cross_entropy;
    mark_classes(t, is_loss ? last->inputs[0] : last->id);
}

/* ---- The labels and features of a file ---- */

static bool has_label(const dv_tree *labels, const char *label)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (strcmp(labels->children[i]->text, label) == 0)
            return true;
    }
    return false;
}

/* Why the rows of the classes are of no use, or NULL if they are of use. */
static const char *compare_labels(const dv_transfer_target *target, const dv_tree *labels)
{
    bool same_order = true, same_set = labels->count == target->label_count;
    if (target->labels == NULL)
        return NULL;
    for (size_t i = 0; same_set && i < target->label_count; i++) {
        same_set = has_label(labels, target->labels[i]);
        same_order = same_order && strcmp(labels->children[i]->text, target->labels[i]) == 0;
    }
    if (!same_set)
        return "not loaded, since the file has other labels than the data";
    return same_order ? NULL : "not loaded, since the file has the labels in another order";
}

static const char *text_of(const dv_tree *value, char text[LINE_SIZE])
{
    if (value->kind == DV_TREE_SCALAR)
        return value->text;
    text[0] = '\0';
    for (size_t i = 0; i < value->count; i++) {
        size_t length = strlen(text);
        const dv_tree *child = value->children[i];
        snprintf(text + length, LINE_SIZE - length, "%s%s", i > 0 ? " " : "",
                 child->kind == DV_TREE_SCALAR ? child->text : "...");
    }
    return text;
}

/* Reports features with other values. Keys that only one side has come from another version of
   decavox, and are not compared. */
static void tell_features(const transfer *t, const dv_tree *features)
{
    names differ = {0};
    for (size_t i = 0; t->target->features != NULL && i < t->target->features->count; i++) {
        char before_text[LINE_SIZE], now_text[LINE_SIZE], text[2 * LINE_SIZE];
        const dv_tree *now = t->target->features->children[i];
        const dv_tree *before = dv_tree_get(features, now->key);
        if (before == NULL)
            continue;
        const char *was = text_of(before, before_text), *is = text_of(now, now_text);
        snprintf(text, sizeof text, "%s %.100s (now %.100s)", now->key, was, is);
        if (strcmp(was, is) != 0)
            add_name(&differ, text);
    }
    tell_names(t, "warning: trained with other features", &differ);
}

/* ---- One file ---- */

static dv_status write_entry(transfer *t, const char *path, const dv_safetensors_entry *entry,
                             int index)
{
    dv_status status = dv_checkpoint_put(entry, t->params, index, DV_BUFFER_VALUES);
    if (status != DV_OK)
        return dv_fail_within(status, "%s", path);
    t->loaded[index] = true;
    return DV_OK;
}

/* Loads the tensors of one checkpoint that fit, and reports their number and the other tensors.
   Fails if none fits. */
static dv_status take_entries(transfer *t, const dv_checkpoint *checkpoint, const char *prefix)
{
    names unknown = {0}, other = {0}, of_labels = {0};
    const char *why = compare_labels(t->target, checkpoint->labels);
    int loaded = 0, all = 0;
    dv_buffer kept;
    DV_TRY(dv_checkpoint_kept(checkpoint, &kept));
    for (size_t i = 0; i < dv_safetensors_count(checkpoint->file); i++) {
        const dv_safetensors_entry *entry = dv_safetensors_at(checkpoint->file, i);
        const char *its_name = dv_checkpoint_name(entry, kept);
        char name[2 * DV_NAME_SIZE];
        if (its_name == NULL) /* another buffer of a training */
            continue;
        snprintf(name, sizeof name, "%s%s", prefix, its_name);
        int index = dv_params_find(t->params, name);
        all++;
        if (index < 0) {
            add_name(&unknown, name);
        } else if (!dv_checkpoint_takes(entry) ||
                   !dv_checkpoint_same_shape(entry, &t->params->items[index])) {
            add_name(&other, name);
            t->told[index] = true;
        } else if (why != NULL && t->of_classes[index]) {
            add_name(&of_labels, name);
            t->told[index] = true;
        } else {
            DV_TRY(write_entry(t, checkpoint->path, entry, index));
            loaded++;
        }
    }
    tell(t, "%s: %d of %d tensors loaded%s", checkpoint->path, loaded, all,
         kept == DV_BUFFER_BEST      ? ", the best epoch's"
         : kept == DV_BUFFER_AVERAGE ? ", the moving average"
                                     : "");
    tell_names(t, "not in the model", &unknown);
    tell_names(t, "not loaded, since the shape or the type differs", &other);
    if (why != NULL)
        tell_names(t, why, &of_labels);
    tell_features(t, dv_tree_get(checkpoint->config, "features"));
    if (loaded == 0)
        return DV_FAIL(DV_EARG, "%s: nothing in it fits the model%s%s", checkpoint->path,
                       prefix[0] != '\0' ? " under the prefix " : "", prefix);
    return DV_OK;
}

static dv_status take_file(void *user, const char *path, const char *prefix)
{
    transfer *t = user;
    dv_checkpoint checkpoint;
    DV_TRY(dv_checkpoint_open(path, &checkpoint));
    dv_status status = take_entries(t, &checkpoint, prefix);
    dv_checkpoint_close(&checkpoint);
    return status;
}

static bool is_file(const char *text)
{
    struct stat facts;
    return stat(text, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* ---- The files of a list ---- */

/* Passed for each file of a list. */
typedef struct visit {
    dv_transfer_find find; /* may be NULL */
    dv_status (*file)(void *user, const char *path, const char *prefix);
    void *user;
} visit;

/* Visits an item, "FILE" or "PREFIX=FILE". It changes `text`. */
static dv_status visit_item(void *user, char *text)
{
    const visit *v = user;
    char *equals = is_file(text) ? NULL : strchr(text, '=');
    const char *prefix = equals != NULL ? text : "", *path = equals != NULL ? equals + 1 : text;
    if (equals != NULL)
        *equals = '\0';
    if (path[0] == '\0')
        return DV_FAIL(DV_EARG, "train.init_from: the name of a file is missing%s%s",
                       prefix[0] != '\0' ? " for the prefix " : "", prefix);
    char found[DV_TRANSFER_PATH_SIZE];
    if (v->find != NULL) {
        v->find(path, found, sizeof found);
        path = found;
    }
    return v->file(v->user, path, prefix);
}

static dv_status visit_files(const char *files, visit *v)
{
    return is_file(files) ? v->file(v->user, files, "") : dv_each_item(files, visit_item, v);
}

static dv_status check_file(void *user, const char *path, const char *prefix)
{
    dv_checkpoint checkpoint;
    (void)user;
    (void)prefix;
    DV_TRY(dv_checkpoint_open(path, &checkpoint));
    dv_checkpoint_close(&checkpoint);
    return DV_OK;
}

dv_status dv_transfer_check(const char *files, dv_transfer_find find)
{
    return visit_files(files, &(visit){.find = find, .file = check_file});
}

/* ---- All of them ---- */

static void tell_rest(const transfer *t)
{
    names rest = {0};
    for (int i = 0; i < t->params->count; i++) {
        if (!t->loaded[i] && !t->told[i])
            add_name(&rest, t->params->items[i].name);
    }
    tell_names(t, "in the model, and in no file", &rest);
}

static dv_status check_frozen(const transfer *t)
{
    for (int i = 0; i < t->params->count; i++) {
        const dv_param *param = &t->params->items[i];
        if (param->frozen && !t->loaded[i])
            return DV_FAIL(DV_EARG,
                           "train.freeze keeps '%s' as it is, but no loaded file has given it a "
                           "value: it would stay random",
                           param->name);
    }
    return DV_OK;
}

static dv_status begin(transfer *t)
{
    if (t->params->context->backend->real_size != sizeof(float))
        return DV_FAIL(DV_EUNSUPPORTED, "only float parameters can be loaded from a checkpoint");
    DV_TRY(dv_calloc((size_t)t->params->count, sizeof *t->loaded, &t->loaded));
    DV_TRY(dv_calloc((size_t)t->params->count, sizeof *t->of_classes, &t->of_classes));
    DV_TRY(dv_calloc((size_t)t->params->count, sizeof *t->told, &t->told));
    find_classes(t);
    return DV_OK;
}

static dv_status end(transfer *t, dv_status status)
{
    if (status == DV_OK) {
        tell_rest(t);
        status = check_frozen(t);
    }
    free(t->loaded);
    free(t->of_classes);
    free(t->told);
    return status;
}

dv_status dv_transfer(const char *files, const dv_transfer_target *target, dv_line_fn line,
                      void *user)
{
    transfer t = {.target = target, .params = target->graph->params, .line = line, .user = user};
    dv_status status = begin(&t);
    visit v = {.find = target->find, .file = take_file, .user = &t};
    return end(&t, status == DV_OK ? visit_files(files, &v) : status);
}

dv_status dv_transfer_file(const char *path, const dv_transfer_target *target, dv_line_fn line,
                           void *user)
{
    transfer t = {.target = target, .params = target->graph->params, .line = line, .user = user};
    dv_status status = begin(&t);
    return end(&t, status == DV_OK ? take_file(&t, path, "") : status);
}

dv_status dv_transfer_all(const dv_params *from, const char *prefix, dv_params *to)
{
    for (int i = 0; i < from->count; i++) {
        char name[2 * DV_NAME_SIZE];
        float *values;
        snprintf(name, sizeof name, "%s.%s", prefix, from->items[i].name);
        int index = dv_params_find(to, name);
        DV_ASSERT(index >= 0 && to->items[index].count == from->items[i].count);
        DV_TRY(dv_calloc((size_t)from->items[i].count, sizeof *values, &values));
        dv_status status = dv_params_read(from, i, DV_BUFFER_VALUES, values);
        if (status == DV_OK)
            status = dv_params_write(to, index, DV_BUFFER_VALUES, values);
        free(values);
        DV_TRY(status);
    }
    return DV_OK;
}
