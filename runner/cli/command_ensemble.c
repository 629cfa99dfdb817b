/* decavox ensemble: writes several models as one checkpoint. Their shares are fitted on data or
   given. */
#include "engine/base/column.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/evaluate/ensemble_fit.h"
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
    DV_PATH(ensemble_options, out, NULL, "file to write"),
    DV_PATH(ensemble_options, data, "",
            "folder or manifest; default: the data of the first model's training"),
    DV_STRING(ensemble_options, split, "", DV_SPLIT_HELP "; default: the first model's split"),
    DV_PATH(ensemble_options, exclude, "",
            "CSV file whose first column names clips to leave out; default: the first model's, "
            "unless there is --data"),
    DV_ENUM(ensemble_options, part, "validation", part_names,
            "part of the split whose clips decide the shares; the test part is then no test of the "
            "ensemble any more"),
    DV_STRING(ensemble_options, shares, "",
              "shares of the members, for example 0.5,0.3,0.2; no data are read then"),
    DV_ENUM(
        ensemble_options, file_precision, "fp32", dv_checkpoint_precision_names,
        "precision of the weights in the file; biases, scales and running statistics stay fp32"),
    DV_ENUM(ensemble_options, format, "text", dv_format_names, "form of the output"),
    DV_OUTPUT_FORCE(ensemble_options),
    DV_DEVICE_TO_ANSWER(ensemble_options),
    DV_PRECISION_TO_ANSWER(ensemble_options),
    DV_ALGORITHMS_TO_ANSWER(ensemble_options),
    DV_THREADS(ensemble_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox ensemble a.safetensors b.safetensors --data recordings --out both.safetensors",
    "decavox ensemble advanced_fine transformer_fine --shares 0.6,0.4 --out both.safetensors",
    NULL,
};

static const dv_options options = {
    .command = "ensemble",
    .brief = "joins trained models into one",
    .operands = "CHECKPOINT CHECKPOINT [...]",
    .summary = "Makes one checkpoint of 2 to 8 trained models with the same labels and features. "
               "The ensemble mixes their logits. Their shares are given by --shares, or are those "
               "with the least loss on the validation part of the data.",
    .examples = examples,
    .least = 2,
    .most = DV_MAX_INPUTS,
    .fields = fields,
};

/* The parts that an ensemble is made of. */
typedef struct making {
    const ensemble_options *chosen;
    const dv_tree *given; /* borrowed: the options that are there */
    int count;
    char paths[DV_MAX_INPUTS][DV_HOME_PATH_SIZE];
    dv_ensemble_member members[DV_MAX_INPUTS]; /* (count) */
    dv_ensemble_fit fit;                       /* unless the shares are given */
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

/* ---- The shares ---- */

/* Fails with DV_EARG if an option asks for clips. */
static dv_status take_given(making *m)
{
    static const char *const of_clips[] = {"data", "split", "exclude", "part"};
    for (size_t i = 0; i < sizeof of_clips / sizeof of_clips[0]; i++) {
        if (dv_tree_get(m->given, of_clips[i]) != NULL)
            return DV_FAIL(
                DV_EARG, "--%s has no effect with --shares: it says which clips decide the shares",
                of_clips[i]);
    }
    return dv_ensemble_read_shares(m->chosen->shares, m->members, m->count);
}

/* ---- What is told ---- */

enum { NAME_WIDTH = 24 };

static void put_row(const char *name, const char *share, const dv_ensemble_figures *figures)
{
    printf("%s %8s %9.2f%% %9.4f\n", dv_column(name, NAME_WIDTH, DV_SHOWN_SIZE).text, share,
           100 * figures->accuracy, figures->loss);
}

static void print_text(const making *m)
{
    const dv_ensemble_fit *fit = &m->fit;
    char share[32];
    printf("%" PRId64 " clip%s of the %s part of %s", fit->clips, dv_plural((size_t)fit->clips),
           part_names[m->chosen->part], dv_show(fit->data).text);
    if (fit->missing > 0)
        printf("; %zu more cannot be read", fit->missing);
    putchar('\n');
    printf("%-*s %8s %10s %9s\n", NAME_WIDTH, "member", "share", "accuracy", "loss");
    for (int i = 0; i < m->count; i++) {
        snprintf(share, sizeof share, "%.4f", m->members[i].share);
        put_row(m->members[i].name, share, &fit->members[i]);
    }
    put_row("equal shares", "", &fit->equal);
    put_row("ensemble", "", &fit->fitted);
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
    json_object_set_new(json, "accuracy", json_real(m->fit.members[i].accuracy));
    json_object_set_new(json, "loss", json_real(m->fit.members[i].loss));
    return json;
}

static json_t *figures_json(const dv_ensemble_figures *figures)
{
    return json_pack("{s:f, s:f}", "accuracy", figures->accuracy, "loss", figures->loss);
}

static dv_status print_json(const making *m)
{
    const dv_ensemble_fit *fit = &m->fit;
    json_t *members = json_array();
    for (int i = 0; i < m->count; i++)
        json_array_append_new(members, member_json(m, i));
    json_t *json = json_pack("{s:o, s:o, s:o, s:s, s:I, s:I, s:o, s:o, s:o}", "model",
                             dv_text_json(m->chosen->out), "data", dv_text_json(fit->data), "split",
                             dv_text_json(fit->split), "part", part_names[m->chosen->part], "clips",
                             (json_int_t)fit->clips, "missing", (json_int_t)fit->missing, "members",
                             members, "equal_shares", figures_json(&fit->equal), "ensemble",
                             figures_json(&fit->fitted));
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

/* Makes the ensemble of given shares. Its accuracy is not measured. */
static dv_status tell_given(const making *m)
{
    if (m->chosen->format == DV_FORMAT_JSON)
        return print_given_json(m);
    printf("%-*s %8s\n", NAME_WIDTH, "member", "share");
    for (int i = 0; i < m->count; i++)
        printf("%s %8.4f\n", dv_column(m->members[i].name, NAME_WIDTH, DV_SHOWN_SIZE).text,
               m->members[i].share);
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
    const ensemble_options *chosen = m->chosen;
    const dv_evaluated asked = {chosen->data, chosen->split, chosen->exclude,
                                (dv_part)chosen->part};
    dv_log log = dv_command_log();
    DV_TRY(check_output(m));
    DV_TRY(load_members(m));
    DV_TRY(
        dv_ensemble_fit_shares(m->members, m->count, &asked, (int)chosen->threads, &log, &m->fit));
    DV_TRY(write_model(m));
    if (chosen->format == DV_FORMAT_JSON)
        return print_json(m);
    print_text(m);
    return DV_OK;
}

static void clean_up(making *m)
{
    for (int i = 0; i < m->count; i++)
        dv_model_close(m->members[i].model);
}

static int run(int argc, char **argv)
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

const dv_command dv_command_ensemble = {&options, run};
