/* decavox crossval: trains every fold with every seed, and writes the summary. */
#include "engine/base/json.h"
#include "frontends/model/session.h"
#include "runner/cli/bar.h"
#include "runner/cli/command.h"
#include "runner/cli/commit.h"
#include "runner/cli/printing.h"
#include "runner/cli/stop.h"
#include "runner/crossval/crossval.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct crossval_options {
    char folds[DV_STRING_SIZE], seeds[DV_STRING_SIZE];
    int64_t jobs, threads;
    char device[DV_STRING_SIZE], out[DV_STRING_SIZE];
    int format;
    bool strict, print_config, force;
} crossval_options;

static const dv_field fields[] = {
    DV_STRING(crossval_options, folds, DV_REQUIRED,
              "speaker: leave one speaker out per fold; or a number K of folds, each of which is "
              "tested once"),
    DV_STRING(crossval_options, seeds, "1",
              "random seeds, for example 1,2,3; every fold is trained once with each"),
    DV_INT(crossval_options, jobs, "1", 1, 64, "number of runs at a time"),
    DV_INT(crossval_options, threads, "0", 0, 1024,
           "number of threads of each run; 0 divides the physical cores among the jobs"),
    DV_BOOL(crossval_options, strict, "false", "refuse data that the checks warn of"),
    DV_BOOL(crossval_options, print_config, "false",
            "print the resolved configuration, every key of it, and stop"),
    DV_STRING(crossval_options, device, "auto",
              "device: auto (CUDA if a device is found), cpu, cuda, cuda:N or ref"),
    DV_PATH(crossval_options, out, "", "folder of all runs; default runs/crossval-MODEL-FOLDS"),
    DV_ENUM(crossval_options, format, "text", dv_format_names,
            "form of the output; with json the runs' lines go to stderr"),
    DV_OUTPUT_FORCE(crossval_options),
    DV_END,
};

static const char *const examples[] = {
    "decavox crossval configs/mini.yaml --data recordings --folds speaker --seeds 1,2,3",
    "decavox crossval configs/mini.yaml --data recordings --folds 5 --jobs 2",
    NULL,
};

static const char *const refused[] = {"split", "seed", NULL};

static const dv_options options = {
    .command = "crossval",
    .brief = "trains and tests every fold of a data set",
    .operands = "CONFIG",
    .summary =
        "Trains once for every fold of the data and every seed, and tests each model with the fold "
        "that it has not seen. Prints the mean, the deviation over seeds and over folds, the worst "
        "fold, the Wilson interval and the confusion matrix, and writes them to crossval.json. The "
        "interval uses the clips of one seed; more seeds do not narrow it.\n\n"
        "The same command continues an interrupted cross-validation, and adds seeds. "
        "last.safetensors of a finished run is deleted.\n\n"
        "--folds and --seeds give split and seed. {fold} and {seed} in --init_from stand for those "
        "of the run: RUNS/{fold}-seed-{seed}/model.safetensors is the model that another "
        "cross-validation has left for it.",
    .examples = examples,
    .least = 1,
    .most = 1,
    .fields = fields,
    .settings = dv_train_settings,
    .field_of = dv_experiment_field,
    .refused = refused,
};

/* Refuses settings of keys that this command sets itself. */
static dv_status check_overrides(const dv_tree *overrides)
{
    if (dv_tree_get(dv_tree_get(overrides, "data"), "split") != NULL)
        return DV_FAIL(DV_EARG,
                       "data.split cannot be set here: --folds says how the data are split");
    if (dv_tree_get(dv_tree_get(overrides, "train"), "seed") != NULL)
        return DV_FAIL(DV_EARG, "train.seed cannot be set here: --seeds lists the seeds");
    return DV_OK;
}

/* Gives the parameters of the first model found, 0 without one. */
static int64_t count_parameters(const dv_crossval *all)
{
    int64_t parameters = 0;
    for (size_t i = 0; i < all->run_count && parameters == 0; i++) {
        char *path;
        dv_model *model;
        if (dv_crossval_path(&all->runs[i], "model.safetensors", &path) != DV_OK)
            return 0;
        if (dv_model_open(path, NULL, &model) == DV_OK) {
            parameters = dv_model_parameters(model);
            dv_model_close(model);
        }
        free(path);
    }
    return parameters;
}

static dv_status write_summary(dv_crossval *all, int format, bool *complete)
{
    dv_crossval_summary summary;
    DV_TRY(dv_crossval_summarize(all, &summary));
    dv_status status = DV_OK;
    *complete = summary.finished == all->run_count;
    if (summary.finished > 0) {
        all->parameters = count_parameters(all);
        json_t *json = dv_crossval_json(all, &summary);
        if (format == DV_FORMAT_TEXT)
            dv_crossval_text(all, &summary, stdout);
        else
            (void)dv_json_print(json, stdout); /* NULL is told of below */
        char path[DV_STRING_SIZE + 32];
        snprintf(path, sizeof path, "%s/crossval.json", all->folder);
        status = dv_json_write(path, json);
    }
    dv_crossval_summary_free(&summary);
    return status;
}

static void print_failures(const dv_crossval *all)
{
    for (size_t i = 0; i < all->run_count; i++) {
        const dv_crossval_run *run = &all->runs[i];
        if (run->error != NULL)
            fprintf(stderr, "decavox crossval: %s seed %" PRId64 " failed: %s\n",
                    all->folds[run->fold], all->seeds[run->seed], run->error);
    }
}

/* Where the lines of the runs go, and on a terminal the progress below them. */
typedef struct run_lines {
    FILE *out;
    dv_bar bar; /* counts runs */
} run_lines;

static void print_end(void *user, const dv_crossval *all, const dv_crossval_end *end)
{
    run_lines *lines = user;
    if (dv_command_verbosity() == DV_QUIET)
        return;
    dv_bar_clear(&lines->bar);
    dv_crossval_end_text(all, end, lines->out);
    fflush(lines->out);
    lines->bar.from += end->seconds < 0; /* an earlier call has finished the run */
    if (end->number < all->run_count)
        dv_bar_show(&lines->bar, (double)end->number, (double)all->run_count, "%zu of %zu runs",
                    end->number, all->run_count);
}

/* Trains the runs that are not finished, with a line for each, and sums up. */
static dv_status cross_validate(const crossval_options *chosen, const dv_experiment *experiment,
                                dv_crossval *all, bool *complete)
{
    DV_TRY(dv_crossval_claim(all, experiment));
    size_t jobs = (size_t)chosen->jobs < all->run_count ? (size_t)chosen->jobs : all->run_count;
    run_lines lines = {.out = chosen->format == DV_FORMAT_TEXT ? stdout : stderr,
                       .bar = dv_bar_begin()};
    dv_crossval_request request = {
        .experiment = experiment,
        .device = chosen->device,
        .threads = (int)chosen->threads,
        .strict = chosen->strict,
        .commit = dv_commit(),
        .jobs = (int)jobs,
        .user = &lines,
        .next = dv_stop_next,
        .ended = print_end,
    };
    dv_stop_catch();
    dv_status status = dv_crossval_train(all, &request);
    dv_bar_clear(&lines.bar);
    if (status != DV_OK)
        return status;
    if (chosen->format == DV_FORMAT_TEXT)
        printf("\n");
    return write_summary(all, chosen->format, complete);
}

/* Plans, trains and sums up. The exit code is good only if every run has finished. */
static int run(const crossval_options *chosen, const dv_arguments *arguments)
{
    dv_experiment experiment = {.tree = NULL};
    dv_crossval all = {.lock = -1};
    bool complete = false;
    dv_status status = check_overrides(arguments->overrides);
    if (status == DV_OK)
        status = dv_experiment_read(arguments->operands[0], arguments->overrides, &experiment);
    if (status == DV_OK && chosen->print_config) {
        status = dv_command_print_config(&experiment);
        dv_experiment_free(&experiment);
        return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("crossval", status);
    }
    if (status == DV_OK)
        status = dv_crossval_plan(chosen->folds, chosen->seeds, chosen->out, &experiment, &all);
    if (status == DV_OK) {
        all.force = chosen->force;
        snprintf(all.configuration, sizeof all.configuration, "%s", arguments->operands[0]);
        status = cross_validate(chosen, &experiment, &all, &complete);
    }
    int code = complete ? DV_EXIT_GOOD : DV_EXIT_FAILED;
    if (status != DV_OK)
        code = dv_command_fail("crossval", status);
    print_failures(&all);
    if (status == DV_EINTERRUPTED)
        code = DV_EXIT_SIGNAL + dv_stop_request;
    dv_crossval_free(&all);
    dv_experiment_free(&experiment);
    return code;
}

static int run_command(int argc, char **argv)
{
    crossval_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    dv_stop_prepare();
    exit_code = run(&chosen, &arguments);
    if (!chosen.print_config) /* main reports a lost configuration */
        dv_printing_flush();
    dv_arguments_free(&arguments);
    return exit_code;
}

const dv_command dv_command_crossval = {&options, run_command};
