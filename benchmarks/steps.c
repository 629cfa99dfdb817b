/* Makes a trainer for random features, and runs and times its steps. */
#include "benchmarks/bench.h"
#include "benchmarks/steps_internal.h"
#include "engine/backends/open.h"
#include "engine/base/rng.h"
#include "engine/optimizer/optimizer.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/safetensors.h"
#include "runner/evaluate/timing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 64 }; /* so many random labels stay hard to learn */

const dv_field steps_fields[] = {
    DV_INT(steps_options, batch, "32", 1, 65536, "samples per step"),
    DV_INT(steps_options, threads, "1", 0, 1024, "threads; 0 uses all physical cores"),
    DV_INT(steps_options, rows, "13", 1, 4096, "coefficients of the features"),
    DV_INT(steps_options, frames, "32", 1, 65536, "frames of the features"),
    DV_INT(steps_options, classes, "10", 2, 65536, "number of classes"),
    DV_INT(steps_options, seed, "1", 0, 4294967295, "seed of weights, features and dropout"),
    DV_BOOL(steps_options, inference, "false", "the forward pass alone, without dropout"),
    DV_BOOL(steps_options, time_layers, "false", "measure each layer of the training step"),
    DV_ENUM(steps_options, optimizer, "adamw", dv_optimizer_names, "update rule"),
    DV_FLOAT(steps_options, learning_rate, "0.001", 0, 10, "constant learning rate"),
    DV_FLOAT(steps_options, weight_decay, "0.02", 0, 10, "decay of matrices"),
    DV_STRING(steps_options, device, "cpu", "cpu, ref, cuda, cuda:N or cudasim"),
    DV_ENUM(steps_options, precision, "fp32", dv_precision_names,
            "precision of products, and on a GPU of activations; fp16 and tf32 need a GPU"),
    DV_ENUM(steps_options, algorithms, "measured", dv_algorithms_names,
            "choice of a GPU library's algorithms, as in train.algorithms"),
    DV_INT(steps_options, report, "1", 1, 1024, "steps per time, on a GPU"),
    DV_BOOL(steps_options, resident, "false", "keep one batch in the GPU's memory"),
    DV_BOOL(steps_options, record, "true", "replay a recorded step, on a GPU"),
    DV_STRING(steps_options, dot, "",
              "file for GraphViz that receives the recorded step, on a GPU"),
    DV_STRING(steps_options, checkpoint, "", "take the parameters from this file"),
    DV_END,
};

/* ---- Data with normal features and uniform labels ---- */

static dv_status make_batches(steps *s)
{
    int64_t features = s->chosen.batches * steps_feature_count(s),
            samples = s->chosen.batches * s->chosen.batch;
    DV_TRY(dv_calloc((size_t)features, sizeof(float), &s->features));
    DV_TRY(dv_calloc((size_t)(samples * s->chosen.classes), sizeof(float), &s->targets));
    dv_rng rng = {.seed = (uint64_t)s->chosen.seed, .use = DV_RNG_TEST, .step = 0};
    for (int64_t i = 0; i < features; i++)
        s->features[i] = (float)dv_rng_normal(&rng, (uint32_t)i);
    rng.step = 1;
    for (int64_t i = 0; i < samples; i++) {
        uint32_t words[4];
        dv_rng_words(&rng, (uint32_t)i, words);
        s->targets[i * s->chosen.classes + words[0] % (uint32_t)s->chosen.classes] = 1;
    }
    return DV_OK;
}

static dv_status train_batch(void *user, const int64_t *places, int64_t count, uint64_t seed,
                             uint64_t step, float *features, float *targets)
{
    (void)places, (void)count, (void)seed;
    const steps *s = user;
    size_t number = step % (size_t)s->chosen.batches;
    size_t values = (size_t)steps_feature_count(s), classes = (size_t)steps_target_count(s);
    memcpy(features, s->features + number * values, values * sizeof *features);
    memcpy(targets, s->targets + number * classes, classes * sizeof *targets);
    return DV_OK;
}

/* ---- The same on a device ---- */

static dv_status upload_features(steps *s)
{
    dv_context *context = s->context;
    const dv_backend *backend = context->backend;
    size_t values = (size_t)steps_feature_count(s), bytes = values * sizeof(float);
    if (s->params->precision.values == DV_F32)
        return backend->upload(context, s->resident_features, s->features, bytes);
    void *floats;
    DV_TRY(backend->allocate(context, bytes, &floats));
    const dv_conversion conversion = {.source = floats,
                                      .into = s->resident_features,
                                      .count = (int64_t)values,
                                      .to = {.dtype = s->params->precision.values}};
    dv_status status = backend->upload(context, floats, s->features, bytes);
    if (status == DV_OK)
        status = backend->convert(context, &conversion);
    if (status == DV_OK)
        status = backend->wait(context);
    backend->release(context, floats);
    return status;
}

dv_status steps_make_resident(steps *s)
{
    const dv_backend *backend = s->context->backend;
    if (backend->host_memory)
        return DV_FAIL(DV_EARG, "--resident is for devices with a memory of their own, not %s",
                       backend->name);
    size_t bytes = (size_t)steps_target_count(s) * sizeof(float);
    DV_TRY(backend->allocate(s->context, (size_t)steps_feature_count(s) * sizeof(float),
                             &s->resident_features));
    DV_TRY(backend->allocate(s->context, bytes, &s->resident_targets));
    DV_TRY(backend->upload(s->context, s->resident_targets, s->targets, bytes));
    return upload_features(s);
}

static dv_status device_batch(void *user, const dv_batch_request *request)
{
    const steps *s = user;
    const dv_backend *backend = s->context->backend;
    size_t bytes = (size_t)steps_feature_count(s) * dv_dtype_size(request->dtype);
    DV_TRY(backend->copy(s->context, request->features, s->resident_features, bytes));
    return backend->copy(s->context, request->targets, s->resident_targets,
                         (size_t)steps_target_count(s) * sizeof(float));
}

/* ---- Making ---- */

static dv_status make_trainer(steps *s)
{
    const steps_options *chosen = &s->chosen;
    dv_train_config config;
    DV_TRY(dv_fields_default(dv_train_fields, &config));
    config.epochs = 1000000;
    config.batch_size = chosen->batch;
    config.optimizer = chosen->optimizer;
    config.learning_rate = chosen->learning_rate;
    config.weight_decay = chosen->weight_decay;
    config.scheduler = DV_SCHEDULE_NONE;
    config.warmup = 0;
    config.patience = 0;
    config.seed = chosen->seed;
    config.time_layers = chosen->time_layers;
    config.algorithms = chosen->algorithms;
    bench_set_training(chosen->precision, &config);
    config.report_steps = s->report;
    config.record = chosen->record;
    s->source = (dv_source){.user = s,
                            .rows = chosen->rows,
                            .frames = chosen->frames,
                            .classes = chosen->classes,
                            .train_count = s->chosen.batches * s->report * chosen->batch,
                            .train_batch = train_batch,
                            .device_batch = chosen->resident ? device_batch : NULL};
    DV_TRY(dv_trainer_create(s->context, &config, s->model, &s->source, &s->trainer));
    s->params = dv_trainer_params(s->trainer);
    return chosen->resident ? steps_make_resident(s) : DV_OK;
}

static dv_status read_checkpoint(steps *s)
{
    dv_checkpoint checkpoint;
    DV_TRY(dv_checkpoint_open(s->chosen.checkpoint, &checkpoint));
    dv_status status = dv_checkpoint_read(&checkpoint, s->params, DV_BUFFER_VALUES);
    dv_checkpoint_close(&checkpoint);
    return status;
}

static dv_status make(steps *s, const dv_tree *model)
{
    DV_TRY(dv_tree_copy(model, &s->model));
    DV_TRY(dv_context_open(s->chosen.device, (int)s->chosen.threads, notes_log(&s->said),
                           &s->context));
    DV_TRY(dv_precision_choose(s->context, (dv_arithmetic)s->chosen.precision, &s->precision));
    s->context->algorithms = (dv_algorithms)s->chosen.algorithms;
    s->report = s->context->backend->host_memory ? 1 : s->chosen.report;
    DV_TRY(make_batches(s));
    DV_TRY(dv_calloc(STEPS_MOST, sizeof *s->seconds, &s->seconds));
    DV_TRY(dv_calloc(STEPS_MOST, sizeof *s->losses, &s->losses));
    DV_TRY(s->chosen.inference ? steps_make_inference(s) : make_trainer(s));
    return s->chosen.checkpoint[0] != '\0' ? read_checkpoint(s) : DV_OK;
}

dv_status steps_open(const dv_tree *model, const steps_options *options, steps **out)
{
    steps *s;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *s, &s));
    s->chosen = *options;
    if (s->chosen.batches == 0)
        s->chosen.batches = BATCHES;
    dv_status status = make(s, model);
    if (status != DV_OK)
        steps_close(s);
    else
        *out = s;
    return status;
}

void steps_close(steps *s)
{
    if (s == NULL)
        return;
    steps_listener_free(s->listener);
    dv_trainer_free(s->trainer);
    dv_network_free(&s->network);
    if (s->recording != NULL)
        s->context->backend->release_captured(s->context, s->recording);
    if (s->resident_features != NULL)
        s->context->backend->release(s->context, s->resident_features);
    if (s->resident_targets != NULL)
        s->context->backend->release(s->context, s->resident_targets);
    dv_context_close(s->context);
    notes_free(&s->said);
    dv_tree_free(s->model);
    free(s->features);
    free(s->targets);
    free(s->logits);
    free(s->seconds);
    free(s->losses);
    free(s);
}

/* ---- Queries ---- */

steps_times steps_measured(const steps *s)
{
    return (steps_times){
        .seconds = s->seconds, .losses = s->losses, .count = s->done, .processor = s->processor};
}

const steps_options *steps_chosen(const steps *s)
{
    return &s->chosen;
}

const dv_context *steps_context(const steps *s)
{
    return s->context;
}

int64_t steps_parameters(const steps *s)
{
    return dv_params_count(s->params);
}

int64_t steps_macs(const steps *s)
{
    return dv_graph_macs(s->trainer != NULL ? dv_trainer_graph(s->trainer) : s->network.graph);
}

size_t steps_arena(const steps *s)
{
    return s->trainer != NULL ? dv_trainer_memory(s->trainer).arena
                              : dv_plan_memory_use(s->network.plan).arena;
}

const notes *steps_notes(const steps *s)
{
    return &s->said;
}

steps_counters steps_count(const steps *s)
{
    if (s->trainer == NULL)
        return s->counters;
    dv_train_counters counters = dv_trainer_counters(s->trainer);
    return (steps_counters){.replays = counters.replays,
                            .eager = counters.eager,
                            .nodes = counters.nodes,
                            .skipped = dv_trainer_state_of(s->trainer)->skipped};
}

dv_status steps_check(const steps *s)
{
    steps_counters counters = steps_count(s);
    bool records = s->context->backend->capture != NULL && s->chosen.record &&
                   (s->trainer != NULL || s->chosen.resident);
    DV_TRY(notes_check(&s->said));
    if (records && counters.eager + counters.replays > 1 && counters.eager != 1)
        return DV_FAIL(DV_EUNSUPPORTED,
                       "the recorded step was not used throughout: %" PRIu64
                       " steps were replayed, %" PRIu64 " ran call by call",
                       counters.replays, counters.eager);
    return DV_OK;
}

dv_status steps_write_dot(const steps *s, const char *path)
{
    if (s->trainer != NULL)
        return dv_trainer_recording_dot(s->trainer, path);
    if (s->recording == NULL)
        return DV_FAIL(DV_EUNSUPPORTED, "%s: no pass is recorded on %s", path,
                       s->context->backend->name);
    return s->context->backend->captured_dot(s->context, s->recording, path);
}

dv_status steps_layers(const steps *s, dv_line_fn line, void *user)
{
    if (s->trainer == NULL || !s->chosen.time_layers)
        return DV_FAIL(DV_EARG, "the layers of a training step are timed with --time_layers");
    dv_trainer_time_table(s->trainer, line, user);
    return DV_OK;
}

/* A checkpoint needs a configuration, here the model alone, and labels, here the classes' numbers.
 */
static dv_status fill_trees(const steps *s, dv_tree *config, dv_tree *labels)
{
    dv_tree *child;
    DV_TRY(dv_tree_copy(s->model, &child));
    DV_TRY(dv_tree_append(config, "model", child));
    for (int64_t i = 0; i < s->chosen.classes; i++) {
        char text[32];
        snprintf(text, sizeof text, "%" PRId64, i);
        DV_TRY(dv_tree_new_scalar(text, NULL, 0, &child));
        DV_TRY(dv_tree_append(labels, NULL, child));
    }
    return DV_OK;
}

dv_status steps_save(const steps *s, const char *path)
{
    dv_tree *config = NULL, *labels = NULL, *state = NULL;
    dv_status status;
    DV_TRY_GOTO(dv_tree_new(DV_TREE_MAP, NULL, 0, &config));
    DV_TRY_GOTO(dv_tree_new(DV_TREE_LIST, NULL, 0, &labels));
    DV_TRY_GOTO(dv_tree_new(DV_TREE_MAP, NULL, 0, &state));
    DV_TRY_GOTO(fill_trees(s, config, labels));
    status = dv_checkpoint_write(path, s->params, config, labels, state);
fail:
    dv_tree_free(config);
    dv_tree_free(labels);
    dv_tree_free(state);
    return status;
}

dv_status steps_save_batches(steps *s, const char *path)
{
    const steps_options *chosen = &s->chosen;
    int64_t samples = s->chosen.batches * chosen->batch;
    float *logits;
    DV_TRY(dv_calloc((size_t)(samples * chosen->classes), sizeof *logits, &logits));
    dv_status status = DV_OK;
    for (int64_t i = 0; chosen->inference && status == DV_OK && i < s->chosen.batches; i++)
        status = steps_infer_batch(s, s->features + i * steps_feature_count(s),
                                   logits + i * steps_target_count(s));
    dv_safetensors_entry entries[] = {
        {"features", DV_SAFETENSORS_F32, 3, {samples, chosen->rows, chosen->frames}, s->features},
        {"targets", DV_SAFETENSORS_F32, 2, {samples, chosen->classes}, s->targets},
        {"logits", DV_SAFETENSORS_F32, 2, {samples, chosen->classes}, logits},
    };
    if (status == DV_OK)
        status = dv_safetensors_write(path, NULL, 0, entries, chosen->inference ? 3 : 2);
    free(logits);
    return status;
}

/* ---- The steps ---- */

/* Calls `next` for the number of steps to measure, and starts the clocks. */
static void ask(steps *s)
{
    int64_t wanted = 0;
    s->failure = s->next(s->user, s, &wanted);
    if (s->failure != DV_OK)
        snprintf(s->problem, sizeof s->problem, "%s", dv_error_message());
    s->wanted = (wanted + s->report - 1) / s->report;
    s->done = 0;
    s->stop = s->failure != DV_OK || wanted == 0;
    DV_ASSERT(s->wanted <= STEPS_MOST);
    s->processor_start = dv_clock_processor();
    s->step_start = dv_clock();
}

/* The time runs from the end of the step before, so it contains all that the trainer does. */
void steps_counted(steps *s, double loss)
{
    double now = dv_clock();
    s->seconds[s->done] = (now - s->step_start) / (double)s->report;
    s->losses[s->done++] = loss;
    s->step_start = now;
    if (s->done < s->wanted)
        return;
    s->processor = (dv_clock_processor() - s->processor_start) / (double)(s->report * s->done);
    ask(s);
}

static void after_step(void *user, const dv_trainer *trainer)
{
    steps *s = user;
    const dv_train_state *state = dv_trainer_state_of(trainer);
    int64_t samples = s->report * s->chosen.batch;
    double before = state->seen == samples ? 0 : s->loss_before;
    s->loss_before = state->loss_sum;
    steps_counted(s, (state->loss_sum - before) / (double)samples);
}

static dv_train_next what_next(void *user)
{
    const steps *s = user;
    return s->stop ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

static dv_status train(steps *s)
{
    dv_train_events events = {.user = s, .step = after_step, .next = what_next};
    dv_status status = dv_trainer_run(s->trainer, &events);
    return status == DV_EINTERRUPTED ? DV_OK : status;
}

dv_status steps_run(steps *s, steps_next next, void *user)
{
    s->next = next;
    s->user = user;
    ask(s);
    if (!s->stop)
        DV_TRY(s->chosen.inference ? steps_infer(s) : train(s));
    return s->failure != DV_OK ? DV_FAIL(s->failure, "%s", s->problem) : DV_OK;
}
