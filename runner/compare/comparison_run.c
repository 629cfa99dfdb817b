/* Reads folders of runs as models, with the name of the folder and the accuracy of the report. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "engine/base/json.h"
#include "engine/base/shell.h"
#include "engine/train/metrics.h"
#include "runner/compare/comparison.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/run_folder.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARK_DIGITS = 8 }; /* digits of the clips' mark, enough to distinguish test sets */

bool dv__run_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Fails with the reason why a folder has no finished model. */
static dv_status fail_unready(const char *folder)
{
    if (dv_run_has(folder, "crossval.json"))
        return DV_FAIL(
            DV_EFORMAT,
            "it holds a cross-validation; name one of the folders in it, which hold the runs");
    if (dv_run_has_begun(folder))
        return DV_FAIL(DV_EFORMAT,
                       "its run is not finished; `decavox train --resume` goes on with it");
    return DV_FAIL(DV_EFORMAT, "it holds no run: there is no config.yaml");
}

/* A finished run has report.json or, if it has no clips to test with, only the page. */
dv_status dv__run_check(const char *folder)
{
    int lock;
    dv_status status = dv_lock_folder(folder, "a training is at work there", &lock);
    if (lock >= 0)
        close(lock);
    if (status != DV_OK)
        return status;
    bool told = dv_run_has(folder, "report.json") || dv_run_has(folder, "report.html");
    return dv_run_has(folder, "model.safetensors") && told ? DV_OK : fail_unready(folder);
}

/* Names a model after the last part of the path, "lr=0.003" for "runs/lr=0.003". A path that ends
   in dots is resolved first. */
static void name_of(const char *folder, dv_model_figures *model)
{
    char real[PATH_MAX];
    const char *slash = strrchr(folder, '/');
    const char *name = slash != NULL ? slash + 1 : folder;
    bool dots = strspn(name, ".") == strlen(name);
    if (dots && realpath(folder, real) != NULL)
        name = strrchr(real, '/') + 1;
    snprintf(model->name, sizeof model->name, "%.127s", name);
}

static const char *text_of(const json_t *report, const char *key)
{
    const char *text = json_string_value(json_object_get(report, key));
    return text != NULL ? text : "";
}

/* Makes the protocol of split, part and clips, because only runs that share these are compared. */
static dv_status take_accuracy(const json_t *report, const char *path, const char *protocol,
                               dv_accuracy *out)
{
    const char *mark = text_of(report, "test_set"), *part = text_of(report, "part");
    int64_t correct = json_integer_value(json_object_get(report, "correct"));
    int64_t count = json_integer_value(json_object_get(report, "count"));
    if (strlen(mark) < MARK_DIGITS || part[0] == '\0')
        return DV_FAIL(DV_EFORMAT, "%s does not say by which clips it was made", path);
    if (count < 1 || correct < 0 || correct > count)
        return DV_FAIL(DV_EFORMAT, "%s holds no accuracy", path);
    dv_accuracy accuracy = {.correct = correct, .count = count};
    snprintf(accuracy.protocol, sizeof accuracy.protocol, "%.30s/%.10s %.*s",
             text_of(report, "split"), part, MARK_DIGITS, mark);
    dv_wilson_interval(correct, count, &accuracy.low, &accuracy.high);
    if (protocol[0] == '\0' || strcmp(protocol, accuracy.protocol) == 0)
        *out = accuracy;
    return DV_OK;
}

static dv_status read_report(const char *folder, const char *protocol, dv_accuracy *out)
{
    char path[DV_STRING_SIZE + 16];
    json_t *report;
    if (!dv_run_has(folder, "report.json"))
        return DV_FAIL(DV_EFORMAT, "%s has no report.json", folder);
    snprintf(path, sizeof path, "%s/report.json", folder);
    DV_TRY(dv_json_read(path, &report));
    dv_status status = take_accuracy(report, path, protocol, out);
    json_decref(report);
    return status;
}

/* Writes the command that repeats the run. */
static dv_status tell_command(const char *folder, dv_model_figures *model)
{
    char config[DV_STRING_SIZE + 16], *command;
    snprintf(config, sizeof config, "%s/config.yaml", folder);
    const char *const words[] = {"train", config};
    DV_TRY(dv_shell_command(words, 2, &command));
    if (strlen(command) < sizeof model->command)
        strcpy(model->command, command);
    free(command);
    return DV_OK;
}

dv_status dv__run_read(const dv_comparison *comparison, const char *folder, dv_model_figures *model)
{
    int written = snprintf(model->path, sizeof model->path, "%s/model.safetensors", folder);
    if (written < 0 || (size_t)written >= sizeof model->path)
        return DV_FAIL(DV_EARG, "the path '%.60s...' is too long", folder);
    name_of(folder, model);
    model->is_checkpoint = true;
    model->file = -1;
    DV_TRY(dv_sha256_file(model->path, model->content));
    DV_TRY(tell_command(folder, model));
    if (read_report(folder, comparison->options->protocol, &model->accuracy) != DV_OK)
        dv_log_write(&comparison->events->log, DV_LOG_WARNING,
                     "%s: the accuracy of this run is not known", dv_error_message());
    return DV_OK;
}
