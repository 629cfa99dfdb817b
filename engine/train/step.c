/*
 * The device's side of the trainer. A step is one chain of calls that needs nothing from the host:
 * batch, forward, metrics, backward, update. If the backend can record, the chain is recorded once
 * and replayed.
 *
 * If several batches make an update, every step is still the same chain, because the device knows
 * from dv_progress.step which batch of the update it is at. So one recording suffices, and the host
 * has nothing to choose; the cost is two launches that return at once.
 */
#include "engine/train/train_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of updates without an overflow that doubles the loss scale, as in PyTorch's
 * GradScaler.
 */
enum { GROWTH_AFTER = 2000 };

static bool on_device(const dv_trainer *trainer)
{
    return trainer->source->device_batch != NULL;
}

/* ---- Memory ---- */

static dv_status allocate(dv_trainer *trainer, int64_t count, size_t size, void *out)
{
    void *memory;
    DV_TRY(trainer->context->backend->allocate(trainer->context, (size_t)count * size, &memory));
    memcpy(out, &memory, sizeof memory);
    return DV_OK;
}

static dv_status upload(dv_trainer *trainer, void *device, const void *host, size_t bytes)
{
    return trainer->context->backend->upload(trainer->context, device, host, bytes);
}

static dv_status allocate_places(dv_trainer *trainer)
{
    const dv_source *source = trainer->source;
    dv_device_state *device = &trainer->device;
    int64_t most = source->train_count > source->validation_count ? source->train_count
                                                                  : source->validation_count;
    DV_TRY(dv_calloc((size_t)most, sizeof *trainer->places, &trainer->places));
    DV_TRY(allocate(trainer, source->train_count, sizeof(int32_t), &device->order));
    DV_TRY(allocate(trainer, source->validation_count, sizeof(int32_t), &device->validation));
    for (int64_t i = 0; i < source->validation_count; i++)
        trainer->places[i] = (int32_t)(source->train_count + i);
    return upload(trainer, device->validation, trainer->places,
                  (size_t)source->validation_count * sizeof(int32_t));
}

dv_status dv__steps_allocate(dv_trainer *trainer)
{
    const dv_source *source = trainer->source;
    dv_device_state *device = &trainer->device;
    size_t batch = (size_t)trainer->batch, real = trainer->context->backend->real_size;
    int64_t rates = (int64_t)dv__updates_per_epoch(trainer) + 1;
    DV_TRY(dv_calloc((size_t)rates, sizeof *trainer->rates, &trainer->rates));
    DV_TRY(allocate(trainer, rates, sizeof(dv_rate), &device->rates));
    DV_TRY(allocate(trainer, 1, sizeof(dv_progress), &device->progress));
    DV_TRY(allocate(trainer, 1, sizeof(dv_progress), &device->measured));
    DV_TRY(allocate(trainer, trainer->batch * source->classes, real, &device->targets));
    if (on_device(trainer))
        return allocate_places(trainer);
    DV_TRY(dv_calloc(batch * (size_t)(source->rows * source->frames), sizeof(float),
                     &trainer->features));
    return dv_calloc(batch * (size_t)source->classes, sizeof(float), &trainer->targets);
}

static void release(dv_trainer *trainer, void *memory)
{
    if (memory != NULL)
        trainer->context->backend->release(trainer->context, memory);
}

void dv__steps_free(dv_trainer *trainer)
{
    if (trainer->recording != NULL)
        trainer->context->backend->release_captured(trainer->context, trainer->recording);
    release(trainer, trainer->device.progress);
    release(trainer, trainer->device.measured);
    release(trainer, trainer->device.rates);
    release(trainer, trainer->device.order);
    release(trainer, trainer->device.validation);
    release(trainer, trainer->device.targets);
    free(trainer->places);
    free(trainer->rates);
    free(trainer->features);
    free(trainer->targets);
}

/* ---- State: the host's dv_train_state and the device's dv_progress ---- */

static bool scaling(const dv_trainer *trainer)
{
    return trainer->precision.values == DV_F16;
}

static dv_progress progress_of(const dv_trainer *trainer)
{
    const dv_train_state *state = &trainer->state;
    uint64_t updates = dv__updates(trainer);
    dv_progress progress = {.updates = updates, .first = updates};
#define TAKE_COUNT(name, help) progress.name = (uint64_t)state->name;
#define TAKE_SUM(name, help) progress.name = state->name;
    DV_PROGRESS_LIST(TAKE_COUNT, TAKE_SUM)
#undef TAKE_COUNT
#undef TAKE_SUM
    if (!(progress.loss_scale > 0))
        progress.loss_scale = scaling(trainer) ? DV_LOSS_SCALE_START : 1;
    return progress;
}

/* Makes the rates of the next updates. A skipped update leaves its rate to the next one, so an
   epoch never needs a longer table. */
static void fill_rates(dv_trainer *trainer, uint64_t first)
{
    const dv_train_config *config = &trainer->config;
    for (uint64_t i = 0; i <= dv__updates_per_epoch(trainer); i++)
        trainer->rates[i] = dv_rate_make(dv__rate_of(trainer, first + i), config->beta1,
                                         config->beta2, first + i + 1);
}

dv_status dv__steps_begin(dv_trainer *trainer)
{
    const dv_device_state *device = &trainer->device;
    dv_progress progress = progress_of(trainer);
    fill_rates(trainer, progress.first);
    DV_TRY(upload(trainer, device->progress, &progress, sizeof progress));
    DV_TRY(upload(trainer, device->rates, trainer->rates,
                  (dv__updates_per_epoch(trainer) + 1) * sizeof(dv_rate)));
    if (!on_device(trainer))
        return DV_OK;
    int64_t count = trainer->source->train_count;
    for (int64_t i = 0; i < count; i++)
        trainer->places[i] = (int32_t)trainer->order[i];
    return upload(trainer, device->order, trainer->places, (size_t)count * sizeof(int32_t));
}

/* Downloads the device's progress and copies its sums and counts into the state. If the norm of a
   gradient was not finite, the message names the step. */
dv_status dv__steps_read(dv_trainer *trainer)
{
    dv_progress progress;
    dv_train_state *state = &trainer->state;
    DV_TRY(trainer->context->backend->download(trainer->context, &progress,
                                               trainer->device.progress, sizeof progress));
    if (progress.failed != 0)
        return DV_FAIL(DV_ENUMERIC,
                       "step %" PRIu64 ": the gradient's norm is not finite; lower the learning "
                       "rate, or set train.check_finite to see where it begins",
                       progress.failed - 1);
    DV_ASSERT(progress.step == (uint64_t)state->step);
#define KEEP_COUNT(name, help) state->name = (int64_t)progress.name;
#define KEEP_SUM(name, help) state->name = progress.name;
    DV_PROGRESS_LIST(KEEP_COUNT, KEEP_SUM)
#undef KEEP_COUNT
#undef KEEP_SUM
    return DV_OK;
}

/* ---- One step ---- */

/* Makes the batch of the host's current step with the front-end. */
static dv_status load_batch(dv_trainer *trainer)
{
    bool one_batch = trainer->config.overfit_one_batch;
    uint64_t step = one_batch ? 0 : (uint64_t)trainer->state.step;
    uint64_t place = step % trainer->steps_per_epoch;
    const int64_t *places = trainer->order + (int64_t)place * trainer->batch;
    if (trainer->teaching != NULL)
        DV_TRY(dv__teaching_load(trainer->teaching, places, step));
    DV_TRY(trainer->source->train_batch(trainer->source->user, places, trainer->batch,
                                        (uint64_t)trainer->config.seed, step, trainer->features,
                                        trainer->targets));
    DV_TRY(dv_plan_upload(trainer->train.plan, trainer->train.input, trainer->features));
    return dv_plan_upload(trainer->train.plan, trainer->train.targets, trainer->targets);
}

/* The request for the batch of the device's current step. */
static dv_batch_request describe_batch(const dv_trainer *trainer)
{
    const dv_network *train = &trainer->train;
    return (dv_batch_request){.count = trainer->batch,
                              .order = trainer->device.order,
                              .order_count = trainer->source->train_count,
                              .progress = trainer->device.progress,
                              .steps_per_epoch = trainer->steps_per_epoch,
                              .seed = (uint64_t)trainer->config.seed,
                              .always_first = trainer->config.overfit_one_batch,
                              .dtype = trainer->precision.values,
                              .features = dv_plan_address(train->plan, train->input),
                              .targets = dv_plan_address(train->plan, train->targets)};
}

static dv_status measure(dv_trainer *trainer)
{
    const dv_network *train = &trainer->train;
    dv_batch_metrics measure = {.logits = dv_plan_address(train->plan, train->logits),
                                .dtype = trainer->precision.values,
                                .targets = dv_plan_address(train->plan, train->targets),
                                .losses = dv_plan_address(train->plan, trainer->loss),
                                .count = trainer->batch,
                                .classes = trainer->source->classes,
                                .progress = trainer->device.progress};
    return trainer->context->backend->optimizer->measure(trainer->context, &measure);
}

/* Ends a step with the backend's optimiser. It works on the parameters' buffers and on the rates
   and the progress on the device. */
static dv_status update(dv_trainer *trainer)
{
    const dv_train_config *config = &trainer->config;
    const dv_params *params = trainer->params;
    bool rounds = params->precision.operands != DV_F32;
    dv_update update = {.kind = (dv_optimizer_kind)config->optimizer,
                        .count = params->trainable_elements,
                        .decay_count = params->decay_elements,
                        .values = params->buffers[DV_BUFFER_VALUES],
                        .gradients = params->buffers[DV_BUFFER_GRADIENTS],
                        .sums = params->buffers[DV_BUFFER_GRADIENT_SUMS],
                        .moment1 = params->buffers[DV_BUFFER_MOMENT1],
                        .moment2 = params->buffers[DV_BUFFER_MOMENT2],
                        .rounded = rounds ? params->copies[DV_BUFFER_VALUES] : NULL,
                        .operands = params->precision.operands,
                        .average = params->buffers[DV_BUFFER_AVERAGE],
                        .states = params->states[DV_BUFFER_VALUES],
                        .state_average = params->states[DV_BUFFER_AVERAGE],
                        .state_count = params->state_elements,
                        .average_decay = config->ema_decay,
                        .weight_decay = config->weight_decay,
                        .beta1 = config->beta1,
                        .beta2 = config->beta2,
                        .epsilon = config->epsilon,
                        .limits = {.clip_norm = config->clip_norm,
                                   .scaling = scaling(trainer),
                                   .growth_after = GROWTH_AFTER,
                                   .accumulate = trainer->accumulate},
                        .rates = trainer->device.rates,
                        .progress = trainer->device.progress};
    return trainer->context->backend->optimizer->update(trainer->context, &update);
}

/* Enqueues the part of a step that can be recorded. */
static dv_status enqueue_step(void *of_trainer)
{
    dv_trainer *trainer = of_trainer;
    const dv_network *train = &trainer->train;
    dv_pass pass = {.training = true,
                    .seed = (uint64_t)trainer->config.seed,
                    .step = (uint64_t)trainer->state.step,
                    .progress = trainer->device.progress};
    const dv_batch_request request = describe_batch(trainer);
    if (on_device(trainer))
        DV_TRY(trainer->source->device_batch(trainer->source->user, &request));
    if (trainer->teaching != NULL)
        DV_TRY(dv__teaching_ask(trainer->teaching, &request));
    DV_TRY(dv_plan_forward(train->plan, &pass));
    DV_TRY(measure(trainer)); /* before backward, which may overwrite the targets */
    DV_TRY(trainer->context->backend->optimizer->seed(trainer->context, trainer->device.progress,
                                                      dv_plan_seed_address(train->plan),
                                                      trainer->batch));
    DV_TRY(dv_plan_backward_from(train->plan, &pass));
    return update(trainer);
}

static bool can_record(const dv_trainer *trainer)
{
    const dv_train_config *config = &trainer->config;
    return trainer->context->backend->capture != NULL && !config->check_finite &&
           !config->time_layers && config->record && !trainer->unrecordable;
}

/* Records the second step. Libraries load code in the first one, which a recording forbids. */
static bool is_recorded(dv_trainer *trainer)
{
    if (!can_record(trainer) || trainer->counters.eager == 0)
        return false;
    if (trainer->recording != NULL ||
        dv_context_record(trainer->context, enqueue_step, trainer, &trainer->recording) == DV_OK)
        return true;
    trainer->unrecordable = true;
    dv_log_write(&trainer->context->log, DV_LOG_WARNING,
                 "steps run call by call, since one cannot be recorded: %s", dv_error_message());
    return false;
}

dv_status dv__step_run(dv_trainer *trainer)
{
    if (!on_device(trainer))
        DV_TRY(load_batch(trainer));
    if (is_recorded(trainer)) {
        DV_TRY(trainer->context->backend->replay(trainer->context, trainer->recording));
        trainer->counters.replays++;
    } else {
        DV_TRY(enqueue_step(trainer));
        trainer->counters.eager++;
    }
    trainer->state.step++;
    return DV_OK;
}

/* ---- Validation ---- */

/* Makes the batch of the validation samples first .. first + batch - 1. Only `count` of them are
   measured; the rest of the last batch holds other samples. */
static dv_status validation_batch(dv_trainer *trainer, int64_t first, int64_t count)
{
    const dv_source *source = trainer->source;
    const dv_network *network = &trainer->validation;
    if (!on_device(trainer)) {
        DV_TRY(source->validation_batch(source->user, first, count, trainer->features,
                                        trainer->targets));
        DV_TRY(dv_plan_upload(network->plan, network->input, trainer->features));
        return upload(trainer, trainer->device.targets, trainer->targets,
                      (size_t)(count * source->classes) * sizeof(float));
    }
    dv_batch_request request = {.count = trainer->batch,
                                .order = trainer->device.validation,
                                .order_count = source->validation_count,
                                .first = first,
                                .dtype = trainer->precision.values,
                                .features = dv_plan_address(network->plan, network->input),
                                .targets = trainer->device.targets};
    return source->device_batch(source->user, &request);
}

static dv_status measure_batch(dv_trainer *trainer, int64_t count)
{
    const dv_network *network = &trainer->validation;
    dv_batch_metrics measure = {.logits = dv_plan_address(network->plan, network->logits),
                                .dtype = trainer->precision.values,
                                .targets = trainer->device.targets,
                                .count = count,
                                .classes = trainer->source->classes,
                                .progress = trainer->device.measured};
    return trainer->context->backend->optimizer->measure(trainer->context, &measure);
}

/* Runs all validation batches on the values that are kept (dv__result). The sums stay on the device
   until they are read at the end. */
dv_status dv__validate(dv_trainer *trainer, double *loss, double *accuracy)
{
    dv_pass pass = {.training = false};
    dv_progress measured = {.loss_scale = 1};
    DV_TRY(upload(trainer, trainer->device.measured, &measured, sizeof measured));
    if (dv__result(trainer) == DV_BUFFER_AVERAGE) /* updates do not round it */
        DV_TRY(dv_params_round(trainer->params, DV_BUFFER_AVERAGE));
    for (int64_t first = 0; first < trainer->source->validation_count; first += trainer->batch) {
        int64_t left = trainer->source->validation_count - first;
        int64_t count = left < trainer->batch ? left : trainer->batch;
        DV_TRY(validation_batch(trainer, first, count));
        DV_TRY(dv_plan_forward(trainer->validation.plan, &pass));
        DV_TRY(measure_batch(trainer, count));
    }
    DV_TRY(trainer->context->backend->download(trainer->context, &measured,
                                               trainer->device.measured, sizeof measured));
    *loss = measured.loss_sum / (double)measured.seen;
    *accuracy = (double)measured.correct / (double)measured.seen;
    if (!isfinite(*loss))
        return DV_FAIL(DV_ENUMERIC,
                       "epoch %" PRId64 ": the validation loss is not finite; lower the learning "
                       "rate",
                       trainer->state.epoch + 1);
    return DV_OK;
}
