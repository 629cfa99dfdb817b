/* Finds runs in folders, reads their reports, and brings them into order. */
#include "runner/runs/runs.h"
#include "engine/base/json.h"
#include "engine/train/metrics.h"
#include "runner/evaluate/report.h"
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

/* Whether a report says which clips it is of: a part, and a mark as dv_report_make makes it. */
static bool names_its_clips(const dv_run_entry *entry)
{
    enum { MARK_DIGITS = 16 };
    bool known = false;
    for (size_t i = 0; dv_report_parts[i] != NULL && !known; i++)
        known = strcmp(dv_report_parts[i], entry->part) == 0;
    return known && strlen(entry->mark) == MARK_DIGITS &&
           strspn(entry->mark, "0123456789abcdef") == MARK_DIGITS;
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
    else if (!names_its_clips(entry))
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

/* A link to a folder is no folder here, so that a circle of links lists no run twice. */
static bool is_folder(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static dv_status search(dv_run_list *list, const char *path, int depth);

/* Searches the folders in a folder. One below the top that cannot be opened has no runs for this
   user. */
static dv_status search_below(dv_run_list *list, const char *path, int depth)
{
    char below[PATH_SIZE];
    DIR *directory = opendir(path);
    dv_status status = DV_OK;
    if (directory == NULL && depth == DEPTH)
        return DV_FAIL(DV_EIO, "cannot read the folder '%s': %s", path, strerror(errno));
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
    bool holds_runs = dv_run_has(path, "crossval.json");
    if (!holds_runs && (dv_run_has_begun(path) || dv_run_has(path, "report.json")))
        return add_run(list, path);
    return depth > 0 ? search_below(list, path, depth) : DV_OK;
}

/* ---- Order ---- */

double dv_run_accuracy(const dv_run_entry *entry)
{
    return (double)entry->correct / (double)entry->count;
}

/* Entries that can be shown before the others, then by clips. */
static int by_mark(const void *a, const void *b)
{
    const dv_run_entry *one = a;
    const dv_run_entry *other = b;
    bool shown = one->reason == NULL, other_shown = other->reason == NULL;
    if (shown != other_shown)
        return shown ? -1 : 1;
    return shown ? strcmp(one->mark, other->mark) : 0;
}

/* An unknown loss is the worst one. */
static double comparable_loss(const dv_run_entry *entry)
{
    return isnan(entry->loss) ? INFINITY : entry->loss;
}

/* Larger groups before smaller ones, which leaves entries that cannot be shown at the end. In a
   group by falling accuracy and then by growing loss. No two entries are equal. */
static int by_rank(const void *a, const void *b)
{
    const dv_run_entry *one = a;
    const dv_run_entry *other = b;
    if (one->group != other->group)
        return one->group > other->group ? -1 : 1;
    int order = by_mark(one, other);
    if (order != 0 || one->reason != NULL)
        return order != 0 ? order : strcmp(one->path, other->path);
    double accuracy = dv_run_accuracy(one), other_accuracy = dv_run_accuracy(other);
    if (accuracy != other_accuracy)
        return accuracy > other_accuracy ? -1 : 1;
    double loss = comparable_loss(one), other_loss = comparable_loss(other);
    if (loss != other_loss)
        return loss < other_loss ? -1 : 1;
    return strcmp(one->path, other->path);
}

/* Brings the entries into order, and counts those that can be shown and those of each group. */
static void put_in_order(dv_run_list *list)
{
    dv_run_entry *entries = list->entries;
    qsort(entries, list->count, sizeof *entries, by_mark);
    list->shown = 0;
    while (list->shown < list->count && entries[list->shown].reason == NULL)
        list->shown++;
    for (size_t first = 0, end; first < list->shown; first = end) {
        for (end = first + 1; end < list->shown; end++) {
            if (by_mark(&entries[first], &entries[end]) != 0)
                break;
        }
        for (size_t i = first; i < end; i++)
            entries[i].group = end - first;
    }
    qsort(entries, list->count, sizeof *entries, by_rank);
}

size_t dv_runs_group_end(const dv_run_list *list, size_t first)
{
    return first + list->entries[first].group;
}

dv_status dv_runs_read(const char *folder, dv_run_list *out)
{
    struct stat facts;
    *out = (dv_run_list){.count = 0};
    if (strlen(folder) >= PATH_SIZE - 64)
        return DV_FAIL(DV_EARG, "the path '%.60s...' is too long", folder);
    if (stat(folder, &facts) != 0 || !S_ISDIR(facts.st_mode))
        return DV_FAIL(DV_EIO, "there is no folder '%s'", folder);
    DV_TRY(dv_strdup(folder, &out->folder));
    for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/'; end--)
        out->folder[end - 1] = '\0';
    DV_TRY(search(out, out->folder, DEPTH));
    if (out->count == 0)
        return DV_FAIL(DV_EFORMAT, "there is no run in '%s'", folder);
    put_in_order(out);
    return DV_OK;
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
    size_t shown = list->shown;
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
