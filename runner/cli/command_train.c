/* decavox train: begins a run or continues one. It also has the settings of all commands that
   train. */
#include "engine/base/file_names.h"
#include "engine/base/folder.h"
#include "engine/base/shell.h"
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
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct train_options {
    char out[DV_STRING_SIZE], resume[DV_STRING_SIZE], device[DV_STRING_SIZE];
    char dot[DV_STRING_SIZE], step_dot[DV_STRING_SIZE];
    int64_t threads;
    bool automatic, changed_data, strict, print_config, force;
} train_options;

static const dv_field fields[] = {
    DV_PATH(train_options, out, "",
            "folder of the run, which must not hold one yet; default runs/MODEL-DATE"),
    DV_PATH(train_options, resume, "",
            "continue the run of this folder, in place of CONFIG: an interrupted one to its end, a "
            "finished one to more --epochs; --data names data that have moved"),
    {DV_FIELD_BOOL, "auto", offsetof(train_options, automatic), "false", 0, 0, NULL,
     "take sample rate and duration from the data and fit the front-end's sizes to them; values of "
     "--set stay"},
    DV_BOOL(train_options, changed_data, "false",
            "continue a run although sounds have changed under their old names"),
    DV_BOOL(train_options, strict, "false", "refuse data that the checks warn of"),
    DV_BOOL(train_options, print_config, "false",
            "print the resolved configuration, every key of it, and stop"),
    DV_STRING(train_options, device, "auto",
              "device: auto (CUDA if a device is found), cpu, cuda, cuda:N or ref (the plain "
              "reference)"),
    DV_THREADS(train_options),
    DV_PATH(train_options, dot, "", "write the graph to this file for GraphViz"),
    DV_PATH(train_options, step_dot, "",
            "write the launches of a step that a GPU has recorded to this file for GraphViz"),
    DV_OUTPUT_FORCE(train_options),
    DV_END,
};

const dv_setting dv_train_settings[] = {
    {"data", "data.path", NULL, "folder or manifest of the clips"},
    {"layout", "data.layout", NULL, "meaning of a folder's names"},
    {"split", "data.split", NULL, DV_SPLIT_HELP},
    {"model_type", "model", NULL,
     "model of configs/models: advanced, efficient, transformer, ensemble, lightweight, mini, ..."},
    {"features", "features.preset", NULL,
     "front-end of configs/features: fine, coarse, ced or document"},
    {"feature_type", "features.type", NULL, "kind of features"},
    {"epochs", "train.epochs", NULL, "passes over the training clips"},
    {"batch_size", "train.batch_size", NULL, "clips per step"},
    {"learning_rate", "train.learning_rate", NULL, "peak learning rate"},
    {"optimizer", "train.optimizer", NULL, "update rule"},
    {"scheduler", "train.scheduler", NULL, "course of the learning rate"},
    {"label_smoothing", "train.label_smoothing", NULL,
     "share of the target that is spread over all classes"},
    {"accumulate", "train.accumulate", NULL, "batches per update"},
    {"ema_decay", "train.ema_decay", NULL, "decay of averaged weights"},
    {"class_weights", "train.class_weights", NULL,
     "weights of the classes in the loss: none, balanced or a list such as [1,2]"},
    {"init_from", "train.init_from", NULL, "checkpoint to start from, as far as it fits"},
    {"teacher", "train.teacher", NULL, "checkpoint whose answers are learned beside the labels"},
    {"pretrain_data", "pretrain.data.path", NULL, "data of a training that comes before this one"},
    {"patience", "train.patience", NULL, "epochs without improvement before the training stops"},
    {"mixed_precision", "train.mixed_precision", "true", "use FP16 on a GPU, BF16 on a CPU"},
    {"seed", "train.seed", NULL, "random seed of initial weights, shuffling and augmentation"},
    {NULL, NULL, NULL, NULL},
};

static const char *const examples[] = {
    "decavox train configs/lightweight.yaml --data recordings",
    "decavox train --model_type advanced --epochs 100 --data recordings --split speaker",
    "decavox train configs/mini.yaml --data recordings --set features.hop=128 --print_config",
    "decavox train --resume runs/words",
    NULL,
};

static const dv_options options = {
    .command = "train",
    .brief = "trains a model",
    .operands = "[CONFIG]",
    .summary = "Trains a model and leaves a folder with checkpoints, metrics, log and report.\n\n"
               "CONFIG is a YAML file. Without it, --model_type NAME takes configs/NAME.yaml, or "
               "configs/general_NAME.yaml if that does not exist.",
    .examples = examples,
    .least = 0,
    .most = 1,
    .fields = fields,
    .settings = dv_train_settings,
    .field_of = dv_experiment_field,
};

/* Fails with the names of the models that exist, or else with the places that were searched. */
static dv_status fail_unknown_type(const char *name, const char *places)
{
    static const char *const folders[] = {"configs/models", "configs"};
    char offer[DV_FILE_NAMES_SIZE] = "";
    dv_file_names names = {.count = 0};
    dv_status status = DV_OK;
    for (int k = 0; k < 2 && names.count == 0 && status == DV_OK; k++)
        status = dv_home_names(folders[k], ".yaml", &names);
    if (status == DV_OK)
        dv_file_names_offer(&names, name, offer);
    dv_file_names_free(&names);
    DV_TRY(status);
    if (offer[0] != '\0')
        return DV_FAIL(DV_EARG, "--model_type: there is no model '%s'%s", name, offer);
    return DV_FAIL(DV_EARG, "--model_type: there is no configuration '%s': neither %s", name,
                   places);
}

/* Finds the configuration of the model that --model_type names: configs/NAME.yaml, or else
   configs/general_NAME.yaml. */
static dv_status find_configuration(const char *model, char path[DV_STRING_SIZE])
{
    char name[DV_STRING_SIZE], general[DV_STRING_SIZE], found[DV_STRING_SIZE];
    int length = snprintf(general, sizeof general, "configs/general_%s.yaml", model);
    bool is_name = strchr(model, '/') == NULL && length < DV_STRING_SIZE;
    if (!is_name)
        return DV_FAIL(DV_EARG, "--model_type: '%.60s' is a path, not a name", model);
    snprintf(name, sizeof name, "configs/%.*s.yaml", length, model);
    if (dv_home_find(name, path, DV_STRING_SIZE))
        return DV_OK;
    if (dv_home_find(general, found, sizeof found)) {
        memcpy(path, found, sizeof found);
        return DV_OK;
    }
    return fail_unknown_type(model, path);
}

/* Reads the configuration. `proposal` tells the values that --auto has taken from the data. */
static dv_status read_configuration(const train_options *chosen, const dv_arguments *arguments,
                                    dv_experiment *experiment, char proposal[DV_PROPOSAL_SIZE])
{
    bool resumes = chosen->resume[0] != '\0';
    const dv_tree *model = dv_tree_get(arguments->overrides, "model");
    bool configured = arguments->count == 1 || (model != NULL && model->kind == DV_TREE_SCALAR);
    if (configured == resumes)
        return DV_FAIL(DV_EARG, "give one of these: CONFIG, --model_type NAME for "
                                "configs/NAME.yaml, or --resume FOLDER");
    char path[DV_STRING_SIZE];
    if (!resumes && chosen->changed_data)
        return DV_FAIL(DV_EARG, "--changed_data has no effect without --resume");
    if (!resumes && arguments->count == 0)
        DV_TRY(find_configuration(model->text, path));
    const char *config = arguments->count == 1 ? arguments->operands[0] : path;
    if (!resumes)
        return chosen->automatic
                   ? dv_proposal_read(config, arguments->overrides, proposal, experiment)
                   : dv_experiment_read(config, arguments->overrides, experiment);
    if (chosen->print_config)
        return DV_FAIL(DV_EARG,
                       "a run that is resumed has its configuration in '%s/config.yaml': "
                       "--print_config is for CONFIG",
                       chosen->resume);
    if (chosen->automatic)
        return DV_FAIL(
            DV_EARG,
            "a run that is resumed keeps its front-end: --auto cannot be given with --resume");
    if (chosen->out[0] != '\0')
        return DV_FAIL(
            DV_EARG, "a run that is resumed keeps its folder: --out cannot be given with --resume");
    return dv_resume_check(arguments->overrides);
}

/* Makes the folder runs/MODEL-DATE here, so that another training of the same second gets another
   one. */
static dv_status standard_folder(const dv_experiment *experiment, char path[DV_STRING_SIZE])
{
    time_t now = time(NULL);
    struct tm date;
    char text[32];
    strftime(text, sizeof text, "%Y%m%d-%H%M%S", localtime_r(&now, &date));
    snprintf(path, DV_STRING_SIZE, "runs/%.100s-%s", dv_experiment_model_name(experiment), text);
    return dv_make_new_folder(path, DV_STRING_SIZE);
}

/* Spares the files that the configuration of a resumed run names. An unreadable configuration is
   reported later. */
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

static void tell_resume(const char *folder)
{
    const char *const words[] = {"train", "--resume", folder};
    char *command;
    if (dv_command_verbosity() == DV_QUIET || dv_shell_command(words, 3, &command) != DV_OK)
        return;
    printf("%s goes on with it\n", command);
    free(command);
}

/* Trains, and tells how an interrupted run goes on. `own_folder` is true if the folder was made for
   this run. */
static dv_status run_training(const dv_training_request *request, bool own_folder)
{
    dv_train_result result;
    dv_stop_announce(
        request->experiment == NULL
            ? "\ndecavox train: interrupted while it began: the run is as it was\n"
            : "\ndecavox train: interrupted before the first step: nothing is saved\n");
    dv_status status = dv_training_run(request, &result);
    if (status == DV_EINTERRUPTED)
        tell_resume(request->folder);
    else if (status != DV_OK && own_folder)
        dv_run_remove_unbegun(request->folder);
    return status;
}

/* Reads the configuration, checks the outputs and trains. A new run without --out gets a folder
   with the model's name and the time. */
static dv_status train(train_options *chosen, const dv_arguments *arguments)
{
    dv_experiment experiment = {.tree = NULL};
    char proposal[DV_PROPOSAL_SIZE] = "";
    dv_terminal terminal;
    DV_TRY(read_configuration(chosen, arguments, &experiment, proposal));
    bool resumes = chosen->resume[0] != '\0', named = chosen->out[0] != '\0';
    if (chosen->print_config) {
        dv_status printed = dv_command_print_config(&experiment);
        dv_experiment_free(&experiment);
        return printed;
    }
    dv_status status = check_outputs(chosen, arguments, &experiment);
    if (status == DV_OK && !resumes && experiment.data.path[0] == '\0')
        status = DV_FAIL(DV_ECONFIG, "there are no data: give --data PATH, a folder of sound files "
                                     "or a manifest, or set data.path");
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
    if (status == DV_OK)
        status = run_training(&request, !resumes && !named);
    dv_experiment_free(&experiment);
    if (status == DV_EARG && !resumes && strstr(dv_error_message(), " holds a run already") != NULL)
        return DV_FAIL(status, "%s (--resume %s, or another --out)", dv_error_message(),
                       chosen->out);
    return status;
}

static int run(int argc, char **argv)
{
    train_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    dv_stop_prepare();
    dv_status status = train(&chosen, &arguments);
    dv_arguments_free(&arguments);
    if (!chosen.print_config) /* main reports a lost configuration */
        dv_printing_flush();
    if (status == DV_OK)
        return DV_EXIT_GOOD;
    if (status == DV_EINTERRUPTED)
        return DV_EXIT_SIGNAL + dv_stop_request;
    exit_code = dv_command_fail("train", status);
    bool too_large = status == DV_EIO && dv_stop_request == SIGXFSZ; /* why nothing was saved */
    return too_large ? DV_EXIT_SIGNAL + SIGXFSZ : exit_code;
}

const dv_command dv_command_train = {&options, run};
