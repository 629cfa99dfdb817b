/* The host's side of the trainer. It makes the networks and buffers, runs epochs, keeps the best
   values, and saves. */
#include "engine/base/clock.h"
#include "engine/base/rng.h"
#include "engine/ops/distillation/distillation.h"
#include "engine/ops/ops.h"
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"
#include "engine/train/train_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Creation ---- */

/* Adds the teachers' part of the loss. */
static dv_status add_teacher(dv_trainer *trainer)
{
    const dv_network *train = &trainer->train;
    dv_distillation_attr attr = {.weight = trainer->config.teacher_weight,
                                 .temperature = trainer->config.teacher_temperature};
    DV_TRY(dv_graph_input(train->graph, "teacher", dv_graph_shape(train->graph, train->logits),
                          &trainer->teacher));
    int inputs[] = {trainer->loss, train->logits, trainer->teacher, train->targets};
    return dv_graph_add(train->graph, &dv_op_distillation, "distillation", &attr, inputs, 4,
                        &trainer->loss);
}

static dv_status add_loss(dv_trainer *trainer)
{
    const dv_network *train = &trainer->train;
    dv_softmax_cross_entropy_attr attr = {.smoothing = trainer->config.label_smoothing};
    int inputs[] = {train->logits, train->targets};
    DV_TRY(dv_graph_add(train->graph, &dv_op_softmax_cross_entropy, "loss", &attr, inputs, 2,
                        &trainer->loss));
    return trainer->teaching != NULL ? add_teacher(trainer) : DV_OK;
}

static dv_status build_networks(dv_trainer *trainer, const dv_tree *model)
{
    const dv_source *source = trainer->source;
    dv_network_options options = {.model = model,
                                  .batch = trainer->batch,
                                  .rows = source->rows,
                                  .frames = source->frames,
                                  .classes = source->classes,
                                  .targets = true,
                                  .params = trainer->params};
    DV_TRY(dv_network_build(trainer->context, &options, &trainer->train));
    DV_TRY(add_loss(trainer));
    options.targets = false;
    return dv_network_build(trainer->context, &options, &trainer->validation);
}

static dv_status plan_network(dv_trainer *trainer, bool training, dv_network *network)
{
    dv_plan_options options = {.training = training,
                               .check_finite = trainer->config.check_finite,
                               .time_layers = trainer->config.time_layers && training,
                               .values = training ? DV_BUFFER_VALUES : dv__result(trainer)};
    return dv_network_plan(trainer->context, &options, network);
}

static dv_status allocate_buffers(dv_trainer *trainer)
{
    DV_TRY(dv_calloc((size_t)trainer->source->train_count, sizeof(int64_t), &trainer->order));
    DV_TRY(dv_params_allocate_buffer(trainer->params, DV_BUFFER_MOMENT1));
    if (trainer->config.optimizer != DV_SGD)
        DV_TRY(dv_params_allocate_buffer(trainer->params, DV_BUFFER_MOMENT2));
    DV_TRY(dv_params_allocate_buffer(trainer->params, DV_BUFFER_BEST));
    if (trainer->accumulate > 1)
        DV_TRY(dv_params_allocate_buffer(trainer->params, DV_BUFFER_GRADIENT_SUMS));
    return dv__steps_allocate(trainer);
}

static void count_steps(dv_trainer *trainer)
{
    const dv_train_config *config = &trainer->config;
    int64_t clips = trainer->source->train_count;
    trainer->batch = config->batch_size < clips ? config->batch_size : clips;
    uint64_t batches = (uint64_t)(clips / trainer->batch);
    uint64_t accumulate = (uint64_t)config->accumulate;
    trainer->accumulate = accumulate < batches ? accumulate : batches;
    trainer->steps_per_epoch = batches / trainer->accumulate * trainer->accumulate;
}

static uint64_t updates_of(const dv_trainer *trainer, double epochs)
{
    return (uint64_t)fmax(1, nearbyint(epochs * (double)dv__updates_per_epoch(trainer)));
}

/* Converts the configuration's epochs and shares into numbers of updates. Only some schedules have
   a period and a factor. */
static void make_schedule(dv_trainer *trainer)
{
    const dv_train_config *config = &trainer->config;
    uint64_t total = dv__updates_per_epoch(trainer) * (uint64_t)config->epochs;
    dv_schedule *schedule = &trainer->schedule;
    *schedule = (dv_schedule){.kind = config->scheduler,
                              .peak = config->learning_rate,
                              .minimum = fmin(config->minimum_rate, config->learning_rate),
                              .warmup = (uint64_t)(config->warmup * (double)total),
                              .total = total,
                              .rise = config->one_cycle_rise};
    if (config->scheduler == DV_SCHEDULE_COSINE_RESTARTS) {
        schedule->period = updates_of(trainer, config->restart_epochs);
        schedule->factor = config->restart_factor;
    } else if (config->scheduler == DV_SCHEDULE_STEP) {
        schedule->period = updates_of(trainer, config->step_epochs);
        schedule->factor = config->step_factor;
    } else if (config->scheduler == DV_SCHEDULE_PLATEAU) {
        schedule->factor = config->plateau_factor;
    }
}

double dv__rate_of(const dv_trainer *trainer, uint64_t update)
{
    dv_schedule schedule = trainer->schedule;
    schedule.falls = (uint64_t)trainer->state.plateau_falls;
    return dv_schedule_rate(&schedule, update);
}

static dv_status freeze_one(dv_params *params, const dv_tree *pattern)
{
    if (pattern->kind != DV_TREE_SCALAR)
        return dv_tree_fail(pattern,
                            "train: freeze: expected a list of patterns of parameter names");
    if (dv_params_freeze(params, pattern->text) == 0)
        return dv_tree_fail(pattern, "train: freeze: no parameter is called '%s'", pattern->text);
    return DV_OK;
}

static dv_status freeze(dv_params *params, const dv_tree *patterns)
{
    if (patterns == NULL || patterns->kind == DV_TREE_NULL)
        return DV_OK;
    if (patterns->kind != DV_TREE_LIST)
        return freeze_one(params, patterns);
    for (size_t i = 0; i < patterns->count; i++)
        DV_TRY(freeze_one(params, patterns->children[i]));
    return DV_OK;
}

static dv_status check_trained(const dv_params *params)
{
    for (int i = 0; i < params->count; i++) {
        if (params->items[i].trainable && !params->items[i].frozen)
            return DV_OK;
    }
    return DV_FAIL(DV_ECONFIG, "train: nothing is left to train: the model has no parameter that "
                               "train.freeze does not keep");
}

/* Makes the parts of a trainer in the order of their needs. Freezing comes after the graphs, which
   declare the parameters, and before the plans, which give them places. */
static dv_status make(dv_trainer *trainer, const dv_tree *model, const dv_teacher *teachers,
                      int teacher_count)
{
    const dv_train_config *config = &trainer->config;
    if (trainer->source->train_count < 1)
        return DV_FAIL(DV_EFORMAT, "there is nothing to train on: the training part has no clip");
    count_steps(trainer);
    make_schedule(trainer);
    DV_TRY(dv__set_arithmetic(trainer));
    DV_TRY(dv__teaching_create(trainer, teachers, teacher_count));
    DV_TRY(dv_params_create(trainer->context, trainer->precision, &trainer->params));
    DV_TRY(build_networks(trainer, model));
    DV_TRY(freeze(trainer->params, config->freeze));
    DV_TRY(check_trained(trainer->params));
    DV_TRY(plan_network(trainer, true, &trainer->train));
    DV_TRY(dv_params_allocate_buffer(trainer->params, dv__result(trainer)));
    DV_TRY(plan_network(trainer, false, &trainer->validation));
    DV_TRY(allocate_buffers(trainer));
    return dv_params_initialize(trainer->params, (uint64_t)config->seed);
}

dv_status dv_trainer_create(dv_context *context, const dv_train_config *config,
                            const dv_tree *model, const dv_source *source, dv_trainer **out)
{
    return dv_trainer_create_taught(context, config, model, source, NULL, 0, out);
}

dv_status dv_trainer_create_taught(dv_context *context, const dv_train_config *config,
                                   const dv_tree *model, const dv_source *source,
                                   const dv_teacher *teachers, int count, dv_trainer **out)
{
    *out = NULL;
    dv_trainer *trainer;
    DV_TRY(dv_calloc(1, sizeof *trainer, &trainer));
    trainer->view = dv_context_view(context);
    trainer->context = &trainer->view;
    trainer->config = *config;
    trainer->source = source;
    dv_status status = make(trainer, model, teachers, count);
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
    dv__steps_free(trainer);
    dv_network_free(&trainer->train);
    dv_network_free(&trainer->validation);
    dv__teaching_free(trainer->teaching);
    dv_params_free(trainer->params);
    free(trainer->order);
    free(trainer);
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
    return dv_params_copy(trainer->params, dv__result(trainer), DV_BUFFER_BEST);
}

/* Called between epochs, before the rates of the next one are made. */
static void watch_plateau(dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    dv_train_state *state = &trainer->state;
    if (trainer->schedule.kind != DV_SCHEDULE_PLATEAU)
        return;
    bool validated = trainer->source->validation_count > 0;
    dv_plateau plateau = {.best = state->plateau_best, .stale = state->plateau_stale};
    if (dv_plateau_watch(&plateau, state->epoch == 0,
                         validated ? metrics->validation_loss : metrics->train_loss,
                         trainer->config.plateau_patience))
        state->plateau_falls++;
    state->plateau_best = plateau.best;
    state->plateau_stale = plateau.stale;
}

static bool out_of_steps(const dv_trainer *trainer)
{
    int64_t most = trainer->config.max_steps, step = trainer->state.step;
    int64_t all = trainer->config.epochs * (int64_t)trainer->steps_per_epoch;
    return step >= all || (most > 0 && step >= most);
}

/* Reads the sums of the epoch, validates, keeps the values if they are the best, and watches the
   plateau. Before events->epoch gets the metrics, the state is set for the next epoch or as
   finished. */
static dv_status end_epoch(dv_trainer *trainer, const dv_train_events *events)
{
    dv_train_state *state = &trainer->state;
    DV_TRY(dv__steps_read(trainer));
    double seen = (double)state->seen;
    uint64_t updates = dv__updates(trainer);
    dv_epoch_metrics metrics = {
        .epoch = state->epoch + 1,
        .train_loss = state->loss_sum / seen,
        .train_accuracy = (double)state->correct / seen,
        .validation_loss = NAN,
        .validation_accuracy = NAN,
        .learning_rate = dv__rate_of(trainer, updates > 0 ? updates - 1 : 0),
        .gradient_norm = state->updated > 0 ? state->norm_sum / (double)state->updated : NAN,
        .loss_scale = state->loss_scale,
        .skipped = state->skipped,
    };
    if (trainer->source->validation_count > 0) {
        DV_TRY(dv__validate(trainer, &metrics.validation_loss, &metrics.validation_accuracy));
        DV_TRY(keep_if_best(trainer, &metrics));
    }
    watch_plateau(trainer, &metrics);
    state->epoch++;
#define CLEAR(name, help) state->name = 0;
    DV_EPOCH_LIST(CLEAR, CLEAR)
#undef CLEAR
    state->finished = out_of_steps(trainer) ||
                      (trainer->config.patience > 0 && state->stale >= trainer->config.patience);
    metrics.seconds = dv_clock() - trainer->epoch_start;
    return events->epoch != NULL ? events->epoch(events->user, trainer, &metrics) : DV_OK;
}

/* ---- The run ---- */

static dv_status save(dv_trainer *trainer, const dv_train_events *events)
{
    DV_TRY(events->save != NULL ? events->save(events->user, trainer) : DV_OK);
    trainer->last_save = dv_clock();
    return DV_OK;
}

/* Asks the caller, and returns whether the training should pause now. If it should finish, that is
   remembered. */
static bool pauses(dv_trainer *trainer, const dv_train_events *events)
{
    dv_train_next next = events->next != NULL ? events->next(events->user) : DV_TRAIN_CONTINUE;
    trainer->finishing = trainer->finishing || next == DV_TRAIN_FINISH;
    return next == DV_TRAIN_PAUSE;
}

/* Whether to report this step. On the host metrics are always known; reading a device's costs a
   wait. */
static bool reports(const dv_trainer *trainer)
{
    int64_t every = trainer->context->backend->host_memory ? 1 : trainer->config.report_steps;
    return every > 0 && trainer->state.step % every == 0;
}

static dv_status report(dv_trainer *trainer, const dv_train_events *events)
{
    DV_TRY(dv__steps_read(trainer));
    if (events->step != NULL)
        events->step(events->user, trainer);
    return DV_OK;
}

/* Runs the remaining steps of an epoch. A pause within the epoch comes between two updates: the
   state is saved, and DV_EINTERRUPTED is returned. An epoch without a sample so far runs at least
   one step. */
static dv_status run_epoch(dv_trainer *trainer, const dv_train_events *events)
{
    dv_train_state *state = &trainer->state;
    int64_t begun = state->step;
    shuffle(trainer);
    DV_TRY(dv__steps_begin(trainer));
    trainer->epoch_start = dv_clock();
    int64_t end = (state->epoch + 1) * (int64_t)trainer->steps_per_epoch;
    bool fresh = state->seen == 0;
    while (state->step < end && ((fresh && state->step == begun) || !out_of_steps(trainer))) {
        DV_TRY(dv__step_run(trainer));
        if (reports(trainer))
            DV_TRY(report(trainer, events));
        /* Pause only between updates, because the saved state has no sums of gradients. */
        bool between_updates = (uint64_t)state->step % trainer->accumulate == 0;
        bool pause = pauses(trainer, events);
        if (pause && between_updates && state->step < end && !out_of_steps(trainer)) {
            DV_TRY(dv__steps_read(trainer));
            DV_TRY(save(trainer, events));
            return DV_FAIL(DV_EINTERRUPTED,
                           "interrupted after step %" PRId64 "; the state is saved", state->step);
        }
    }
    return end_epoch(trainer, events);
}

/* Warns if early stopping has no validation to go by. */
static void warn_of_patience(const dv_trainer *trainer)
{
    if (trainer->config.patience > 0 && trainer->source->validation_count == 0 &&
        !trainer->state.finished)
        dv_log_write(&trainer->context->log, DV_LOG_WARNING,
                     "train.patience %" PRId64 " has no effect: there is no validation part",
                     trainer->config.patience);
}

/* Runs epochs until the state is finished. Saves after an epoch if the run ends, if the caller asks
   for a pause, or if checkpoint_seconds are over. At the end the best values become the values;
   without validation the average does, if there is one. */
dv_status dv_trainer_run(dv_trainer *trainer, const dv_train_events *events)
{
    warn_of_patience(trainer);
    trainer->last_save = dv_clock();
    if (trainer->state.step == 0 && dv__result(trainer) == DV_BUFFER_AVERAGE)
        DV_TRY(dv_params_copy(trainer->params, DV_BUFFER_VALUES, DV_BUFFER_AVERAGE));
    while (!trainer->state.finished) {
        DV_TRY(run_epoch(trainer, events));
        bool pause = pauses(trainer, events);
        trainer->state.finished = trainer->state.finished || trainer->finishing;
        bool due = dv_clock() - trainer->last_save >= trainer->config.checkpoint_seconds;
        if (trainer->state.finished || pause || due)
            DV_TRY(save(trainer, events));
        if (pause && !trainer->state.finished)
            return DV_FAIL(DV_EINTERRUPTED,
                           "interrupted after epoch %" PRId64 "; the state is saved",
                           trainer->state.epoch);
    }
    if (trainer->state.best_epoch > 0)
        return dv_params_copy(trainer->params, DV_BUFFER_BEST, DV_BUFFER_VALUES);
    if (dv__result(trainer) == DV_BUFFER_AVERAGE)
        return dv_params_copy(trainer->params, DV_BUFFER_AVERAGE, DV_BUFFER_VALUES);
    return DV_OK;
}

/* ---- Queries ---- */

const dv_context *dv_trainer_context(const dv_trainer *trainer)
{
    return trainer->context;
}

const char *dv_trainer_products(const dv_trainer *trainer)
{
    return dv_products_name(trainer->context, trainer->precision.operands);
}

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

double dv_trainer_next_rate(const dv_trainer *trainer)
{
    return dv__rate_of(trainer, dv__updates(trainer));
}

dv_train_counters dv_trainer_counters(const dv_trainer *trainer)
{
    dv_train_counters counters = trainer->counters;
    if (trainer->recording != NULL)
        counters.nodes = trainer->context->backend->captured_nodes(trainer->recording);
    return counters;
}

dv_status dv_trainer_recording_dot(const dv_trainer *trainer, const char *path)
{
    dv_context *context = trainer->context;
    if (trainer->recording == NULL)
        return DV_FAIL(DV_EUNSUPPORTED, "%s: no step was recorded on %s", path,
                       context->backend->name);
    return context->backend->captured_dot(context, trainer->recording, path);
}

double dv_trainer_mean_loss(const dv_trainer *trainer)
{
    return trainer->state.seen > 0 ? trainer->state.loss_sum / (double)trainer->state.seen : NAN;
}

void dv_trainer_time_table(const dv_trainer *trainer, dv_line_fn line, void *user)
{
    char text[256];
    double total[2] = {0, 0};
    snprintf(text, sizeof text, "%-40s %12s %12s", "layer (ms per batch)", "forward", "backward");
    line(user, text);
    for (int i = 0; i < trainer->train.graph->count; i++) {
        double forward, backward;
        dv_plan_times(trainer->train.plan, i, &forward, &backward);
        snprintf(text, sizeof text, "%-40s %12.4f %12.4f", trainer->train.graph->nodes[i].name,
                 forward * 1e3, backward * 1e3);
        line(user, text);
        total[0] += forward;
        total[1] += backward;
    }
    snprintf(text, sizeof text, "%-40s %12.4f %12.4f", "total", total[0] * 1e3, total[1] * 1e3);
    line(user, text);
}
