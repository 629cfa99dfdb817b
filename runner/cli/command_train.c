/* decavox train: begins a run, or goes on with one. The settings of all commands that train are
   here too. */
#include "engine/base/folder.h"
#include "engine/base/yaml.h"
#include "runner/cli/command.h"
#include "runner/cli/commit.h"
#include "runner/cli/observer.h"
#include "runner/cli/printing.h"
#include "runner/cli/stop.h"
#include "runner/experiment/home.h"
#include "runner/experiment/output.h"
#include "runner/experiment/run_folder.h"
#include "runner/training/proposal.h"
#include "runner/training/resume.h"
#include "runner/training/training.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct train_options {
    char out[DV_STRING_SIZE], resume[DV_STRING_SIZE], device[DV_STRING_SIZE];
    char dot[DV_STRING_SIZE], step_dot[DV_STRING_SIZE];
    int64_t threads;
    bool automatic, changed_data, strict, force;
} train_options;

static const dv_field fields[] = {
    DV_STRING(train_options, out, "",
              "folder of the run, where there is none yet; default: runs/MODEL-DATE"),
    DV_STRING(train_options, resume, "",
              "folder of a run to go on with instead of CONFIG: where it was interrupted, or with "
              "--epochs beyond its end; --data names data that have moved since"),
    {DV_FIELD_BOOL, "auto", offsetof(train_options, automatic), "false", 0, 0, NULL,
     "take sample rate and duration from the data, and for these the front-end's sizes; what --set "
     "says of them stays"},
    DV_BOOL(train_options, changed_data, "false",
            "with --resume, go on although sounds have changed under the same names"),
    DV_BOOL(train_options, strict, "false",
            "do not train on data in which something is found that is warned of"),
    DV_STRING(train_options, device, "auto", "auto, cpu, cuda, cuda:N or ref"),
    DV_INT(train_options, threads, "0", 0, 1024, "0: as many as there are physical cores"),
    DV_STRING(train_options, dot, "", "write the graph to this file for GraphViz"),
    DV_STRING(train_options, step_dot, "",
              "on a GPU, write the launches of the recorded step to this file for GraphViz"),
    DV_OUTPUT_FORCE(train_options),
    DV_END,
};

const dv_setting dv_train_settings[] = {
    {"data", "data.path", NULL, "folder or manifest"},
    {"layout", "data.layout", NULL, "of a folder: what its folders and file names say"},
    {"split", "data.split", NULL,
     "auto, official, random, speaker, train, fold:I/K or leave_one_out:NAME"},
    {"model_type", "model", NULL, "a model of configs/models: advanced, lightweight, ..."},
    {"features", "features.preset", NULL,
     "a front-end of configs/features: fine, coarse, ced, document"},
    {"feature_type", "features.type", NULL, "mfcc, mel or spectrogram"},
    {"epochs", "train.epochs", NULL, "passes over the training data"},
    {"batch_size", "train.batch_size", NULL, "samples per step"},
    {"learning_rate", "train.learning_rate", NULL, "peak learning rate"},
    {"optimizer", "train.optimizer", NULL, "update rule"},
    {"scheduler", "train.scheduler", NULL, "learning rate over time"},
    {"label_smoothing", "train.label_smoothing", NULL, "share spread over all classes"},
    {"accumulate", "train.accumulate", NULL, "batches of an update"},
    {"ema_decay", "train.ema_decay", NULL, "of a moving average of the weights"},
    {"class_weights", "train.class_weights", NULL, "none, balanced or a list, as [1,2]"},
    {"init_from", "train.init_from", NULL, "checkpoint to begin with where it fits"},
    {"teacher", "train.teacher", NULL, "checkpoint whose answers are learned beside the labels"},
    {"pretrain_data", "pretrain.data.path", NULL, "data to train on before; section pretrain"},
    {"patience", "train.patience", NULL, "epochs without improvement before stopping"},
    {"mixed_precision", "train.mixed_precision", "true", "FP16 arithmetic on a GPU, BF16 on a CPU"},
    {"seed", "train.seed", NULL, "of weights, order and augmentation"},
    {NULL, NULL, NULL, NULL},
};

static const dv_options options = {
    .command = "train",
    .operands = "[CONFIG]",
    .summary =
        "Trains a model and leaves a folder with checkpoints, metrics and a report. Without "
        "CONFIG it is\nconfigs/NAME.yaml, or else configs/general_NAME.yaml, of --model_type NAME.",
    .least = 0,
    .most = 1,
    .fields = fields,
    .settings = dv_train_settings,
    .field_of = dv_experiment_field,
};

/* The configuration of the model that --model_type names, one of decavox's own: that of its name,
   or the general one where there is no other. */
static dv_status find_configuration(const dv_tree *model, char path[DV_STRING_SIZE])
{
    char name[DV_STRING_SIZE], general[DV_STRING_SIZE], found[DV_STRING_SIZE];
    int length = snprintf(general, sizeof general, "configs/general_%s.yaml", model->text);
    bool is_name = strchr(model->text, '/') == NULL && length < DV_STRING_SIZE;
    if (!is_name)
        return DV_FAIL(DV_EARG, "--model_type: '%.60s' is a path, not a name", model->text);
    snprintf(name, sizeof name, "configs/%.*s.yaml", length, model->text);
    if (dv_home_find(name, path, DV_STRING_SIZE))
        return DV_OK;
    if (dv_home_find(general, found, sizeof found)) {
        memcpy(path, found, sizeof found);
        return DV_OK;
    }
    return DV_FAIL(DV_EARG, "--model_type: there is no configuration '%s': neither %s", model->text,
                   path);
}

/* `proposal`: what --auto has taken from the data. */
static dv_status read_configuration(const train_options *chosen, const dv_arguments *arguments,
                                    dv_experiment *experiment, char proposal[DV_PROPOSAL_SIZE])
{
    bool resumes = chosen->resume[0] != '\0';
    const dv_tree *model = dv_tree_get(arguments->overrides, "model");
    bool configured = arguments->count == 1 || (model != NULL && model->kind == DV_TREE_SCALAR);
    if (configured == resumes)
        return DV_FAIL(DV_EARG, "give either CONFIG, or --model_type NAME for configs/NAME.yaml, "
                                "or --resume FOLDER");
    char path[DV_STRING_SIZE];
    if (!resumes && chosen->changed_data)
        return DV_FAIL(DV_EARG, "--changed_data is for --resume alone");
    if (!resumes && arguments->count == 0)
        DV_TRY(find_configuration(model, path));
    const char *config = arguments->count == 1 ? arguments->operands[0] : path;
    if (!resumes)
        return chosen->automatic
                   ? dv_proposal_read(config, arguments->overrides, proposal, experiment)
                   : dv_experiment_read(config, arguments->overrides, experiment);
    if (chosen->automatic)
        return DV_FAIL(DV_EARG, "a run that is resumed keeps its front-end: --auto cannot be set");
    if (chosen->out[0] != '\0')
        return DV_FAIL(DV_EARG, "a run that is resumed keeps its folder: --out cannot be set");
    return dv_resume_check(arguments->overrides);
}

/* runs/MODEL-DATE, made here, so that another training of the same second takes another one. */
static dv_status standard_folder(const dv_experiment *experiment, char path[DV_STRING_SIZE])
{
    time_t now = time(NULL);
    struct tm date;
    char text[32];
    strftime(text, sizeof text, "%Y%m%d-%H%M%S", localtime_r(&now, &date));
    snprintf(path, DV_STRING_SIZE, "runs/%.100s-%s", dv_experiment_model_name(experiment), text);
    return dv_make_new_folder(path, DV_STRING_SIZE);
}

/* What a run that is resumed reads is told by its configuration; whether that is good is seen when
   it goes on. */
static dv_status spare_inputs_of_run(const dv_outputs *outputs, const char *folder)
{
    char path[DV_STRING_SIZE + 16];
    dv_tree *tree;
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    if (dv_yaml_read(path, &tree) != DV_OK)
        return DV_OK;
    dv_status status = dv_outputs_spare_tree(outputs, tree);
    dv_tree_free(tree);
    return status;
}

static dv_status check_outputs(const train_options *chosen, const dv_arguments *arguments,
                               const dv_experiment *experiment)
{
    dv_outputs outputs = {.list = {{"--dot", chosen->dot, DV_OUTPUT_DOT},
                                   {"--step_dot", chosen->step_dot, DV_OUTPUT_STEP_DOT}},
                          .count = 2,
                          .force = chosen->force,
                          .run = chosen->resume[0] != '\0' ? chosen->resume : chosen->out};
    if (chosen->resume[0] != '\0')
        DV_TRY(spare_inputs_of_run(&outputs, chosen->resume));
    DV_TRY(dv_outputs_spare_tree(&outputs, arguments->overrides));
    DV_TRY(dv_outputs_spare_tree(&outputs, experiment->files));
    DV_TRY(dv_outputs_spare_tree(&outputs, experiment->tree));
    return dv_outputs_check(&outputs);
}

/* Reads the configuration, checks the outputs and trains. A new run without --out gets a folder
   with the model's name and the time. */
static dv_status train(train_options *chosen, const dv_arguments *arguments)
{
    dv_experiment experiment = {.tree = NULL};
    char proposal[DV_PROPOSAL_SIZE] = "";
    dv_terminal terminal;
    DV_TRY(read_configuration(chosen, arguments, &experiment, proposal));
    bool resumes = chosen->resume[0] != '\0';
    dv_status status = check_outputs(chosen, arguments, &experiment);
    if (status == DV_OK && !resumes && chosen->out[0] == '\0')
        status = standard_folder(&experiment, chosen->out);
    dv_training_request request = {
        .experiment = resumes ? NULL : &experiment,
        .changes = resumes ? arguments->overrides : NULL,
        .changed_data = chosen->changed_data,
        .strict = chosen->strict,
        .commit = dv_commit(),
        .proposal = proposal,
        .folder = resumes ? chosen->resume : chosen->out,
        .device = chosen->device,
        .threads = (int)chosen->threads,
        .dot = chosen->dot,
        .step_dot = chosen->step_dot,
        .observer = dv_terminal_observe(&terminal),
    };
    dv_train_result result;
    if (status == DV_OK)
        status = dv_training_run(&request, &result);
    dv_experiment_free(&experiment);
    return status;
}

int dv_command_train(int argc, char **argv)
{
    train_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    dv_stop_prepare();
    dv_status status = train(&chosen, &arguments);
    dv_arguments_free(&arguments);
    dv_printing_flush();
    if (status == DV_OK)
        return DV_EXIT_GOOD;
    if (status == DV_EINTERRUPTED)
        return DV_EXIT_SIGNAL + dv_stop_request;
    exit_code = dv_command_fail("train", status);
    bool too_large = status == DV_EIO && dv_stop_request == SIGXFSZ; /* why nothing was saved */
    return too_large ? DV_EXIT_SIGNAL + SIGXFSZ : exit_code;
}
