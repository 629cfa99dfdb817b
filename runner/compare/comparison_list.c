/* Lists the models of a comparison and reads their cards. */
#include "engine/backends/module.h"
#include "engine/backends/open.h"
#include "engine/base/json.h"
#include "engine/base/proc.h"
#include "engine/base/yaml.h"
#include "engine/device/threads.h"
#include "engine/train/metrics.h"
#include "runner/compare/comparison.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/home.h"
#include "runner/experiment/output.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, PROCESSOR_SIZE = 208 };

typedef struct file_list {
    char *paths[DV_COMPARISON_MOST]; /* owned */
    size_t count;
} file_list;

static void list_free(file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    list->count = 0;
}

static dv_status list_add(file_list *list, const char *path)
{
    if (list->count == DV_COMPARISON_MOST)
        return DV_FAIL(DV_EARG, "there are more than %d models to compare", DV_COMPARISON_MOST);
    DV_TRY(dv_strdup(path, &list->paths[list->count]));
    list->count++;
    return DV_OK;
}

/* ---- Models that come with the program ---- */

/* Copies the name of a file without folder and ending. */
static void stem_of(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    const char *begin = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(begin, '.');
    int length = dot != NULL && dot > begin ? (int)(dot - begin) : (int)strlen(begin);
    snprintf(name, size, "%.*s", length, begin);
}

static bool list_has(const file_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        char stem[PATH_SIZE];
        stem_of(list->paths[i], stem, sizeof stem);
        if (strcmp(stem, name) == 0)
            return true;
    }
    return false;
}

static dv_status add_checkpoints(const char *folder, file_list *list)
{
    glob_t found;
    char pattern[PATH_SIZE];
    snprintf(pattern, sizeof pattern, "%s/*.safetensors", folder);
    if (glob(pattern, 0, NULL, &found) != 0)
        return DV_OK;
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < found.gl_pathc; i++)
        status = list_add(list, found.gl_pathv[i]);
    globfree(&found);
    return status;
}

/* Adds a configuration of the model, preferably one with the features of the trained models. */
static dv_status add_configuration(const char *folder, const char *model, file_list *list)
{
    static const char *const kinds[] = {"general_", "mel_", ""};
    for (int i = 0; i < 3; i++) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s/%s%s.yaml", folder, kinds[i], model);
        if (access(path, R_OK) == 0)
            return list_add(list, path);
    }
    return DV_OK;
}

static dv_status list_own(file_list *list)
{
    static const char *const models[] = {"advanced", "efficient",   "transformer",
                                         "ensemble", "lightweight", "mini"};
    char folder[PATH_SIZE - 64]; /* leaves room for names of files */
    if (dv_home_find("checkpoints", folder, sizeof folder))
        DV_TRY(add_checkpoints(folder, list));
    file_list trained = *list; /* borrowed */
    bool configured = dv_home_find("configs", folder, sizeof folder);
    for (size_t i = 0; configured && i < sizeof models / sizeof models[0]; i++) {
        if (!list_has(&trained, models[i]))
            DV_TRY(add_configuration(folder, models[i], list));
    }
    if (list->count == 0)
        return DV_FAIL(DV_EIO,
                       "there are no models to compare: neither checkpoints nor configurations are "
                       "in %s; name some",
                       folder);
    return DV_OK;
}

/* ---- Models that the caller names ---- */

/* The model file of a path, which is that of a run's folder or of a file. */
static void model_file(const char *path, char file[PATH_SIZE + 32])
{
    snprintf(file, PATH_SIZE + 32, "%s%s", path,
             dv__run_is_folder(path) ? "/model.safetensors" : "");
}

static bool is_listed(const file_list *list, const char *path)
{
    char file[PATH_SIZE + 32], other[PATH_SIZE + 32];
    model_file(path, file);
    for (size_t i = 0; i < list->count; i++) {
        model_file(list->paths[i], other);
        if (dv_same_file(file, other))
            return true;
    }
    return false;
}

static dv_status add_operand(const dv_log *log, const char *operand, file_list *list)
{
    char path[PATH_SIZE];
    if (dv__run_is_folder(operand))
        snprintf(path, sizeof path, "%s", operand); /* it has the accuracy, too */
    else
        dv_home_checkpoint(operand, path, sizeof path);
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--)
        path[end - 1] = '\0'; /* removes the slash of "runs/a/" */
    if (dv__run_is_folder(path) && dv__run_check(path) != DV_OK)
        dv_log_write(log, DV_LOG_WARNING, "%s is left out: %s", operand, dv_error_message());
    else if (is_listed(list, path))
        dv_log_write(log, DV_LOG_WARNING, "%s is named twice and is compared once", operand);
    else
        return list_add(list, path);
    return DV_OK;
}

static dv_status list_operands(const dv_log *log, const char *const *operands, size_t count,
                               file_list *list)
{
    for (size_t i = 0; i < count; i++)
        DV_TRY(add_operand(log, operands[i], list));
    if (list->count == 0)
        return DV_FAIL(DV_EFORMAT, "nothing that is named is a model or a finished run");
    return DV_OK;
}

/* ---- A model ---- */

static bool is_configuration(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Hashes the resolved configuration, because bases and models are in other files. */
static dv_status hash_configuration(const char *path, char digest[DV_SHA256_SIZE])
{
    dv_experiment experiment;
    char *text;
    DV_TRY(dv_experiment_read(path, NULL, &experiment));
    dv_status status = dv_yaml_write(experiment.tree, &text);
    dv_experiment_free(&experiment);
    if (status != DV_OK)
        return status;
    dv_sha256_bytes(text, strlen(text), digest);
    free(text);
    return DV_OK;
}

static dv_status read_model(const dv_comparison *comparison, const char *path,
                            dv_model_figures *model)
{
    if (dv__run_is_folder(path))
        return dv__run_read(comparison, path, model);
    if (strlen(path) >= sizeof model->path)
        return DV_FAIL(DV_EARG, "the path '%.60s...' is too long", path);
    strcpy(model->path, path);
    stem_of(path, model->name, sizeof model->name);
    model->is_checkpoint = !is_configuration(path);
    model->file = -1;
    if (!model->is_checkpoint)
        return hash_configuration(path, model->content);
    DV_TRY(dv_home_offer(path, dv_sha256_file(path, model->content)));
    return dv__card_read(comparison, model);
}

/* ---- Cards ---- */

static void take_accuracy(const json_t *card, const char *protocol, dv_model_figures *model)
{
    if (protocol[0] == '\0')
        protocol =
            json_string_value(json_object_get(json_object_get(card, "training"), "protocol"));
    if (protocol == NULL || strlen(protocol) >= sizeof model->accuracy.protocol)
        return;
    const json_t *by = json_object_get(json_object_get(card, "accuracy"), protocol);
    int64_t correct = json_integer_value(json_object_get(by, "correct"));
    int64_t count = json_integer_value(json_object_get(by, "count"));
    if (count < 1 || correct < 0 || correct > count)
        return;
    strcpy(model->accuracy.protocol, protocol);
    model->accuracy.correct = correct;
    model->accuracy.count = count;
    dv_wilson_interval(correct, count, &model->accuracy.low, &model->accuracy.high);
}

static void take_card(const dv_comparison *comparison, const json_t *card, const char *path,
                      dv_model_figures *model)
{
    const char *digest =
        json_string_value(json_object_get(json_object_get(card, "file"), "sha256"));
    const char *command =
        json_string_value(json_object_get(json_object_get(card, "training"), "command"));
    if (digest == NULL)
        return; /* an unrelated file of that name */
    if (strcmp(digest, model->content) != 0) {
        dv_log_write(&comparison->events->log, DV_LOG_WARNING,
                     "%s is the card of another file than %s: the accuracy in it is not taken",
                     path, model->path);
        return;
    }
    if (command != NULL)
        snprintf(model->command, sizeof model->command, "%s", command);
    take_accuracy(card, comparison->options->protocol, model);
}

void dv_card_path(const dv_model_figures *model, char path[DV_STRING_SIZE + 8])
{
    const char *dot = strrchr(model->path, '.'), *slash = strrchr(model->path, '/');
    bool ends = dot != NULL && (slash == NULL || dot > slash);
    int length = ends ? (int)(dot - model->path) : (int)strlen(model->path);
    snprintf(path, DV_STRING_SIZE + 8, "%.*s.json", length, model->path);
}

dv_status dv__card_read(const dv_comparison *comparison, dv_model_figures *model)
{
    char path[DV_STRING_SIZE + 8];
    json_t *card;
    dv_card_path(model, path);
    if (access(path, F_OK) != 0)
        return DV_OK;
    if (dv_json_read(path, &card) != DV_OK)
        dv_log_write(&comparison->events->log, DV_LOG_WARNING,
                     "%s has no card that can be read: %s", model->path, dv_error_message());
    else
        take_card(comparison, card, path, model);
    json_decref(card);
    return DV_OK;
}

static void name_protocols(const json_t *card, char *text, size_t size)
{
    const char *key;
    json_t *value;
    size_t used = 0;
    text[0] = '\0';
    json_object_foreach(json_object_get(card, "accuracy"), key, value)
    {
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", key);
    }
}

/* Fails if no card has the protocol that was asked for, and names those of the first card that has
   any. Models without cards may lack it, because their accuracy comes from reports. */
static dv_status check_protocol(const dv_comparison *all)
{
    const char *protocol = all->options->protocol;
    char path[DV_STRING_SIZE + 8], names[PATH_SIZE];
    for (size_t i = 0; i < all->count; i++)
        if (protocol[0] == '\0' || all->models[i].accuracy.count > 0)
            return DV_OK;
    for (size_t i = 0; i < all->count; i++) {
        json_t *card;
        dv_card_path(&all->models[i], path);
        if (access(path, F_OK) != 0 || dv_json_read(path, &card) != DV_OK)
            continue;
        name_protocols(card, names, sizeof names);
        json_decref(card);
        if (names[0] != '\0')
            return DV_FAIL(DV_EARG, "--protocol: no model's card has the protocol '%s'; %s has %s",
                           protocol, path, names);
    }
    return DV_OK;
}

/* ---- The comparison ---- */

/* Hashes the executable and, if a module drives the device, the module. */
static dv_status read_program(const char *program, const char *backend, char digest[DV_SHA256_SIZE])
{
    char path[4096], both[2 * DV_SHA256_SIZE];
    DV_TRY(dv_sha256_file(program, digest));
    if (!dv_module_find(backend, path, sizeof path))
        return DV_OK;
    memcpy(both, digest, DV_SHA256_SIZE - 1);
    DV_TRY(dv_sha256_file(path, both + DV_SHA256_SIZE - 1));
    dv_sha256_bytes(both, strlen(both), digest);
    return DV_OK;
}

static dv_status read_machine(dv_comparison *out)
{
    char processor[PROCESSOR_SIZE], device[256];
    int count;
    dv_context *context;
    DV_TRY(dv_context_open(out->options->device, 1, (dv_log){.write = NULL}, &context));
    const dv_backend *backend = context->backend;
    int index = context->device_index;
    dv_context_close(context);
    dv_proc_processor("/proc/cpuinfo", processor, sizeof processor);
    snprintf(out->machine, sizeof out->machine, "%s", processor);
    if (backend->describe != NULL) {
        DV_TRY(backend->describe(index, device, sizeof device, &count));
        snprintf(out->machine, sizeof out->machine, "%s; %s", device, processor);
    }
    snprintf(out->libraries, sizeof out->libraries, "%s", backend->version());
    return read_program(out->options->program, backend->name, out->program);
}

/* Names models that share a name by their paths, of which long ones are cut at the beginning. */
static dv_status distinguish(const file_list *list, dv_comparison *all)
{
    bool *shared;
    DV_TRY(dv_calloc(all->count, sizeof *shared, &shared));
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; k < all->count; k++)
            shared[i] =
                shared[i] || (k != i && strcmp(all->models[i].name, all->models[k].name) == 0);
    for (size_t i = 0; i < all->count; i++) {
        size_t size = sizeof all->models[i].name, length = strlen(list->paths[i]);
        if (shared[i])
            snprintf(all->models[i].name, size, "%s",
                     list->paths[i] + (length < size ? 0 : length - size + 1));
    }
    free(shared);
    return DV_OK;
}

static dv_status read_models(const file_list *list, dv_comparison *out)
{
    DV_TRY(dv_calloc(list->count, sizeof *out->models, &out->models));
    out->count = list->count;
    for (size_t i = 0; i < list->count; i++)
        DV_TRY(read_model(out, list->paths[i], &out->models[i]));
    return distinguish(list, out);
}

dv_status dv_comparison_list(const dv_comparison_options *options,
                             const dv_comparison_events *events, const char *const *files,
                             size_t count, dv_comparison *out)
{
    file_list list = {.count = 0};
    dv_status status;
    *out = (dv_comparison){.options = options, .events = events};
    out->threads = options->threads > 0 ? (int)options->threads : dv_physical_cores();
    status = read_machine(out);
    if (status == DV_OK)
        status = count > 0 ? list_operands(&events->log, files, count, &list) : list_own(&list);
    if (status == DV_OK)
        status = read_models(&list, out);
    if (status == DV_OK)
        status = check_protocol(out);
    list_free(&list);
    if (status != DV_OK)
        dv_comparison_free(out);
    return status;
}

void dv_comparison_free(dv_comparison *comparison)
{
    free(comparison->models);
    comparison->models = NULL;
    comparison->count = 0;
}
