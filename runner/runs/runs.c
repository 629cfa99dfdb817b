/* Finds runs in folders, reads their reports, and brings them into order. */
#include "runner/runs/runs.h"
#include "engine/base/json.h"
#include "engine/train/metrics.h"
#include "runner/experiment/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH = 4, PATH_SIZE = DV_RUN_PATH_SIZE };

/* ---- A report ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static int64_t count_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* Takes the figures out of a report. The reason is set where they cannot be compared with any. */
static void take_report(dv_run_entry *entry)
{
    const json_t *report = entry->report, *run = json_object_get(report, "run");
    entry->model = text_of(run, "model");
    entry->data = text_of(run, "data");
    entry->device = text_of(run, "device");
    entry->date = text_of(run, "date");
    entry->epochs = count_of(run, "epochs");
    entry->best_epoch = count_of(run, "best_epoch");
    entry->seconds = number_of(run, "seconds");
    entry->split = text_of(report, "split");
    entry->part = text_of(report, "part");
    entry->mark = text_of(report, "test_set");
    entry->correct = count_of(report, "correct");
    entry->count = count_of(report, "count");
    entry->loss = number_of(report, "loss");
    entry->f1 = number_of(json_object_get(report, "macro"), "f1");
    entry->ece = number_of(json_object_get(report, "calibration"), "ece");
    if (entry->count < 1 || entry->correct < 0 || entry->correct > entry->count)
        entry->reason = "its report.json holds no accuracy";
    else if (entry->mark[0] == '\0')
        entry->reason = "its report.json does not say which clips it is of";
    else
        dv_wilson_interval(entry->correct, entry->count, &entry->low, &entry->high);
}

static void read_report(dv_run_entry *entry)
{
    char path[PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/report.json", entry->path);
    bool ended = dv_run_has(entry->path, "report.html");
    if (!dv_run_has(entry->path, "report.json"))
        entry->reason =
            ended ? "it had no clips to test or to validate with" : "it is not finished";
    else if (dv_json_read(path, &entry->report) != DV_OK)
        entry->reason = "its report.json cannot be read";
    else
        take_report(entry);
}

/* ---- Finding ---- */

/* Adds the run in the folder at `path`, which begins with the folder that is searched. */
static dv_status add_run(dv_run_list *list, const char *path)
{
    DV_TRY(dv_grow(list->count, sizeof *list->entries, &list->capacity, &list->entries));
    dv_run_entry *entry = &list->entries[list->count];
    *entry = (dv_run_entry){.low = NAN, .high = NAN};
    DV_TRY(dv_strdup(path, &entry->path));
    list->count++;
    entry->name = entry->path + strlen(list->folder);
    entry->name += strspn(entry->name, "/");
    read_report(entry);
    return DV_OK;
}

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static dv_status search(dv_run_list *list, const char *path, int depth);

/* Searches the folders in a folder. One that cannot be read has no runs for this user. */
static dv_status search_below(dv_run_list *list, const char *path, int depth)
{
    char below[PATH_SIZE];
    DIR *directory = opendir(path);
    dv_status status = DV_OK;
    if (directory == NULL)
        return DV_OK;
    for (struct dirent *entry; status == DV_OK && (entry = readdir(directory)) != NULL;) {
        int length = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && length < PATH_SIZE && is_folder(below))
            status = search(list, below, depth - 1);
    }
    closedir(directory);
    return status;
}

/* The folders in that of a run belong to it. */
static dv_status search(dv_run_list *list, const char *path, int depth)
{
    if (dv_run_has_begun(path) || dv_run_has(path, "report.json"))
        return add_run(list, path);
    return depth > 0 ? search_below(list, path, depth) : DV_OK;
}

/* ---- Order ---- */

static int by_text(const char *one, const char *other)
{
    return strcmp(one != NULL ? one : "", other != NULL ? other : "");
}

/* Shown ones before the others; then by clips; then by falling accuracy and growing loss. */
static int by_clips(const void *a, const void *b)
{
    const dv_run_entry *one = a;
    const dv_run_entry *other = b;
    bool shown = one->reason == NULL, other_shown = other->reason == NULL;
    if (shown != other_shown)
        return shown ? -1 : 1;
    int order = shown ? by_text(one->mark, other->mark) : 0;
    if (order != 0 || !shown)
        return order != 0 ? order : strcmp(one->path, other->path);
    if (one->correct != other->correct)
        return one->correct > other->correct ? -1 : 1;
    if (one->loss != other->loss)
        return one->loss < other->loss ? -1 : 1;
    return strcmp(one->path, other->path);
}

double dv_run_accuracy(const dv_run_entry *entry)
{
    return (double)entry->correct / (double)entry->count;
}

size_t dv_runs_shown(const dv_run_list *list)
{
    size_t shown = 0;
    while (shown < list->count && list->entries[shown].reason == NULL)
        shown++;
    return shown;
}

size_t dv_runs_group_end(const dv_run_list *list, size_t first)
{
    size_t end = first, shown = dv_runs_shown(list);
    while (end < shown && strcmp(list->entries[end].mark, list->entries[first].mark) == 0)
        end++;
    return end;
}

/* Moves the largest of the groups from `first` on to `first`, and so on with the others. */
static dv_status order_groups(dv_run_list *list)
{
    dv_run_entry *ordered;
    size_t shown = dv_runs_shown(list), done = 0;
    DV_TRY(dv_calloc(list->count, sizeof *ordered, &ordered));
    for (size_t size = shown; size > 0; size--) {
        for (size_t first = 0, end; first < shown; first = end) {
            end = dv_runs_group_end(list, first);
            if (end - first != size)
                continue;
            memcpy(ordered + done, list->entries + first, size * sizeof *ordered);
            done += size;
        }
    }
    memcpy(list->entries, ordered, shown * sizeof *ordered);
    free(ordered);
    return DV_OK;
}

dv_status dv_runs_read(const char *folder, dv_run_list *out)
{
    *out = (dv_run_list){.count = 0};
    if (strlen(folder) >= PATH_SIZE - 64)
        return DV_FAIL(DV_EARG, "the path '%.60s...' is too long", folder);
    if (!is_folder(folder))
        return DV_FAIL(DV_EIO, "there is no folder '%s'", folder);
    DV_TRY(dv_strdup(folder, &out->folder));
    for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/'; end--)
        out->folder[end - 1] = '\0';
    DV_TRY(search(out, out->folder, DEPTH));
    if (out->count == 0)
        return DV_FAIL(DV_EFORMAT, "there is no run in '%s'", folder);
    qsort(out->entries, out->count, sizeof *out->entries, by_clips);
    return order_groups(out);
}

void dv_runs_free(dv_run_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].path);
        json_decref(list->entries[i].report);
    }
    free(list->entries);
    free(list->folder);
    *list = (dv_run_list){.count = 0};
}

/* ---- JSON ---- */

/* NaN and numbers that are not known become null. */
static json_t *figure_json(double figure)
{
    return isfinite(figure) ? json_real(figure) : json_null();
}

static json_t *whole_json(int64_t number)
{
    return number >= 0 ? json_integer((json_int_t)number) : json_null();
}

static json_t *entry_json(const dv_run_entry *entry)
{
    return json_pack("{s:o, s:s, s:s, s:f, s:I, s:[f, f], s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s}",
                     "run", dv_text_json(entry->path), "model", entry->model, "data", entry->data,
                     "accuracy", dv_run_accuracy(entry), "correct", (json_int_t)entry->correct,
                     "interval_95", entry->low, entry->high, "macro_f1", figure_json(entry->f1),
                     "ece", figure_json(entry->ece), "loss", figure_json(entry->loss), "epochs",
                     whole_json(entry->epochs), "best_epoch", whole_json(entry->best_epoch),
                     "seconds", figure_json(entry->seconds), "device", entry->device, "date",
                     entry->date);
}

static json_t *group_json(const dv_run_list *list, size_t first, size_t end)
{
    const dv_run_entry *best = &list->entries[first];
    json_t *runs = json_array();
    for (size_t i = first; i < end; i++)
        json_array_append_new(runs, entry_json(&list->entries[i]));
    return json_pack("{s:s, s:s, s:s, s:I, s:o}", "test_set", best->mark, "split", best->split,
                     "part", best->part, "count", (json_int_t)best->count, "runs", runs);
}

json_t *dv_runs_json(const dv_run_list *list)
{
    size_t shown = dv_runs_shown(list);
    json_t *groups = json_array(), *others = json_array();
    for (size_t first = 0, end; first < shown; first = end) {
        end = dv_runs_group_end(list, first);
        json_array_append_new(groups, group_json(list, first, end));
    }
    for (size_t i = shown; i < list->count; i++)
        json_array_append_new(others,
                              json_pack("{s:o, s:s}", "run", dv_text_json(list->entries[i].path),
                                        "reason", list->entries[i].reason));
    return json_pack("{s:s, s:o, s:o, s:o}", DV_JSON_GENERATOR, DV_JSON_DECAVOX, "folder",
                     dv_text_json(list->folder), "groups", groups, "others", others);
}
