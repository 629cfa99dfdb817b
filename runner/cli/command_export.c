/* decavox export: writes the weights of a checkpoint to a file of their own. */
#include "frontends/model/session.h"
#include "runner/cli/command.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/output.h"

static const char *const format_names[] = {"safetensors", NULL};

typedef struct export_options {
    char out[DV_STRING_SIZE];
    int format, precision;
    bool force;
} export_options;

static const dv_field fields[] = {
    DV_STRING(export_options, out, NULL, "file to write"),
    DV_ENUM(export_options, format, "safetensors", format_names, "of the file"),
    DV_ENUM(export_options, precision, "fp32", dv_file_precision_names,
            "of the weights; biases, scales and running statistics stay fp32"),
    DV_OUTPUT_FORCE(export_options),
    DV_END,
};

static const dv_options options = {
    .command = "export",
    .operands = "CHECKPOINT",
    .summary = "Writes the weights of a checkpoint, or what a training has to keep of its "
               "last.safetensors, to a file of their own. Of the paths in its configuration the "
               "file has the last names alone.",
    .least = 1,
    .most = 1,
    .fields = fields,
    .checkpoint = true,
};

static dv_status check_out(const char *checkpoint, const export_options *chosen)
{
    dv_outputs outputs = {
        .list = {{"--out", chosen->out, DV_OUTPUT_WEIGHTS}}, .count = 1, .force = chosen->force};
    DV_TRY(dv_outputs_spare(&outputs, "the checkpoint", checkpoint));
    return dv_outputs_check(&outputs);
}

/* The weights, and of the configuration all but where things lie on this machine. */
static dv_status write_weights(dv_model *model, const export_options *chosen)
{
    const dv_checkpoint *checkpoint = dv_model_checkpoint(model);
    dv_tree *config;
    DV_TRY(dv_tree_copy(checkpoint->config, &config));
    dv_experiment_shorten_paths(config);
    dv_status status = dv_checkpoint_write_weights(chosen->out, dv_model_params(model),
                                                   (dv_checkpoint_precision)chosen->precision,
                                                   config, checkpoint->labels);
    dv_tree_free(config);
    return status;
}

static dv_status export_checkpoint(const char *path, const export_options *chosen)
{
    dv_model *model;
    DV_TRY(check_out(path, chosen));
    DV_TRY(dv_command_open_model(path, "cpu", 0, DV_ALGORITHMS_FIXED, &model));
    dv_status status = write_weights(model, chosen);
    dv_model_close(model);
    return status;
}

int dv_command_export(int argc, char **argv)
{
    export_options chosen;
    dv_arguments arguments;
    int exit_code;
    if (!dv_command_begin(&options, argc, argv, &chosen, &arguments, &exit_code))
        return exit_code;
    dv_status status = export_checkpoint(arguments.operands[0], &chosen);
    dv_arguments_free(&arguments);
    return status == DV_OK ? DV_EXIT_GOOD : dv_command_fail("export", status);
}
