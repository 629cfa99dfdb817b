/* The field tables of the section `train` and of a run's state in a checkpoint. Also sets the
   arithmetic that the section asks for. */
#include "engine/optimizer/optimizer.h"
#include "engine/train/train_internal.h"

#include <float.h>

static const char *const mixed_precision_names[] = {"false", "true", "fp16", "bf16", NULL};

const dv_field dv_train_fields[] = {
    DV_INT(dv_train_config, epochs, "60", 1, 1000000, "passes over the training clips"),
    DV_INT(dv_train_config, batch_size, "32", 1, 65536, "clips per step"),
    DV_ENUM(dv_train_config, optimizer, "adamw", dv_optimizer_names, "update rule"),
    DV_FLOAT(dv_train_config, learning_rate, "0.001", 0, 10, "peak learning rate"),
    DV_FLOAT(dv_train_config, minimum_rate, "0", 0, 10, "learning rate at the end of the schedule"),
    DV_FLOAT(dv_train_config, weight_decay, "0.02", 0, 10,
             "decoupled decay of weight matrices; norms and biases have none"),
    DV_FLOAT(dv_train_config, beta1, "0.9", 0, 0.9999,
             "decay of the first moment; momentum of sgd"),
    DV_FLOAT(dv_train_config, beta2, "0.999", 0, 0.99999, "decay of the second moment"),
    DV_FLOAT(dv_train_config, epsilon, "1e-8", 1e-12, 1,
             "constant added to the root of the second moment"),
    DV_ENUM(dv_train_config, scheduler, "cosine", dv_schedule_names, "course of the learning rate"),
    DV_FLOAT(dv_train_config, warmup, "0.08", 0, 0.9,
             "share of the updates in which the rate first rises from 0; one_cycle ignores it"),
    DV_FLOAT(dv_train_config, restart_epochs, "10", 1e-3, 1e6,
             "epochs until the first restart of cosine_restarts"),
    DV_FLOAT(dv_train_config, restart_factor, "2", 1, 100,
             "factor by which each period of cosine_restarts is longer than the last"),
    DV_FLOAT(dv_train_config, step_epochs, "20", 1e-3, 1e6,
             "epochs between two falls of the rate of step"),
    DV_FLOAT(dv_train_config, step_factor, "0.1", 0, 1, "factor of each fall of step"),
    DV_INT(dv_train_config, plateau_patience, "5", 0, 1000000,
           "epochs without a lower loss before the rate of plateau falls"),
    DV_FLOAT(dv_train_config, plateau_factor, "0.5", 0, 1, "factor of each fall of plateau"),
    DV_FLOAT(dv_train_config, one_cycle_rise, "0.3", 0, 1,
             "share of the updates of one_cycle in which the rate rises to its peak"),
    DV_INT(dv_train_config, accumulate, "1", 1, 65536,
           "batches per update, whose gradients are averaged; an incomplete group at the end of an "
           "epoch is dropped"),
    DV_FLOAT(dv_train_config, ema_decay, "0", 0, 0.999999,
             "decay of the averaged weights, which are then validated and saved; 0 averages none"),
    DV_TREE_FIELD(
        dv_train_config, class_weights,
        "weights of the classes in the loss: none, balanced, or a list in the order of the labels"),
    DV_PATH(dv_train_config, init_from, "",
            "checkpoint to start from: tensors with the same name and shape are copied, the class "
            "layer only if the labels are identical; PREFIX=FILE loads below a prefix; commas "
            "separate several"),
    DV_TREE_FIELD(
        dv_train_config, freeze,
        "patterns of parameters that are not trained, such as [\"conv_1.*\", \"norm_1.*\"]"),
    DV_PATH(
        dv_train_config, teacher, "",
        "checkpoint whose answers are learned beside the labels; commas separate several, whose "
        "mean is learned"),
    DV_FLOAT(dv_train_config, teacher_weight, "0.5", 0.001, 1,
             "share of the loss that comes from the teacher"),
    DV_FLOAT(dv_train_config, teacher_temperature, "2", 0.1, 100,
             "temperature that divides the logits of teacher and student"),
    DV_FLOAT(dv_train_config, clip_norm, "1", 0, 1e6,
             "largest norm of the gradient; 0 sets no limit"),
    DV_FLOAT(dv_train_config, label_smoothing, "0.1", 0, 0.99,
             "share of the target that is spread over all classes"),
    DV_INT(dv_train_config, patience, "15", 0, 1000000,
           "epochs without improvement before the training stops; 0 never stops early"),
    DV_INT(dv_train_config, seed, "1", 0, 4294967295,
           "random seed of initial weights, shuffling and augmentation"),
    DV_ENUM(dv_train_config, mixed_precision, "false", mixed_precision_names,
            "arithmetic in 16 bits; true takes fp16 with loss scaling on a GPU, bf16 on a CPU"),
    DV_BOOL(
        dv_train_config, tf32, "false",
        "round the operands of FP32 products and convolutions to TF32 on a GPU, which is faster "
        "and less exact"),
    DV_ENUM(
        dv_train_config, algorithms, "measured", dv_algorithms_names,
        "algorithms of a GPU's libraries: 'fixed' gives the same bytes in every run, 'measured' "
        "takes the fastest that repeat within a run, 'any' the fastest, which may round more"),
    DV_FLOAT(dv_train_config, checkpoint_seconds, "30", 0, 1e9,
             "least time between two saves, s; 0 saves after every epoch"),
    DV_INT(dv_train_config, report_steps, "50", 0, 1e9,
           "steps between two readings of a GPU's metrics; 0 reads after every epoch"),
    DV_INT(dv_train_config, max_steps, "0", 0, 1e15,
           "number of steps to stop after, for debugging; 0 sets no limit"),
    DV_BOOL(dv_train_config, overfit_one_batch, "false", "learn one batch by heart, for debugging"),
    DV_BOOL(dv_train_config, check_finite, "false",
            "name the first NaN or infinity, for debugging"),
    DV_BOOL(dv_train_config, time_layers, "false", "print the time of each layer, for debugging"),
    DV_BOOL(dv_train_config, record, "true",
            "record a GPU's step and replay it; false runs it call by call, for debugging"),
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
