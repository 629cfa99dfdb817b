#include "engine/train/trainer.h"
#include "engine/core/rng.h"
#include "engine/layers/model.h"
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"
#include "engine/train/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A graph that ends in the logits, for validation, or behind them in the loss, for training. */
typedef struct dv_network {
    dv_graph *graph;
    dv_plan *plan;
    int input, logits;
    int targets, loss; /* training only */
} dv_network;

struct dv_trainer {
    dv_context *context;
    dv_train_config config;
    const dv_source *source;
    dv_schedule schedule;
    int64_t batch;
    uint64_t steps_per_epoch;
    dv_params *params;
    dv_network train, validation;
    dv_train_state state;
    int64_t *order; /* (train_count) the clips of this epoch, shuffled */
    float *features, *targets, *logits, *losses; /* one batch each */
    double last_save, epoch_start;               /* seconds of the monotonic clock */
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ---- Making ---- */

static dv_status build_network(dv_trainer *trainer, const dv_tree *model, bool training,
                               dv_network *out)
{
    const dv_source *source = trainer->source;
    DV_TRY(dv_graph_create(trainer->params, &out->graph));
    dv_shape features = {trainer->batch, source->rows, source->frames, 1};
    dv_shape targets = {trainer->batch, 1, 1, source->classes};
    DV_TRY(dv_graph_input(out->graph, "features", features, &out->input));
    if (training)
        DV_TRY(dv_graph_input(out->graph, "targets", targets, &out->targets));
    DV_TRY(dv_model_build(out->graph, model, out->input, source->classes, &out->logits));
    if (!training)
        return DV_OK;
    dv_softmax_cross_entropy_attr attr = {.smoothing = trainer->config.label_smoothing};
    int inputs[2] = {out->logits, out->targets};
    return dv_graph_add(out->graph, DV_OP_softmax_cross_entropy, "loss", &attr, inputs, 2,
                        &out->loss);
}

static dv_status plan_network(dv_trainer *trainer, bool training, dv_network *network)
{
    dv_plan_options options = {.training = training,
                               .check_finite = trainer->config.check_finite,
                               .time_layers = trainer->config.time_layers && training,
                               .outputs = &network->logits,
                               .output_count = 1};
    return dv_plan_create(trainer->context, network->graph, &options, &network->plan);
}

static void free_network(dv_network *network)
{
    dv_plan_free(network->plan);
    dv_graph_free(network->graph);
}

static dv_status allocate_buffers(dv_trainer *trainer)
{
    const dv_source *source = trainer->source;
    size_t batch = (size_t)trainer->batch;
    DV_TRY(dv__calloc((size_t)source->train_count, sizeof(int64_t), &trainer->order));
    DV_TRY(dv__calloc(batch * (size_t)(source->rows * source->frames), sizeof(float),
                      &trainer->features));
    DV_TRY(dv__calloc(batch * (size_t)source->classes, sizeof(float), &trainer->targets));
    DV_TRY(dv__calloc(batch * (size_t)source->classes, sizeof(float), &trainer->logits));
    DV_TRY(dv__calloc(batch, sizeof(float), &trainer->losses));
    DV_TRY(dv_params_allocate_buffer(trainer->params, DV_MOMENT1));
    if (trainer->config.optimizer != DV_SGD)
        DV_TRY(dv_params_allocate_buffer(trainer->params, DV_MOMENT2));
    return dv_params_allocate_buffer(trainer->params, DV_BEST);
}

static dv_status make(dv_trainer *trainer, const dv_tree *model)
{
    const dv_train_config *config = &trainer->config;
    if (trainer->source->train_count < 1)
        return DV_FAIL(DV_EARG, "there is nothing to train on: 0 training samples");
    trainer->batch = config->batch_size < trainer->source->train_count
                         ? config->batch_size
                         : trainer->source->train_count;
    trainer->steps_per_epoch = (uint64_t)(trainer->source->train_count / trainer->batch);
    uint64_t total = trainer->steps_per_epoch * (uint64_t)config->epochs;
    trainer->schedule = (dv_schedule){.kind = config->scheduler,
                                      .peak = config->learning_rate,
                                      .minimum = fmin(config->minimum_rate, config->learning_rate),
                                      .warmup = (uint64_t)(config->warmup * (double)total),
                                      .total = total};
    DV_TRY(dv_params_create(trainer->context, &trainer->params));
    DV_TRY(build_network(trainer, model, true, &trainer->train));
    DV_TRY(build_network(trainer, model, false, &trainer->validation));
    DV_TRY(plan_network(trainer, true, &trainer->train));
    DV_TRY(plan_network(trainer, false, &trainer->validation));
    DV_TRY(allocate_buffers(trainer));
    return dv_params_initialize(trainer->params, (uint64_t)config->seed);
}

dv_status dv_trainer_create(dv_context *context, const dv_train_config *config,
                            const dv_tree *model, const dv_source *source, dv_trainer **out)
{
    *out = NULL;
    dv_trainer *trainer;
    DV_TRY(dv__calloc(1, sizeof *trainer, &trainer));
    trainer->context = context;
    trainer->config = *config;
    trainer->source = source;
    dv_status status = make(trainer, model);
    if (status != DV_OK) {
        dv_trainer_free(trainer);
        return status;
    }
    *out = trainer;
    return DV_OK;
}

void dv_trainer_free(dv_trainer *trainer)
{
    if (trainer == NULL)
        return;
    free_network(&trainer->train);
    free_network(&trainer->validation);
    dv_params_free(trainer->params);
    free(trainer->order);
    free(trainer->features);
    free(trainer->targets);
    free(trainer->logits);
    free(trainer->losses);
    free(trainer);
}

/* ---- One step ---- */

static void count_predictions(dv_trainer *trainer, int64_t count, double *loss, int64_t *correct)
{
    int64_t classes = trainer->source->classes;
    for (int64_t i = 0; i < count; i++) {
        const float *logits = trainer->logits + i * classes;
        int64_t truth = dv_argmax(trainer->targets + i * classes, classes);
        *loss += dv_cross_entropy(logits, classes, truth);
        *correct += dv_argmax(logits, classes) == truth;
    }
}

static dv_status update(dv_trainer *trainer)
{
    const dv_train_config *config = &trainer->config;
    const dv_params *params = trainer->params;
    const dv_optimizer_impl *optimizer = trainer->context->backend->optimizer;
    double squares;
    DV_TRY(optimizer->sum_of_squares(trainer->context, params->buffers[DV_GRADIENTS],
                                     params->trainable_elements, &squares));
    double norm = sqrt(squares);
    if (!isfinite(norm))
        return DV_FAIL(DV_ENUMERIC,
                       "step %" PRId64 ": the gradient's norm is not finite; lower the learning "
                       "rate, or set train.check_finite to see where it begins",
                       trainer->state.step);
    trainer->state.norm_sum += norm;
    bool clip = config->clip_norm > 0 && norm > config->clip_norm;
    dv_update step = {.kind = (dv_optimizer_kind)config->optimizer,
                      .count = params->trainable_elements,
                      .decay_count = params->decay_elements,
                      .values = params->buffers[DV_VALUES],
                      .gradients = params->buffers[DV_GRADIENTS],
                      .moment1 = params->buffers[DV_MOMENT1],
                      .moment2 = params->buffers[DV_MOMENT2],
                      .learning_rate =
                          dv_schedule_rate(&trainer->schedule, (uint64_t)trainer->state.step),
                      .weight_decay = config->weight_decay,
                      .beta1 = config->beta1,
                      .beta2 = config->beta2,
                      .epsilon = config->epsilon,
                      .gradient_scale = clip ? config->clip_norm / norm : 1,
                      .t = (uint64_t)trainer->state.step + 1};
    return optimizer->update(trainer->context, &step);
}

static dv_status load_batch(dv_trainer *trainer)
{
    bool one_batch = trainer->config.overfit_one_batch;
    uint64_t step = one_batch ? 0 : (uint64_t)trainer->state.step;
    uint64_t place = step % trainer->steps_per_epoch;
    DV_TRY(trainer->source->train_batch(
        trainer->source->user, trainer->order + (int64_t)place * trainer->batch, trainer->batch,
        (uint64_t)trainer->config.seed, step, trainer->features, trainer->targets));
    DV_TRY(dv_plan_upload(trainer->train.plan, trainer->train.input, trainer->features));
    return dv_plan_upload(trainer->train.plan, trainer->train.targets, trainer->targets);
}

static dv_status train_step(dv_trainer *trainer)
{
    dv_network *train = &trainer->train;
    dv_train_state *state = &trainer->state;
    dv_run run = {
        .training = true, .seed = (uint64_t)trainer->config.seed, .step = (uint64_t)state->step};
    DV_TRY(load_batch(trainer));
    DV_TRY(dv_plan_forward(train->plan, &run));
    DV_TRY(dv_plan_backward(train->plan, &run, 1.0 / (double)trainer->batch));
    DV_TRY(update(trainer));
    DV_TRY(dv_plan_download(train->plan, train->logits, trainer->logits));
    DV_TRY(dv_plan_download(train->plan, train->loss, trainer->losses));
    double unsmoothed = 0;
    count_predictions(trainer, trainer->batch, &unsmoothed, &state->correct);
    for (int64_t i = 0; i < trainer->batch; i++)
        state->loss_sum += (double)trainer->losses[i];
    state->seen += trainer->batch;
    state->step++;
    return DV_OK;
}

/* ---- One epoch ---- */

static void shuffle(dv_trainer *trainer)
{
    for (int64_t i = 0; i < trainer->source->train_count; i++)
        trainer->order[i] = i;
    dv_rng rng = {.seed = (uint64_t)trainer->config.seed,
                  .use = DV_RNG_SHUFFLE,
                  .step = trainer->config.overfit_one_batch ? 0 : (uint64_t)trainer->state.epoch};
    dv_rng_shuffle(&rng, trainer->order, trainer->source->train_count);
}

static dv_status validate(dv_trainer *trainer, double *loss, double *accuracy)
{
    const dv_source *source = trainer->source;
    dv_network *network = &trainer->validation;
    dv_run run = {.training = false};
    int64_t correct = 0;
    *loss = 0;
    for (int64_t first = 0; first < source->validation_count; first += trainer->batch) {
        int64_t left = source->validation_count - first;
        int64_t count = left < trainer->batch ? left : trainer->batch;
        DV_TRY(source->validation_batch(source->user, first, count, trainer->features,
                                        trainer->targets));
        /* The rest of a last batch holds earlier samples: computed and not counted. */
        DV_TRY(dv_plan_upload(network->plan, network->input, trainer->features));
        DV_TRY(dv_plan_forward(network->plan, &run));
        DV_TRY(dv_plan_download(network->plan, network->logits, trainer->logits));
        count_predictions(trainer, count, loss, &correct);
    }
    *loss /= (double)source->validation_count;
    *accuracy = (double)correct / (double)source->validation_count;
    if (!isfinite(*loss))
        return DV_FAIL(DV_ENUMERIC,
                       "epoch %" PRId64 ": the validation loss is not finite; lower the learning "
                       "rate",
                       trainer->state.epoch + 1);
    return DV_OK;
}

static dv_status keep_if_best(dv_trainer *trainer, dv_epoch_metrics *metrics)
{
    dv_train_state *state = &trainer->state;
    metrics->improved = state->best_epoch == 0 ||
                        metrics->validation_accuracy > state->best_accuracy ||
                        (metrics->validation_accuracy >= state->best_accuracy &&
                         metrics->validation_loss < state->best_loss);
    state->stale++;
    if (!metrics->improved)
        return DV_OK;
    state->best_epoch = metrics->epoch;
    state->best_accuracy = metrics->validation_accuracy;
    state->best_loss = metrics->validation_loss;
    state->stale = 0;
    return dv_params_copy(trainer->params, DV_VALUES, DV_BEST);
}

static bool out_of_steps(const dv_trainer *trainer)
{
    int64_t most = trainer->config.max_steps;
    return (uint64_t)trainer->state.step >= trainer->schedule.total ||
           (most > 0 && trainer->state.step >= most);
}

static dv_status end_epoch(dv_trainer *trainer, const dv_train_events *events)
{
    dv_train_state *state = &trainer->state;
    double seen = (double)state->seen;
    dv_epoch_metrics metrics = {
        .epoch = state->epoch + 1,
        .train_loss = state->loss_sum / seen,
        .train_accuracy = (double)state->correct / seen,
        .validation_loss = NAN,
        .validation_accuracy = NAN,
        .learning_rate = dv_schedule_rate(&trainer->schedule, (uint64_t)state->step - 1),
        .gradient_norm = state->norm_sum * (double)trainer->batch / seen,
    };
    if (trainer->source->validation_count > 0) {
        DV_TRY(validate(trainer, &metrics.validation_loss, &metrics.validation_accuracy));
        DV_TRY(keep_if_best(trainer, &metrics));
    }
    state->epoch++;
    state->loss_sum = state->norm_sum = 0;
    state->correct = state->seen = 0;
    state->finished = out_of_steps(trainer) ||
                      (trainer->config.patience > 0 && state->stale >= trainer->config.patience);
    metrics.seconds = now() - trainer->epoch_start;
    return events->epoch != NULL ? events->epoch(events->user, trainer, &metrics) : DV_OK;
}

/* ---- The run ---- */

static dv_status save(dv_trainer *trainer, const dv_train_events *events)
{
    DV_TRY(events->save != NULL ? events->save(events->user, trainer) : DV_OK);
    trainer->last_save = now();
    return DV_OK;
}

static dv_status run_epoch(dv_trainer *trainer, const dv_train_events *events)
{
    dv_train_state *state = &trainer->state;
    shuffle(trainer);
    trainer->epoch_start = now();
    int64_t end = (state->epoch + 1) * (int64_t)trainer->steps_per_epoch;
    while (state->step < end && (state->seen == 0 || !out_of_steps(trainer))) {
        DV_TRY(train_step(trainer));
        if (events->step != NULL)
            events->step(events->user, trainer);
        if (events->stop != NULL && *events->stop != 0 && state->step < end &&
            !out_of_steps(trainer)) {
            DV_TRY(save(trainer, events));
            return DV_FAIL(DV_EINTERRUPTED, "interrupted after step %" PRId64 ", saved",
                           state->step);
        }
    }
    return end_epoch(trainer, events);
}

dv_status dv_trainer_run(dv_trainer *trainer, const dv_train_events *events)
{
    trainer->last_save = now();
    while (!trainer->state.finished) {
        DV_TRY(run_epoch(trainer, events));
        bool stop = events->stop != NULL && *events->stop != 0;
        bool due = now() - trainer->last_save >= trainer->config.checkpoint_seconds;
        if (trainer->state.finished || stop || due)
            DV_TRY(save(trainer, events));
        if (stop && !trainer->state.finished)
            return DV_FAIL(DV_EINTERRUPTED, "interrupted after epoch %" PRId64 ", saved",
                           trainer->state.epoch);
    }
    if (trainer->state.best_epoch > 0)
        DV_TRY(dv_params_copy(trainer->params, DV_BEST, DV_VALUES));
    return DV_OK;
}

/* ---- Looking in ---- */

dv_params *dv_trainer_params(const dv_trainer *trainer)
{
    return trainer->params;
}

dv_train_state *dv_trainer_state(dv_trainer *trainer)
{
    return &trainer->state;
}

const dv_train_state *dv_trainer_state_of(const dv_trainer *trainer)
{
    return &trainer->state;
}

const dv_graph *dv_trainer_graph(const dv_trainer *trainer)
{
    return trainer->train.graph;
}

dv_plan_memory dv_trainer_memory(const dv_trainer *trainer)
{
    return dv_plan_memory_use(trainer->train.plan);
}

int64_t dv_trainer_batch_size(const dv_trainer *trainer)
{
    return trainer->batch;
}

uint64_t dv_trainer_steps_per_epoch(const dv_trainer *trainer)
{
    return trainer->steps_per_epoch;
}

double dv_trainer_mean_loss(const dv_trainer *trainer)
{
    return trainer->state.seen > 0 ? trainer->state.loss_sum / (double)trainer->state.seen : NAN;
}

void dv_trainer_time_table(const dv_trainer *trainer, dv_line_fn line, void *user)
{
    char text[256];
    double steps = trainer->state.step > 0 ? (double)trainer->state.step : 1;
    double total[2] = {0, 0};
    snprintf(text, sizeof text, "%-40s %12s %12s", "layer (ms per step)", "forward", "backward");
    line(user, text);
    for (int i = 0; i < trainer->train.graph->count; i++) {
        double forward, backward;
        dv_plan_times(trainer->train.plan, i, &forward, &backward);
        snprintf(text, sizeof text, "%-40s %12.4f %12.4f", trainer->train.graph->nodes[i].name,
                 forward / steps * 1e3, backward / steps * 1e3);
        line(user, text);
        total[0] += forward;
        total[1] += backward;
    }
    snprintf(text, sizeof text, "%-40s %12.4f %12.4f", "total", total[0] / steps * 1e3,
             total[1] / steps * 1e3);
    line(user, text);
}
