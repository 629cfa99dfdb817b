/* The parent of the measuring processes: starts them and reads their results. It stays small,
   because a process begins with as much memory as the one it was forked from. */
#include "engine/base/process.h"
#include "engine/base/temporary.h"
#include "runner/compare/comparison.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

/* ---- Progress ---- */

typedef struct progress {
    const dv_comparison_events *events;
    size_t done, total;
    const char *model;
} progress;

static void tell_step(const progress *at, const char *step)
{
    if (at->events->step != NULL)
        at->events->step(at->events->user, at->model, step, at->done, at->total);
}

/* ---- Results of the children ---- */

typedef struct listener {
    progress *at;
    json_t *result; /* owned; NULL before it arrives */
} listener;

static void listen(void *user, const char *line)
{
    listener *l = user;
    if (strncmp(line, "step ", 5) == 0) {
        tell_step(l->at, line + 5);
        l->at->done++;
    } else if (strncmp(line, "result ", 7) == 0) {
        json_decref(l->result);
        l->result = json_loads(line + 7, 0, NULL);
    }
}

static bool is_stopped(void *user)
{
    const dv_comparison_events *events = ((listener *)user)->at->events;
    return events->stopped != NULL && events->stopped(events->user);
}

/* Runs a child and merges its result into `figures`. */
static dv_status run_child(const char *program, const char *const *argv, progress *at,
                           json_t *figures)
{
    listener l = {.at = at};
    const dv_child child = {.name = "decavox compare",
                            .program = program,
                            .argv = argv,
                            .user = &l,
                            .take = listen,
                            .stopped = is_stopped};
    dv_status status = dv_child_run(&child);
    if (status == DV_OK && (l.result == NULL || json_object_update(figures, l.result) != 0))
        status = DV_FAIL(DV_EFORMAT, "the process that measured has answered nothing");
    json_decref(l.result);
    return status;
}

/* ---- One model ---- */

/* The working folder and the common arguments of the children. */
typedef struct workplace {
    char folder[PATH_SIZE - 64];
    char threads[DV_SHORT_SIZE], seconds[DV_SHORT_SIZE], classes[DV_SHORT_SIZE];
    progress at;
} workplace;

static void path_in(const workplace *place, const char *file, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", place->folder, file);
}

static void empty(const workplace *place)
{
    static const char *const files[] = {"clip.wav", "model.safetensors", "other.safetensors"};
    for (int i = 0; i < 3; i++) {
        char path[PATH_SIZE];
        path_in(place, files[i], path);
        (void)unlink(path);
    }
}

/* Runs the two children; the second one uses the clip and the model that the first one leaves. */
static dv_status measure_parts(const dv_comparison *comparison, workplace *place,
                               const dv_model_figures *model, json_t *figures)
{
    char clip[PATH_SIZE], made[PATH_SIZE];
    const char *device = comparison->options->device;
    path_in(place, "clip.wav", clip);
    path_in(place, "model.safetensors", made);
    const char *const whole[] = {
        "decavox",      "compare",      "--measure_model", model->path,   device,
        place->threads, place->seconds, place->classes,    place->folder, NULL};
    const char *times = comparison->options->seconds >= 0.5 ? "9" : "3";
    const char *const start[] = {"decavox",
                                 "compare",
                                 "--measure_start",
                                 model->is_checkpoint ? model->path : made,
                                 device,
                                 place->threads,
                                 clip,
                                 times,
                                 NULL};
    DV_TRY(run_child(comparison->options->program, whole, &place->at, figures));
    return run_child(comparison->options->program, start, &place->at, figures);
}

static dv_status measure_one(const dv_comparison *comparison, workplace *place,
                             dv_model_figures *model)
{
    struct tm date;
    time_t now = time(NULL);
    json_t *figures = json_object();
    place->at.model = model->name;
    dv_status status = measure_parts(comparison, place, model, figures);
    empty(place);
    if (status == DV_OK)
        status = dv__figures_read(figures, model);
    json_decref(figures);
    if (status != DV_OK)
        return status;
    strftime(model->date, sizeof model->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &date));
    model->done = true;
    if (!model->busy || comparison->options->keep_busy)
        dv__model_figures_keep(comparison, model);
    return DV_OK;
}

/* ---- All models ---- */

static dv_status measure_missing(dv_comparison *comparison, workplace *place)
{
    const dv_comparison_events *events = comparison->events;
    size_t missing = 0;
    for (size_t i = 0; i < comparison->count; i++)
        missing += !comparison->models[i].done;
    place->at.total = missing * DV_CHILD_STEPS;
    size_t measured = 0;
    for (size_t i = 0; i < comparison->count; i++) {
        if (comparison->models[i].done)
            continue;
        place->at.done = measured++ * DV_CHILD_STEPS;
        DV_TRY(measure_one(comparison, place, &comparison->models[i]));
        if (events->measured != NULL)
            events->measured(events->user, comparison, &comparison->models[i], measured, missing);
    }
    return DV_OK;
}

static bool recall_all(dv_comparison *comparison)
{
    bool all = true;
    for (size_t i = 0; i < comparison->count; i++) {
        dv_model_figures *model = &comparison->models[i];
        model->done = !comparison->options->fresh && dv__model_figures_recall(comparison, model);
        model->kept = model->done;
        all = all && model->done;
    }
    return all;
}

dv_status dv_comparison_measure(dv_comparison *comparison)
{
    workplace place = {.at = {.events = comparison->events}};
    if (recall_all(comparison))
        return DV_OK;
    snprintf(place.threads, sizeof place.threads, "%d", comparison->threads);
    snprintf(place.seconds, sizeof place.seconds, "%.6g", comparison->options->seconds);
    snprintf(place.classes, sizeof place.classes, "%" PRId64, comparison->options->classes);
    dv_status status = dv_temporary_folder(place.folder, sizeof place.folder);
    if (status == DV_OK) {
        status = measure_missing(comparison, &place);
        (void)rmdir(place.folder);
    }
    return status;
}
