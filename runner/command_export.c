#include "engine/train/trainer.h"
#include "frontends/predictor/predictor.h"
#include "runner/command.h"
#include "runner/experiment.h"

#include <sys/stat.h>

static const char *const format_names[] = {"safetensors", NULL};
static const char *const precision_names[] = {
    [DV_CHECKPOINT_FP32] = "fp32", [DV_CHECKPOINT_FP16] = "fp16", NULL};

typedef struct export_options {
    char out[DV_STRING_SIZE];
    int format, precision;
} export_options;

static const dv_field fields[] = {
    DV_STRING(export_options, out, NULL, "file to write"),
    DV_ENUM(export_options, format, "safetensors", format_names, "of the file"),
    DV_ENUM(export_options, precision, "fp32", precision_names,
            "of the weights; biases, scales and running statistics stay fp32"),
    DV_END,
};

static const dv_options options = {
    .command = "export",
    .operands = "CHECKPOINT",
    .summary = "Writes the weights of a checkpoint, or what a training has to keep of its "
               "last.safetensors, to a file of their own.",
    .least = 1,
    .most = 1,
    .fields = fields,
};

/* Also by another name: a link, a path with dots. */
static dv_status check_out(const char *checkpoint, const char *out)
{
    struct stat in_info, out_info;
    if (stat(checkpoint, &in_info) == 0 && stat(out, &out_info) == 0 &&
        in_info.st_dev == out_info.st_dev && in_info.st_ino == out_info.st_ino)
        return DV_FAIL(DV_EARG, "--out: '%s' is the checkpoint itself", out);
    return DV_OK;
}

/* The buffer that a training would end with if it ended where it was saved: dv_trainer_run. */
static dv_status kept_buffer(const dv_checkpoint *checkpoint, dv_buffer *buffer)
{
    dv_experiment experiment;
    dv_train_state state;
    DV_TRY(dv_fields_read(dv_train_state_fields, checkpoint->state, "state", &state));
    DV_TRY(dv_experiment_restore(checkpoint->config, &experiment));
    *buffer = experiment.train.ema_decay > 0 ? DV_AVERAGE : DV_VALUES;
    if (state.best_epoch > 0)
        *buffer = DV_BEST;
    dv_experiment_free(&experiment);
    return DV_OK;
}

static dv_status take_kept(dv_predictor *predictor)
{
    const dv_checkpoint *checkpoint = dv_predictor_checkpoint(predictor);
    dv_params *params = dv_predictor_params(predictor);
    dv_buffer buffer;
    dv_status status = kept_buffer(checkpoint, &buffer);
    if (status != DV_OK)
        return dv__fail_within(DV_EFORMAT, "%s", checkpoint->path);
    if (buffer == DV_VALUES)
        return DV_OK;
    DV_TRY(dv_params_allocate_buffer(params, buffer));
    DV_TRY(dv_checkpoint_read(checkpoint, params, buffer));
    return dv_params_copy(params, buffer, DV_VALUES);
}

static dv_status export_checkpoint(const char *path, const export_options *chosen)
{
    dv_predictor *predictor;
    DV_TRY(check_out(path, chosen->out));
    DV_TRY(dv_predictor_load(path, "cpu", 1, dv_command_log(), &predictor));
    const dv_checkpoint *checkpoint = dv_predictor_checkpoint(predictor);
    dv_status status = checkpoint->state != NULL ? take_kept(predictor) : DV_OK;
    if (status == DV_OK)
        status = dv_checkpoint_write_weights(chosen->out, dv_predictor_params(predictor),
                                             (dv_checkpoint_precision)chosen->precision,
                                             checkpoint->config, checkpoint->labels);
    dv_predictor_free(predictor);
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
