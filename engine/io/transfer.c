#include "engine/io/transfer.h"
#include "engine/core/context.h"
#include "engine/core/text.h"
#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8, LINE_SIZE = 512 };

typedef struct transfer {
    dv_params *params;
    bool *loaded; /* (params->count) */
    dv_line_fn line;
    void *user;
} transfer;

/* Names to be told: the number of all, and the first few. */
typedef struct names {
    int count;
    char text[LINE_SIZE];
} names;

static void add_name(names *list, const char *name)
{
    size_t length = strlen(list->text);
    if (list->count < SHOWN && length < sizeof list->text)
        snprintf(list->text + length, sizeof list->text - length, "%s%s",
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

/* ---- One file ---- */

static dv_status write_entry(transfer *t, const char *path, const dv_safetensors_entry *entry,
                             int index)
{
    dv_status status = dv_checkpoint_put(entry, t->params, index, DV_VALUES);
    if (status != DV_OK)
        return dv__fail_within(status, "%s", path);
    t->loaded[index] = true;
    return DV_OK;
}

static dv_status take_entries(transfer *t, const dv_checkpoint *checkpoint, const char *prefix)
{
    names unknown = {0}, other = {0};
    int loaded = 0, all = 0;
    for (size_t i = 0; i < dv_safetensors_count(checkpoint->file); i++) {
        const dv_safetensors_entry *entry = dv_safetensors_at(checkpoint->file, i);
        char name[2 * DV_NAME_SIZE];
        if (strchr(entry->name, '/') != NULL) /* of a training: moments and the like */
            continue;
        snprintf(name, sizeof name, "%s%s", prefix, entry->name);
        int index = dv_params_find(t->params, name);
        all++;
        if (index < 0) {
            add_name(&unknown, name);
        } else if (!dv_checkpoint_takes(entry) ||
                   !dv_checkpoint_same_shape(entry, &t->params->items[index])) {
            add_name(&other, name);
        } else {
            DV_TRY(write_entry(t, checkpoint->path, entry, index));
            loaded++;
        }
    }
    tell(t, "%s: %d of %d tensors loaded", checkpoint->path, loaded, all);
    tell_names(t, "not in the model", &unknown);
    tell_names(t, "of another shape or type", &other);
    if (loaded == 0)
        return DV_FAIL(DV_EARG, "%s: nothing in it fits the model%s%s", checkpoint->path,
                       prefix[0] != '\0' ? " under the prefix " : "", prefix);
    return DV_OK;
}

static dv_status take_file(transfer *t, const char *path, const char *prefix)
{
    dv_checkpoint checkpoint;
    DV_TRY(dv_checkpoint_open(path, &checkpoint));
    dv_status status = take_entries(t, &checkpoint, prefix);
    dv_checkpoint_close(&checkpoint);
    return status;
}

/* `text`: "FILE" or "PREFIX=FILE", changed. */
static dv_status take_item(void *user, char *text)
{
    char *equals = strchr(text, '=');
    const char *prefix = equals != NULL ? text : "", *path = equals != NULL ? equals + 1 : text;
    if (equals != NULL)
        *equals = '\0';
    if (path[0] == '\0')
        return DV_FAIL(DV_EARG, "init_from: a file is missing%s%s",
                       prefix[0] != '\0' ? " for the prefix " : "", prefix);
    return take_file(user, path, prefix);
}

/* ---- All of them ---- */

static void tell_rest(const transfer *t)
{
    names rest = {0};
    for (int i = 0; i < t->params->count; i++) {
        if (!t->loaded[i])
            add_name(&rest, t->params->items[i].name);
    }
    tell_names(t, "of the model, not loaded", &rest);
}

static dv_status begin(transfer *t)
{
    if (t->params->context->backend->real_size != sizeof(float))
        return DV_FAIL(DV_EUNSUPPORTED, "checkpoints hold float parameters");
    return dv__calloc((size_t)t->params->count, sizeof *t->loaded, &t->loaded);
}

static dv_status end(transfer *t, dv_status status)
{
    if (status == DV_OK)
        tell_rest(t);
    free(t->loaded);
    return status;
}

dv_status dv_transfer(const char *files, dv_params *params, dv_line_fn line, void *user)
{
    transfer t = {.params = params, .line = line, .user = user};
    DV_TRY(begin(&t));
    return end(&t, dv__each_item(files, take_item, &t));
}

dv_status dv_transfer_file(const char *path, dv_params *params, dv_line_fn line, void *user)
{
    transfer t = {.params = params, .line = line, .user = user};
    DV_TRY(begin(&t));
    return end(&t, take_file(&t, path, ""));
}
