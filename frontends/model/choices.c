/* Keeps the chosen algorithms of a device in a file, and takes them from there. */
#include "frontends/model/choices.h"

#include "engine/backends/module.h"
#include "engine/base/atomic_file.h"
#include "engine/base/folder.h"
#include "engine/base/input_file.h"
#include "engine/base/sha256.h"

#include <stdlib.h>
#include <string.h>

/* One line: module, device, libraries, precision, checkpoint. */
static dv_status describe(dv_context *context, const dv_checkpoint *checkpoint, char *about,
                          size_t size)
{
    const dv_backend *backend = context->backend;
    char module[4096], device[256] = "", build[DV_SHA256_SIZE], content[DV_SHA256_SIZE];
    int count;
    if (!dv_module_find(backend->name, module, sizeof module))
        return DV_FAIL(DV_EIO, "no module '%s' in %s", backend->name, module);
    DV_TRY(dv_sha256_file(module, build));
    dv_checkpoint_digest(checkpoint, content);
    if (backend->describe != NULL)
        DV_TRY(backend->describe(context->device_index, device, sizeof device, &count));
    snprintf(about, size, "%s, build %.16s, %s, %s, %s, checkpoint %.16s", backend->name, build,
             device, backend->version(), dv_context_precision(context), content);
    return DV_OK;
}

static dv_status find_file(dv_context *context, const dv_checkpoint *checkpoint, dv_choices *out)
{
    char folder[2048], digest[DV_SHA256_SIZE];
    if (!dv_cache_folder(folder, sizeof folder))
        return DV_FAIL(DV_EIO, "neither XDG_CACHE_HOME nor HOME names a folder");
    DV_TRY(describe(context, checkpoint, out->about, sizeof out->about));
    DV_TRY(dv_make_folders(folder));
    dv_sha256_bytes(out->about, strlen(out->about), digest);
    snprintf(out->path, sizeof out->path, "%s/algorithms-%.32s.txt", folder, digest);
    return DV_OK;
}

static bool is_line(FILE *file, const char *wanted)
{
    char line[1024];
    if (fgets(line, sizeof line, file) == NULL)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, wanted) == 0;
}

/* The choices of a context as a text; owned by the caller. */
static dv_status write_text(dv_context *context, char **out)
{
    size_t size;
    *out = NULL;
    FILE *memory = open_memstream(out, &size);
    if (memory == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the chosen algorithms");
    dv_status status = context->backend->write_choices(context, memory);
    if (fclose(memory) != 0 && status == DV_OK)
        status = DV_FAIL(DV_ENOMEM, "out of memory: the chosen algorithms");
    return status;
}

static void warn(const dv_context *context)
{
    dv_log_write(&context->log, DV_LOG_WARNING, "the chosen algorithms are not kept: %s",
                 dv_error_message());
}

void dv_choices_recall(dv_context *context, const dv_checkpoint *checkpoint, dv_choices *out)
{
    *out = (dv_choices){.text = NULL};
    if (context->backend->read_choices == NULL || context->algorithms == DV_ALGORITHMS_FIXED)
        return;
    if (find_file(context, checkpoint, out) != DV_OK) {
        out->path[0] = '\0';
        if (context->algorithms != DV_ALGORITHMS_KEPT)
            warn(context);
        return;
    }
    FILE *file;
    if (dv_input_open(out->path, &file) != DV_OK)
        return;
    if (is_line(file, out->about) && context->backend->read_choices(context, file) == DV_OK &&
        write_text(context, &out->text) != DV_OK)
        out->text = NULL;
    fclose(file);
}

void dv_choices_keep(dv_context *context, const dv_choices *choices)
{
    char *text = NULL, *whole = NULL;
    if (choices->path[0] == '\0' || context->algorithms == DV_ALGORITHMS_KEPT)
        return;
    dv_status status = write_text(context, &text);
    bool same = status == DV_OK && choices->text != NULL && strcmp(text, choices->text) == 0;
    if (status == DV_OK && !same && text[0] != '\0') {
        size_t size = strlen(choices->about) + strlen(text) + 2;
        status = dv_calloc(size, 1, &whole);
        if (status == DV_OK) {
            snprintf(whole, size, "%s\n%s", choices->about, text);
            status = dv_atomic_file_store(choices->path, whole, size - 1);
        }
    }
    if (status != DV_OK)
        warn(context);
    free(whole);
    free(text);
}

void dv_choices_free(dv_choices *choices)
{
    free(choices->text);
    choices->text = NULL;
}

dv_status dv_choices_share(dv_context *from, dv_context *to)
{
    char *text;
    to->algorithms = from->algorithms;
    if (from->backend->read_choices == NULL)
        return DV_OK;
    dv_status status = write_text(from, &text);
    FILE *file = status == DV_OK && text[0] != '\0' ? fmemopen(text, strlen(text), "r") : NULL;
    if (file != NULL) {
        status = to->backend->read_choices(to, file);
        fclose(file);
    }
    free(text);
    return status;
}
