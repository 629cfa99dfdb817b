/* Evaluates a model: finds the data, reads them, makes the report, and returns its figures. */
#include "runner/evaluate/evaluation.h"
#include "engine/base/locale.h"
#include "engine/device/threads.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* ---- Making ---- */

static dv_status read_data(dv_evaluation *evaluation, const dv_evaluated *asked, const dv_log *log)
{
    const dv_tree *config = dv_model_checkpoint(evaluation->model)->config;
    DV_TRY(dv_experiment_restore(config, &evaluation->trained));
    DV_TRY(dv_evaluated_config(asked, &evaluation->trained.data, &evaluation->data));
    dv_evaluated_warn(asked, "the model", config, log);
    DV_TRY(dv_dataset_open_parts(&evaluation->data, &evaluation->dataset));
    return dv_dataset_load(&evaluation->dataset, dv_model_frontend(evaluation->model),
                           evaluation->data.max_seconds, log);
}

dv_status dv_evaluation_open(dv_model *model, const dv_evaluated *asked, const dv_log *log,
                             dv_evaluation **out)
{
    DV_TRY(dv_calloc(1, sizeof **out, out));
    (*out)->model = model;
    (*out)->part = asked->part;
    dv_status status = read_data(*out, asked, log);
    if (status != DV_OK) {
        dv_evaluation_free(*out);
        *out = NULL;
    }
    return status;
}

dv_status dv_evaluation_run(dv_evaluation *evaluation, int threads)
{
    DV_TRY(dv_report_make(evaluation->model, threads, &evaluation->dataset, evaluation->part,
                          &evaluation->report));
    evaluation->report.split = evaluation->data.split;
    return DV_OK;
}

static dv_status find_part(const char *name, dv_part *part)
{
    for (int i = 0; dv_report_parts[i] != NULL; i++) {
        if (strcmp(dv_report_parts[i], name) == 0) {
            *part = (dv_part)i;
            return DV_OK;
        }
    }
    return DV_FAIL(DV_EARG, "there is no part '%.40s': it must be train, validation, test or all",
                   name);
}

static dv_status print_json(dv_evaluation *evaluation)
{
    json_t *json = dv_report_json(&evaluation->report, false);
    evaluation->json = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    return evaluation->json != NULL ? DV_OK : DV_FAIL(DV_ENOMEM, "out of memory: the report");
}

/* Opens the evaluation, answers the clips, and makes the JSON text. *out is NULL on failure. */
static dv_status evaluate(dv_model *model, const dv_evaluated *asked, int threads,
                          dv_evaluation **out)
{
    int before = omp_get_max_threads(); /* reading sounds uses OpenMP's number of threads */
    omp_set_num_threads(threads > 0 ? threads : dv_physical_cores());
    dv_status status = dv_evaluation_open(model, asked, &dv_model_context(model)->log, out);
    omp_set_num_threads(before);
    DV_TRY(status);
    status = dv_evaluation_run(*out, threads);
    if (status == DV_OK)
        status = print_json(*out);
    if (status != DV_OK) {
        dv_evaluation_free(*out);
        *out = NULL;
    }
    return status;
}

/* Checks the options and runs the evaluation in the "C" locale. */
dv_status dv_evaluate(dv_model *model, const dv_evaluation_options *options, dv_evaluation **out)
{
    dv_evaluation_options given;
    dv_evaluated asked = {.part = DV_PART_TEST};
    *out = NULL;
    DV_TRY(dv__options_take(options, sizeof given, "dv_evaluation_options", &given));
    if (given.part != NULL)
        DV_TRY(find_part(given.part, &asked.part));
    const struct {
        const char *name, *text, **out;
    } texts[] = {{"data", given.data, &asked.data},
                 {"split", given.split, &asked.split},
                 {"exclude", given.exclude, &asked.exclude}};
    for (int i = 0; i < 3; i++) {
        *texts[i].out = texts[i].text != NULL ? texts[i].text : "";
        if (strlen(*texts[i].out) >= DV_STRING_SIZE)
            return DV_FAIL(DV_EARG, "%s '%.60s...' is too long", texts[i].name, texts[i].text);
    }
    if (given.threads < 0 || given.threads > DV_MOST_THREADS)
        return DV_FAIL(DV_EARG, "dv_evaluation_options: threads is %d, must be 0 to %d",
                       given.threads, DV_MOST_THREADS);
    locale_t before = dv_locale_enter();
    dv_status status = evaluate(model, &asked, given.threads, out);
    dv_locale_leave(before);
    return status;
}

void dv_evaluation_free(dv_evaluation *evaluation)
{
    if (evaluation == NULL)
        return;
    dv_report_free(&evaluation->report);
    dv_dataset_free(&evaluation->dataset);
    dv_experiment_free(&evaluation->trained);
    free(evaluation->json);
    free(evaluation);
}

/* ---- Figures ---- */

int64_t dv_evaluation_count(const dv_evaluation *evaluation)
{
    return evaluation->report.count;
}

int64_t dv_evaluation_correct(const dv_evaluation *evaluation)
{
    return dv_confusion_correct(&evaluation->report.confusion);
}

double dv_evaluation_loss(const dv_evaluation *evaluation)
{
    return evaluation->report.loss;
}

int64_t dv_evaluation_confusion(const dv_evaluation *evaluation, size_t truth, size_t answer)
{
    const dv_confusion *confusion = &evaluation->report.confusion;
    size_t classes = (size_t)confusion->classes;
    return truth < classes && answer < classes ? confusion->counts[truth * classes + answer] : 0;
}

const char *dv_evaluation_json(const dv_evaluation *evaluation)
{
    return evaluation->json;
}
