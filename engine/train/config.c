/* The field tables of the section `train` and of a run's state in a checkpoint. Also sets the
   arithmetic that the section asks for. */
#include "engine/optimizer/optimizer.h"
#include "engine/train/train_internal.h"

#include <float.h>

static const char *const mixed_precision_names[] = {"false", "true", "fp16", "bf16", NULL};

const dv_field dv_train_fields[] = {
    DV_INT(dv_train_config, epochs, "60", 1, 1000000, "passes over the training data"),
    DV_INT(dv_train_config, batch_size, "32", 1, 65536, "samples per step"),
    DV_ENUM(dv_train_config, optimizer, "adamw", dv_optimizer_names, "update rule"),
    DV_FLOAT(dv_train_config, learning_rate, "0.001", 0, 10, "peak learning rate"),
    DV_FLOAT(dv_train_config, minimum_rate, "0", 0, 10, "what the learning rate falls to"),
    DV_FLOAT(dv_train_config, weight_decay, "0.02", 0, 10, "on matrices; none on norms and biases"),
    DV_FLOAT(dv_train_config, beta1, "0.9", 0, 0.9999, "first moment; momentum of sgd"),
    DV_FLOAT(dv_train_config, beta2, "0.999", 0, 0.99999, "second moment"),
    DV_FLOAT(dv_train_config, epsilon, "1e-8", 1e-12, 1, "added to the root of the second moment"),
    DV_ENUM(dv_train_config, scheduler, "cosine", dv_schedule_names, "learning rate over time"),
    DV_FLOAT(dv_train_config, warmup, "0.08", 0, 0.9,
             "share of the updates that rise from 0, before the schedule proper; not of one_cycle"),
    DV_FLOAT(dv_train_config, restart_epochs, "10", 1e-3, 1e6,
             "cosine_restarts: epochs until the first restart"),
    DV_FLOAT(dv_train_config, restart_factor, "2", 1, 100,
             "cosine_restarts: how much longer each period is than the one before"),
    DV_FLOAT(dv_train_config, step_epochs, "20", 1e-3, 1e6, "step: epochs until the rate falls"),
    DV_FLOAT(dv_train_config, step_factor, "0.1", 0, 1, "step: what the rate is multiplied by"),
    DV_INT(dv_train_config, plateau_patience, "5", 0, 1000000,
           "plateau: epochs without a lower loss that are waited for"),
    DV_FLOAT(dv_train_config, plateau_factor, "0.5", 0, 1,
             "plateau: what the rate is then multiplied by"),
    DV_FLOAT(dv_train_config, one_cycle_rise, "0.3", 0, 1,
             "one_cycle: share of the updates that rise to the peak"),
    DV_INT(dv_train_config, accumulate, "1", 1, 65536,
           "batches whose mean gradient makes an update; those left over at the end of an epoch "
           "are not taken, as clips that fill no batch are not"),
    DV_FLOAT(dv_train_config, ema_decay, "0", 0, 0.999999,
             "of a moving average of the weights, which is what is validated and kept; 0: none"),
    DV_TREE_FIELD(dv_train_config, class_weights,
                  "of the loss, by label: none, balanced, or a list in the order of the labels"),
    DV_PATH(dv_train_config, init_from, "",
            "checkpoint to begin with where it fits, the layer of the classes only with the same "
            "labels in the same order; PREFIX=FILE puts it under a prefix; several with commas"),
    DV_TREE_FIELD(dv_train_config, freeze,
                  "patterns of parameters that are not trained, as [\"conv_1.*\", \"norm_1.*\"]"),
    DV_PATH(dv_train_config, teacher, "",
            "checkpoint, of any features, whose answers are learned beside the labels; of several, "
            "with commas between, the mean"),
    DV_FLOAT(dv_train_config, teacher_weight, "0.5", 0.001, 1,
             "share of the loss that is the teacher's"),
    DV_FLOAT(dv_train_config, teacher_temperature, "2", 0.1, 100,
             "by which the logits of both are divided for that"),
    DV_FLOAT(dv_train_config, clip_norm, "1", 0, 1e6, "largest norm of the gradient; 0: no limit"),
    DV_FLOAT(dv_train_config, label_smoothing, "0.1", 0, 0.99, "share spread over all classes"),
    DV_INT(dv_train_config, patience, "15", 0, 1000000,
           "epochs without improvement before stopping; 0: never stop early"),
    DV_INT(dv_train_config, seed, "1", 0, 4294967295, "of weights, order and augmentation"),
    DV_ENUM(dv_train_config, mixed_precision, "false", mixed_precision_names,
            "arithmetic in 16 bits: true is fp16, the loss scaled, or on a CPU bf16"),
    DV_BOOL(dv_train_config, tf32, "false",
            "on a GPU round the operands of products of floats, convolutions among them, to TF32: "
            "faster, and less exact than FP32"),
    DV_ENUM(dv_train_config, algorithms, "measured", dv_algorithms_names,
            "of a GPU: fixed (the same bytes in every run), measured (the fastest that are "
            "repeatable within a run) or any (the fastest, which may round more)"),
    DV_FLOAT(dv_train_config, checkpoint_seconds, "30", 0, 1e9,
             "least time between two saves; 0: after every epoch"),
    DV_INT(dv_train_config, report_steps, "50", 0, 1e9,
           "steps between two looks at a GPU's metrics; 0: after every epoch"),
    DV_INT(dv_train_config, max_steps, "0", 0, 1e15, "debugging: stop after so many steps"),
    DV_BOOL(dv_train_config, overfit_one_batch, "false", "debugging: learn one batch by heart"),
    DV_BOOL(dv_train_config, check_finite, "false", "debugging: name the first NaN or infinity"),
    DV_BOOL(dv_train_config, time_layers, "false", "debugging: print the time of each layer"),
    DV_BOOL(dv_train_config, record, "true", "debugging: false runs a GPU's steps call by call"),
    DV_END,
};

#define COUNT(member, help) DV_INT(dv_train_state, member, DV_REQUIRED, 0, 9e15, help),
#define NUMBER(member, help) DV_FLOAT(dv_train_state, member, DV_REQUIRED, -DBL_MAX, DBL_MAX, help),
#define MARK(member, help) DV_INT(dv_train_state, member, "0", 0, 9e15, help),

const dv_field dv_train_state_fields[] = {
    DV_PROGRESS_LIST(COUNT, NUMBER) DV_TRAIN_STATE_LIST(COUNT, NUMBER, MARK)
        DV_BOOL(dv_train_state, finished, DV_REQUIRED, "nothing is left to do"),
    DV_END,
};

/* If the device lacks something, the training warns and goes on without it. */
dv_status dv__set_arithmetic(dv_trainer *trainer)
{
    const dv_train_config *config = &trainer->config;
    dv_context *context = trainer->context;
    bool has_f16 = dv_backend_has(context->backend, DV_F16);
    const dv_dtype dtypes[] = {[DV_MIXED_NONE] = DV_F32,
                               [DV_MIXED_TRUE] = has_f16 ? DV_F16 : DV_BF16,
                               [DV_MIXED_FP16] = DV_F16,
                               [DV_MIXED_BF16] = DV_BF16};
    context->algorithms = (dv_algorithms)config->algorithms;
    dv_status status = dv_context_set_tf32(context, config->tf32);
    if (status != DV_OK)
        dv_log_write(&context->log, DV_LOG_WARNING, "train.tf32 has no effect: %s",
                     dv_error_message());
    status = dv_precision_in(context, dtypes[config->mixed_precision], &trainer->precision);
    if (status != DV_EUNSUPPORTED)
        return status;
    dv_log_write(&context->log, DV_LOG_WARNING, "no mixed precision: %s", dv_error_message());
    trainer->precision = DV_FULL_PRECISION;
    return DV_OK;
}
