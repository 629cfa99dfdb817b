/* Fits the shares of an ensemble's members, and warns of clips that they were trained on. */
#include "runner/evaluate/ensemble_fit.h"
#include "engine/train/shares.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct fitting {
    dv_ensemble_member *members; /* (count) */
    int count, threads;
    const dv_evaluated *asked;
    const dv_log *log;
    dv_report reports[DV_MAX_INPUTS]; /* (count) reports of the members on the part */
    dv_experiment trained;            /* experiment of the first member */
    dv_data_config data;              /* borrows from `trained` */
    dv_dataset dataset;
    dv_shares_answers answers;
} fitting;

/* ---- Clips that a member was trained on ---- */

static int by_place(const void *a, const void *b)
{
    const dv_clip *x = *(const dv_clip *const *)a;
    const dv_clip *y = *(const dv_clip *const *)b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->start > y->start) - (x->start < y->start);
}

/* Lists the clips of one part, sorted by path and, within one file, by their start. The caller owns
 *list (*count). */
static dv_status list_part(const dv_dataset *dataset, dv_part part, const dv_clip ***list,
                           size_t *count)
{
    *count = 0;
    DV_TRY(dv_calloc(dataset->count, sizeof **list, list));
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part == part)
            (*list)[(*count)++] = &dataset->clips[i];
    }
    qsort(*list, *count, sizeof **list, by_place);
    return DV_OK;
}

/* Counts the clips of a part that were training clips of the member. `of_member` is the data set
   with the member's own split. */
static dv_status count_learnt(const fitting *m, dv_part part, const dv_dataset *of_member,
                              size_t *learnt)
{
    dv_status status;
    const dv_clip **mine = NULL, **trained = NULL;
    size_t count, trained_count;
    *learnt = 0;
    DV_TRY_GOTO(list_part(&m->dataset, part, &mine, &count));
    DV_TRY_GOTO(list_part(of_member, DV_PART_TRAIN, &trained, &trained_count));
    for (size_t i = 0; i < count; i++)
        *learnt += bsearch(&mine[i], trained, trained_count, sizeof *trained, by_place) != NULL;
fail:
    free(mine);
    free(trained);
    return status;
}

/* Warns of training clips of a member among those that decide the shares, and among those of the
   test part, which will test the ensemble. */
static dv_status tell_learnt(const fitting *m, const dv_ensemble_member *member,
                             const dv_data_config *data, const dv_dataset *of_member)
{
    const dv_part parts[] = {m->asked->part, DV_PART_TEST};
    for (int i = 0; i < (m->asked->part == DV_PART_TEST ? 1 : 2); i++) {
        size_t learnt;
        DV_TRY(count_learnt(m, parts[i], of_member, &learnt));
        if (learnt > 0)
            dv_log_write(m->log, DV_LOG_WARNING,
                         "%s was trained on %zu of the clips that %s, since its split was another "
                         "one (%s, data.seed %" PRId64 ")",
                         member->path, learnt, i == 0 ? "decide the shares" : "test the ensemble",
                         data->split, data->seed);
    }
    return DV_OK;
}

/* Warns of clips that the member was trained on. Without a match between the data and the member's
   settings, nothing is known about them. */
static dv_status warn_of_learnt(const fitting *m, const dv_ensemble_member *member)
{
    const dv_tree *config = dv_model_checkpoint(member->model)->config;
    const dv_evaluated these = {m->data.path, "", "", m->asked->part};
    dv_experiment trained;
    dv_dataset dataset;
    dv_evaluated_warn(&these, member->path, config, m->log);
    if (!dv_evaluated_is_own(&these, config))
        return DV_OK;
    DV_TRY(dv_experiment_restore(config, &trained));
    dv_data_config data = trained.data;
    data.more = NULL;
    strcpy(data.path, m->data.path);
    strcpy(data.exclude, m->data.exclude);
    dv_status status = DV_OK;
    if (dv_dataset_open_parts(&data, &dataset) == DV_OK) {
        status = tell_learnt(m, member, &data, &dataset);
        dv_dataset_free(&dataset);
    }
    dv_experiment_free(&trained);
    return status;
}

/* ---- The data ---- */

static dv_status load_data(fitting *m)
{
    DV_TRY(dv_experiment_restore(dv_model_checkpoint(m->members[0].model)->config, &m->trained));
    DV_TRY(dv_evaluated_config(m->asked, &m->trained.data, &m->data));
    DV_TRY(dv_dataset_open_parts(&m->data, &m->dataset));
    if (!dv_dataset_has(&m->dataset, m->asked->part))
        return DV_FAIL(DV_EARG,
                       "the %s part of %s, split %s, has no clip: --split or --part says which "
                       "clips decide the shares",
                       dv_report_parts[m->asked->part], m->data.path, m->data.split);
    for (int i = 0; m->asked->part != DV_PART_TRAIN && i < m->count; i++)
        DV_TRY(warn_of_learnt(m, &m->members[i]));
    return dv_dataset_load(&m->dataset, dv_model_frontend(m->members[0].model), m->data.max_seconds,
                           m->log);
}

/* ---- The shares ---- */

static dv_status fit_shares(fitting *m)
{
    double share[DV_MAX_INPUTS];
    for (int i = 0; i < m->count; i++) {
        DV_TRY(dv_report_make(m->members[i].model, m->threads, &m->dataset, m->asked->part,
                              &m->reports[i]));
        m->answers.logits[i] = m->reports[i].logits;
    }
    m->answers.truth = m->reports[0].truth;
    m->answers.members = m->count;
    m->answers.count = m->reports[0].count;
    m->answers.classes = dv_model_classes(m->members[0].model);
    DV_TRY(dv_shares_fit(&m->answers, share));
    for (int i = 0; i < m->count; i++)
        m->members[i].share = share[i];
    return DV_OK;
}

static dv_status measure(const fitting *m, const double share[DV_MAX_INPUTS],
                         dv_ensemble_figures *out)
{
    int64_t correct;
    DV_TRY(dv_shares_measure(&m->answers, share, &out->loss, &correct));
    out->accuracy = (double)correct / (double)m->answers.count;
    return DV_OK;
}

static dv_status tell(const fitting *m, dv_ensemble_fit *out)
{
    double equal[DV_MAX_INPUTS], fitted[DV_MAX_INPUTS];
    for (int i = 0; i < m->count; i++) {
        const dv_report *report = &m->reports[i];
        double correct = (double)dv_confusion_correct(&report->confusion);
        out->members[i] = (dv_ensemble_figures){correct / (double)report->count, report->loss};
        equal[i] = 1.0 / m->count;
        fitted[i] = m->members[i].share;
    }
    out->clips = m->answers.count;
    out->missing = m->reports[0].missing;
    strcpy(out->data, m->data.path);
    strcpy(out->split, m->data.split);
    DV_TRY(measure(m, equal, &out->equal));
    return measure(m, fitted, &out->fitted);
}

dv_status dv_ensemble_fit_shares(dv_ensemble_member *members, int count, const dv_evaluated *asked,
                                 int threads, const dv_log *log, dv_ensemble_fit *out)
{
    fitting m = {
        .members = members, .count = count, .threads = threads, .asked = asked, .log = log};
    dv_status status = load_data(&m);
    if (status == DV_OK)
        status = fit_shares(&m);
    if (status == DV_OK)
        status = tell(&m, out);
    for (int i = 0; i < count; i++)
        dv_report_free(&m.reports[i]);
    dv_dataset_free(&m.dataset);
    dv_experiment_free(&m.trained);
    return status;
}
