/* Keeps the chosen algorithms of a device in a file, and reads them back. */
#include "frontends/model/choices.h"

#include "engine/backends/module.h"
#include "engine/base/atomic_file.h"
#include "engine/base/folder.h"
#include "engine/base/input_file.h"
#include "engine/base/sha256.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* Writes module, device, libraries, precision and checkpoint in one line. */
static dv_status describe(dv_context *context, const char *products,
                          const dv_checkpoint *checkpoint, char *about, size_t size)
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
             device, backend->version(), products, content);
    return DV_OK;
}

static dv_status find_file(dv_context *context, const char *products,
                           const dv_checkpoint *checkpoint, dv_choices *out)
{
    char folder[2048], digest[DV_SHA256_SIZE];
    if (!dv_cache_folder(folder, sizeof folder))
        return DV_FAIL(DV_EIO, "neither XDG_CACHE_HOME nor HOME names a folder");
    DV_TRY(describe(context, products, checkpoint, out->about, sizeof out->about));
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

const char dv_choices_columns[] =
    "batch, rows, columns, channels, filters, kernel (2), stride (2), padding (2), dilation (2), "
    "groups, type, tf32, direction, rule: algorithm, math";

dv_status dv_choices_write(dv_context *context, char **out)
{
    size_t size;
    *out = NULL;
    if (context->backend->write_choices == NULL)
        return dv_strdup("", out);
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

void dv_choices_recall(dv_context *context, const char *products, const dv_checkpoint *checkpoint,
                       dv_choices *out)
{
    *out = (dv_choices){.text = NULL};
    if (context->backend->read_choices == NULL || context->algorithms == DV_ALGORITHMS_FIXED)
        return;
    if (find_file(context, products, checkpoint, out) != DV_OK) {
        out->path[0] = '\0';
        if (context->algorithms != DV_ALGORITHMS_KEPT)
            warn(context);
        return;
    }
    FILE *file;
    if (dv_input_open(out->path, &file) != DV_OK)
        return;
    if (is_line(file, out->about) && context->backend->read_choices(context, file) == DV_OK &&
        dv_choices_write(context, &out->text) != DV_OK)
        out->text = NULL;
    fclose(file);
}

/* The folder is made only when there is something to keep. */
static dv_status store(const char *path, const char *text, size_t size)
{
    char folder[2048];
    if (dv_cache_folder(folder, sizeof folder))
        DV_TRY(dv_make_folders(folder));
    return dv_atomic_file_store(path, text, size);
}

void dv_choices_keep(dv_context *context, const dv_choices *choices)
{
    char *text = NULL, *whole = NULL;
    if (choices->path[0] == '\0' || context->algorithms == DV_ALGORITHMS_KEPT)
        return;
    dv_status status = dv_choices_write(context, &text);
    bool same = status == DV_OK && choices->text != NULL && strcmp(text, choices->text) == 0;
    if (status == DV_OK && !same && text[0] != '\0') {
        size_t size = strlen(choices->about) + strlen(text) + 2;
        status = dv_calloc(size, 1, &whole);
        if (status == DV_OK) {
            snprintf(whole, size, "%s\n%s", choices->about, text);
            status = store(choices->path, whole, size - 1);
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

dv_status dv_choices_read(dv_context *context, const char *text)
{
    if (context->backend->read_choices == NULL || text[0] == '\0')
        return DV_OK;
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r"); /* does not write */
    if (file == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the chosen algorithms");
    dv_status status = context->backend->read_choices(context, file);
    fclose(file);
    return status;
}

dv_status dv_choices_share(dv_context *from, dv_context *to)
{
    char *text;
    to->algorithms = from->algorithms;
    dv_status status = dv_choices_write(from, &text);
    if (status == DV_OK)
        status = dv_choices_read(to, text);
    free(text);
    return status;
}

/* ---- The choices that are kept for a checkpoint ---- */

/* The text of a file, or NULL if it cannot be read or is for another checkpoint. */
static char *read_kept(const char *path, const char *checkpoint)
{
    FILE *file;
    char *text = NULL;
    size_t size = 0;
    if (dv_input_open(path, &file) != DV_OK)
        return NULL;
    ssize_t length = getdelim(&text, &size, '\0', file); /* a text has no NUL, so this is all */
    fclose(file);
    const char *end = length > 0 ? strchr(text, '\n') : NULL;
    size_t digits = strlen(checkpoint);
    bool is_of = end != NULL && (size_t)(end - text) > digits &&
                 strncmp(end - digits, checkpoint, digits) == 0;
    if (is_of)
        return text;
    free(text);
    return NULL;
}

dv_status dv_choices_list(const dv_checkpoint *checkpoint,
                          void (*tell)(void *user, const char *path, const char *text), void *user)
{
    char folder[2048], pattern[2304], digest[DV_SHA256_SIZE], ending[64];
    glob_t found;
    if (!dv_cache_folder(folder, sizeof folder))
        return DV_OK;
    dv_checkpoint_digest(checkpoint, digest);
    snprintf(ending, sizeof ending, ", checkpoint %.16s", digest);
    snprintf(pattern, sizeof pattern, "%s/algorithms-*.txt", folder);
    int result = glob(pattern, 0, NULL, &found);
    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++) {
        char *text = read_kept(found.gl_pathv[i], ending);
        if (text != NULL)
            tell(user, found.gl_pathv[i], text);
        free(text);
    }
    globfree(&found);
    return result == GLOB_NOSPACE ? DV_FAIL(DV_ENOMEM, "out of memory: %s", pattern) : DV_OK;
}
