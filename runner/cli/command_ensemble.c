/* decavox ensemble: fits the shares of several models on data, or takes those that are given, and
   writes them as one checkpoint. */
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/train/shares.h"
#include "runner/cli/command.h"
#include "runner/evaluate/ensemble.h"
#include "runner/evaluate/evaluated.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/home.h"
#include "runner/experiment/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct ensemble_options {
    char out[DV_STRING_SIZE];
    char data[DV_STRING_SIZE], split[DV_STRING_SIZE], exclude[DV_STRING_SIZE];
    char shares[DV_STRING_SIZE], device[DV_STRING_SIZE];
    int part, file_precision, format, precision, algorithms;
    int64_t threads;
    bool force;
} ensemble_options;

static const char *const part_names[] = {
    [DV_PART_TRAIN] = "train", [DV_PART_VALIDATION] = "validation", [DV_PART_TEST] = "test", NULL};

static const dv_field fields[] = {
    DV_STRING(ensemble_options, out, NULL, "file to write"),
    DV_STRING(ensemble_options, data, "",
              "folder or manifest; default: the one that the first model was trained on"),
    DV_STRING(ensemble_options, split, "",
              "official, random, speaker, train, fold:I/K or leave_one_out:NAME; default: as the "
              "first model was trained"),
    DV_STRING(ensemble_options, exclude, "",
              "CSV file whose first column names clips to leave out; default: as the first model "
              "was trained, unless there is --data"),
    DV_ENUM(ensemble_options, part, "validation", part_names,
            "part of the split whose clips decide the shares; those of a test are then no test of "
            "the ensemble any more"),
    DV_STRING(ensemble_options, shares, "",
              "shares of the members, 0.5,0.3,0.2, in place of those that clips decide; no data "
              "are read"),
    DV_ENUM(ensemble_options, file_precision, "fp32", dv_file_precision_names,
            "of the weights in the file; biases, scales and running statistics stay fp32"),
    DV_ENUM(ensemble_options, format, "text", dv_format_names, "output"),
    DV_OUTPUT_FORCE(ensemble_options),
    DV_DEVICE_TO_ANSWER(ensemble_options),
    DV_PRECISION_TO_ANSWER(ensemble_options),
    DV_ALGORITHMS_TO_ANSWER(ensemble_options),
    DV_INT(ensemble_options, threads, "0", 0, 1024, "0: as many as there are physical cores"),
    DV_END,
};

static const dv_options options = {
    .command = "ensemble",
    .operands = "CHECKPOINT CHECKPOINT [...]",
    .summary = "Makes one checkpoint of 2 to 8 trained models with the same labels and features. "
               "It mixes their logits;\nthe shares are those with the least loss on the validation "
               "part of the data, or those that are given.",
    .least = 2,
    .most = DV_MAX_INPUTS,
    .fields = fields,
};

/* Everything one ensemble is made of. */
typedef struct making {
    const ensemble_options *chosen;
    const dv_tree *given; /* borrowed: the options that are there */
    int count;
    char paths[DV_MAX_INPUTS][DV_HOME_PATH_SIZE];
    dv_ensemble_member members[DV_MAX_INPUTS]; /* (count) */
    dv_report reports[DV_MAX_INPUTS];          /* (count) of the part */
    dv_experiment trained;                     /* the first member's */
    dv_data_config data;                       /* with what is borrowed of it */
    dv_dataset dataset;
    dv_shares_answers answers;
} making;

/* ---- The members ---- */

static dv_outputs describe_output(const making *m)
{
    return (dv_outputs){.list = {{"--out", m->chosen->out, DV_OUTPUT_WEIGHTS}},
                        .count = 1,
                        .force = m->chosen->force};
}

static dv_status check_output(const making *m)
{
    const dv_outputs outputs = describe_output(m);
    for (int i = 0; i < m->count; i++)
        DV_TRY(dv_outputs_spare(&outputs, "a member", m->paths[i]));
    DV_TRY(dv_outputs_spare(&outputs, "--data", m->chosen->data));
    DV_TRY(dv_outputs_spare(&outputs, "--exclude", m->chosen->exclude));
    return dv_outputs_check(&outputs);
}

static dv_status load_members(making *m)
{
    const ensemble_options *chosen = m->chosen;
    const dv_outputs outputs = describe_output(m);
    for (int i = 0; i < m->count; i++) {
        m->members[i].path = m->paths[i];
        DV_TRY(dv_command_open_model(m->paths[i], chosen->device, chosen->precision,
                                     chosen->algorithms, &m->members[i].model));
        DV_TRY(dv_outputs_spare_tree(&outputs, dv_model_checkpoint(m->members[i].model)->config));
    }
    return dv_ensemble_name(m->members, m->count);
}

/* ---- Clips that a member has learnt ---- */

static int by_place(const void *a, const void *b)
{
    const dv_clip *x = *(const dv_clip *const *)a;
    const dv_clip *y = *(const dv_clip *const *)b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->start > y->start) - (x->start < y->start);
}

/* The clips of one part, by path and, of stretches of one file, by their start; *list (*count)
   owned by the caller. */
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

/* Clips of a part that are for training in the split that the member was trained with. */
static dv_status count_learnt(const making *m, dv_part part, const dv_dataset *of_member,
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

/* Clips that decide the shares, and clips that will test what comes of them. */
static dv_status tell_learnt(const making *m, const dv_ensemble_member *member,
                             const dv_data_config *data, const dv_dataset *of_member)
{
    const dv_part parts[] = {(dv_part)m->chosen->part, DV_PART_TEST};
    dv_log log = dv_command_log();
    for (int i = 0; i < (m->chosen->part == DV_PART_TEST ? 1 : 2); i++) {
        size_t learnt;
        DV_TRY(count_learnt(m, parts[i], of_member, &learnt));
        if (learnt > 0)
            dv_log_write(
                &log, DV_LOG_WARNING,
                "%s was trained on %zu of the clips that %s: its split was another one (%s, "
                "data.seed %" PRId64 ")",
                member->path, learnt, i == 0 ? "decide the shares" : "test the ensemble",
                data->split, data->seed);
    }
    return DV_OK;
}

/* What can be known of that: a data set that the member's own settings do not fit tells nothing. */
static dv_status warn_of_learnt(const making *m, const dv_ensemble_member *member)
{
    const dv_tree *config = dv_model_checkpoint(member->model)->config;
    const dv_evaluated these = {m->data.path, "", "", (dv_part)m->chosen->part};
    dv_experiment trained;
    dv_dataset dataset;
    dv_log log = dv_command_log();
    dv_evaluated_warn(&these, member->path, config, &log);
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

static bool has_part(const making *m)
{
    for (size_t i = 0; i < m->dataset.count; i++) {
        if (m->dataset.clips[i].part == (dv_part)m->chosen->part)
            return true;
    }
    return false;
}

static dv_status load_data(making *m)
{
    const ensemble_options *chosen = m->chosen;
    const dv_evaluated asked = {chosen->data, chosen->split, chosen->exclude,
                                (dv_part)chosen->part};
    dv_log log = dv_command_log();
    DV_TRY(dv_experiment_restore(dv_model_checkpoint(m->members[0].model)->config, &m->trained));
    DV_TRY(dv_evaluated_config(&asked, &m->trained.data, &m->data));
    DV_TRY(dv_dataset_open_parts(&m->data, &m->dataset));
    if (!has_part(m))
        return DV_FAIL(DV_EARG,
                       "the %s part of %s, split %s, has no clip: --split or --part says which "
                       "clips decide the shares",
                       part_names[chosen->part], m->data.path, m->data.split);
    for (int i = 0; chosen->part != DV_PART_TRAIN && i < m->count; i++)
        DV_TRY(warn_of_learnt(m, &m->members[i]));
    return dv_dataset_load(&m->dataset, dv_model_frontend(m->members[0].model), m->data.max_seconds,
                           &log);
}

/* ---- The shares ---- */

/* DV_EARG for an option that asks for clips. */
static dv_status take_given(making *m)
{
    static const char *const of_clips[] = {"data", "split", "exclude", "part"};
    for (size_t i = 0; i < sizeof of_clips / sizeof of_clips[0]; i++) {
        if (dv_tree_get(m->given, of_clips[i]) != NULL)
            return DV_FAIL(DV_EARG,
                           "--%s: says which clips decide the shares, but there are --shares",
                           of_clips[i]);
    }
    return dv_ensemble_read_shares(m->chosen->shares, m->members, m->count);
}

static dv_status fit(making *m)
{
    double share[DV_MAX_INPUTS];
    for (int i = 0; i < m->count; i++) {
        DV_TRY(dv_report_make(m->members[i].model, (int)m->chosen->threads, &m->dataset,
                              (dv_part)m->chosen->part, &m->reports[i]));
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

/* ---- What is told ---- */

/* Loss and share of right answers of one mixture. */
typedef struct mixture_figures {
    double loss, accuracy;
} mixture_figures;

/* Of equal shares, and of those that were fitted. */
static dv_status measure(const making *m, mixture_figures *equal, mixture_figures *fitted)
{
    double share[DV_MAX_INPUTS];
    mixture_figures *figures[] = {equal, fitted};
    for (int f = 0; f < 2; f++) {
        int64_t correct;
        for (int i = 0; i < m->count; i++)
            share[i] = f == 0 ? 1.0 / m->count : m->members[i].share;
        DV_TRY(dv_shares_measure(&m->answers, share, &figures[f]->loss, &correct));
        figures[f]->accuracy = (double)correct / (double)m->answers.count;
    }
    return DV_OK;
}

static double accuracy_of(const dv_report *report)
{
    return (double)dv_confusion_correct(&report->confusion) / (double)report->count;
}

static void put_row(const char *name, const char *share, double accuracy, double loss)
{
    printf("%-24s %8s %9.2f%% %9.4f\n", name, share, 100 * accuracy, loss);
}

static void print_text(const making *m, const mixture_figures *equal, const mixture_figures *fitted)
{
    char share[32];
    printf("%" PRId64 " clips of the %s part of %s", m->answers.count, part_names[m->chosen->part],
           dv_show(m->data.path).text);
    if (m->reports[0].missing > 0)
        printf("; %zu more cannot be read", m->reports[0].missing);
    putchar('\n');
    printf("%-24s %8s %10s %9s\n", "member", "share", "accuracy", "loss");
    for (int i = 0; i < m->count; i++) {
        snprintf(share, sizeof share, "%.4f", m->members[i].share);
        put_row(dv_show(m->members[i].name).text, share, accuracy_of(&m->reports[i]),
                m->reports[i].loss);
    }
    put_row("equal shares", "", equal->accuracy, equal->loss);
    put_row("ensemble", "", fitted->accuracy, fitted->loss);
    printf("model: %s\n", dv_show(m->chosen->out).text);
}

static json_t *share_json(const making *m, int i)
{
    const dv_ensemble_member *member = &m->members[i];
    return json_pack("{s:o, s:o, s:f}", "name", dv_text_json(member->name), "checkpoint",
                     dv_text_json(member->path), "share", member->share);
}

static json_t *member_json(const making *m, int i)
{
    json_t *json = share_json(m, i);
    json_object_set_new(json, "accuracy", json_real(accuracy_of(&m->reports[i])));
    json_object_set_new(json, "loss", json_real(m->reports[i].loss));
    return json;
}

static dv_status print_json(const making *m, const mixture_figures *equal,
                            const mixture_figures *fitted)
{
    json_t *members = json_array();
    for (int i = 0; i < m->count; i++)
        json_array_append_new(members, member_json(m, i));
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:s, s:I, s:I, s:o, s:{s:f, s:f}, s:{s:f, s:f}}", "model",
                  dv_text_json(m->chosen->out), "data", dv_text_json(m->data.path), "split",
                  dv_text_json(m->data.split), "part", part_names[m->chosen->part], "clips",
                  (json_int_t)m->answers.count, "missing", (json_int_t)m->reports[0].missing,
                  "members", members, "equal_shares", "accuracy", equal->accuracy, "loss",
                  equal->loss, "ensemble", "accuracy", fitted->accuracy, "loss", fitted->loss);
    dv_status status = dv_json_print(json, stdout);
    json_decref(json);
    return status;
}

static dv_status print_given_json(const making *m)
{
    json_t *members = json_array();
    for (int i = 0; i < m->count; i++)
        json_array_append_new(members, share_json(m, i));
    json_t *json =
        json_pack("{s:o, s:o}", "model", dv_text_json(m->chosen->out), "members", members);
    dv_status status = dv_json_print(json, stdout);
    json_decref(json);
    return status;
}

/* Of shares that are given: nothing is known of how good they are. */
static dv_status tell_given(const making *m)
{
    if (m->chosen->format == DV_FORMAT_JSON)
        return print_given_json(m);
    printf("%-24s %8s\n", "member", "share");
    for (int i = 0; i < m->count; i++)
        printf("%-24s %8.4f\n", dv_show(m->members[i].name).text, m->members[i].share);
    printf("model: %s\n", dv_show(m->chosen->out).text);
    return DV_OK;
}

/* ---- All of it ---- */

static dv_status write_model(const making *m)
{
    return dv_ensemble_write(m->members, m->count,
                             (dv_checkpoint_precision)m->chosen->file_precision, m->chosen->out);
}

static dv_status make_given(making *m)
{
    DV_TRY(take_given(m));
    DV_TRY(check_output(m));
    DV_TRY(load_members(m));
    DV_TRY(write_model(m));
    return tell_given(m);
}

static dv_status make_fitted(making *m)
{
    mixture_figures equal, fitted;
    DV_TRY(check_output(m));
    DV_TRY(load_members(m));
    DV_TRY(load_data(m));
    DV_TRY(fit(m));
    DV_TRY(measure(m, &equal, &fitted));
    DV_TRY(write_model(m));
    if (m->chosen->format == DV_FORMAT_JSON)
        return print_json(m, &equal, &fitted);
    print_text(m, &equal, &fitted);
    return DV_OK;
}

static void clean_up(making *m)
{
    for (int i = 0; i < m->count; i++) {
        dv_report_free(&m->reports[i]);
        dv_model_close(m->members[i].model);
    }
    dv_dataset_free(&m->dataset);
    dv_experiment_free(&m->trained);
}

int dv_command_ensemble(int argc, char **argv)
{
    ensemble_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    making m = {.chosen = &chosen, .given = arguments.given, .count = (int)arguments.count};
    for (int i = 0; i < m.count; i++)
        dv_home_checkpoint(arguments.operands[i], m.paths[i], sizeof m.paths[i]);
    bool given = dv_tree_get(arguments.given, "shares") != NULL;
    dv_status status = given ? make_given(&m) : make_fitted(&m);
    dv_arguments_free(&arguments);
    clean_up(&m);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("ensemble", status);
}
