/*
 * `cpu` must agree with `ref` in the loss and the gradient's norm of the first step, and in the
 * answers of the checkpoint. Both add the same numbers in different orders, and the effect of such
 * rounding depends on the model: a batch norm of nearly equal values makes it large. The effect is
 * therefore measured: `ref` is computed again with all samples, features and parameters off by a
 * rounding. The change of the results, times `slack`, is allowed, plus a small share of the value
 * itself. If that is not enough, a few more such changes are tried, because one change of a value
 * that is nothing but rounding may be small by chance.
 */
#include "tests/fuzz/run_case.h"
#include "engine/backends/open.h"
#include "frontends/batch/source.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/session.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/tone_clips.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double slack = 32, share = 2e-4;
static const double rounding = 0x1p-20; /* several roundings of a float in a row */

/* Smaller values than this, or than this share of the largest feature, are compared at this size: a
   mean over features without their mean is nothing but rounding. */
static const double least = 0.1, feature_share = 1e-3;

/* In mixed precision only `cpu` rounds the operands of products, to 8 bits. */
static const double mixed_share = 0.05;

enum { MOST_COLORS = 3, MOST_CHANGES = 5 };

/* The objects of one case. */
typedef struct setup {
    dv_experiment experiment;
    dv_frontend *frontend;
    dv_dataset dataset, moved; /* `moved` has its samples changed by a rounding */
    dv_tree *labels;
    char checkpoint[512];
    bool mixed;
    double scale; /* least size at which values are compared */
    char *text;
} setup;

/* Results of one training. */
typedef struct seen {
    double loss, norm; /* loss and gradient's norm of the first step */
    bool finite;       /* the parameters are finite afterwards */
} seen;

static case_outcome found(const setup *s, const char *what, dv_status status)
{
    snprintf(s->text, CASE_TEXT_SIZE, "%s: %s: %s", what, dv_status_text(status),
             dv_error_message());
    return CASE_FOUND;
}

/* Whether the status is one that a user may get, with a message, for a configuration. */
static bool is_refusal(dv_status status)
{
    bool expected = status == DV_ECONFIG || status == DV_ESHAPE || status == DV_EUNSUPPORTED ||
                    status == DV_EARG || status == DV_ENUMERIC;
    return expected && dv_error_message()[0] != '\0';
}

/* ---- Changes ---- */

/* Changes each value by a share of up to `by`. */
static void move_values(draw *numbers, double by, float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] *= (float)(1 + by * (2 * draw_share(numbers) - 1));
}

/* ---- Parameters ---- */

/* Changes each value by a share of up to `by`. Returns whether all values are finite. */
static bool visit_values(dv_params *params, double by)
{
    bool finite = true;
    draw numbers = {1};
    for (int i = 0; i < params->count; i++) {
        size_t count = (size_t)params->items[i].count;
        float *values;
        fuzz_must(dv_calloc(count, sizeof *values, &values));
        fuzz_must(dv_params_read(params, i, DV_BUFFER_VALUES, values));
        for (size_t k = 0; k < count; k++)
            finite = finite && isfinite(values[k]);
        move_values(&numbers, by, values, (int64_t)count);
        if (by > 0)
            fuzz_must(dv_params_write(params, i, DV_BUFFER_VALUES, values));
        free(values);
    }
    return finite;
}

/* ---- Training ---- */

static void on_step(void *user, const dv_trainer *trainer)
{
    seen *first = user;
    const dv_train_state *state = dv_trainer_state_of(trainer);
    if (state->step != 1)
        return;
    first->loss = dv_trainer_mean_loss(trainer);
    first->norm = state->norm_sum;
}

static dv_status on_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *metrics)
{
    (void)user;
    (void)trainer;
    (void)metrics;
    return DV_OK;
}

static dv_status run_trainer(const setup *s, dv_trainer *trainer, double by, const char *checkpoint,
                             seen *out)
{
    dv_train_events events = {.user = out, .step = on_step, .epoch = on_epoch};
    if (by > 0)
        (void)visit_values(dv_trainer_params(trainer), by);
    DV_TRY(dv_trainer_run(trainer, &events));
    out->finite = visit_values(dv_trainer_params(trainer), 0);
    if (checkpoint == NULL || !out->finite)
        return DV_OK;
    return dv_checkpoint_write(checkpoint, dv_trainer_params(trainer), s->experiment.tree,
                               s->labels, NULL);
}

/* A source whose features are changed by a share of up to `by`. Changed samples are not enough: if
   all clips are silent, their features stay equal. */
typedef struct moved_source {
    dv_source inner;
    double by;
} moved_source;

static dv_status moved_batch(void *user, const int64_t *places, int64_t count, uint64_t seed,
                             uint64_t step, float *features, float *targets)
{
    const moved_source *s = user;
    const dv_source *inner = &s->inner;
    draw numbers = {step};
    DV_TRY(inner->train_batch(inner->user, places, count, seed, step, features, targets));
    move_values(&numbers, s->by, features, count * inner->rows * inner->frames);
    return DV_OK;
}

static dv_status moved_validation(void *user, int64_t first, int64_t count, float *features,
                                  float *targets)
{
    const dv_source *inner = &((const moved_source *)user)->inner;
    return inner->validation_batch(inner->user, first, count, features, targets);
}

/* Trains `steps` on a device, with parameters that are off by a share of `by`. Writes `checkpoint`
   unless it is NULL. */
static dv_status train(const setup *s, const char *device, int64_t steps, double by,
                       const char *checkpoint, seen *out)
{
    dv_status status;
    dv_context *context = NULL;
    dv_clip_source *source = NULL;
    dv_trainer *trainer = NULL;
    moved_source moved = {.by = by};
    dv_source taken;
    dv_train_config config = s->experiment.train;
    if (strcmp(device, "ref") == 0)
        config.mixed_precision = DV_MIXED_NONE;
    config.max_steps =
        steps; /* the fuzzer's own limit; there are few clips, and so small batches */
    config.report_steps = 1;
    memset(out, 0, sizeof *out);
    DV_TRY_GOTO(dv_context_open(device, 1, (dv_log){0}, &context));
    DV_TRY_GOTO(dv_clip_source_create(context, by > 0 ? &s->moved : &s->dataset, s->frontend,
                                      &s->experiment.augment, config.batch_size, 1, &source));
    taken = moved.inner = *dv_clip_source_get(source);
    if (by > 0) {
        taken.user = &moved;
        taken.train_batch = moved_batch;
        taken.validation_batch = moved_validation;
    }
    DV_TRY_GOTO(dv_trainer_create(context, &config, s->experiment.model, &taken, &trainer));
    status = run_trainer(s, trainer, by, checkpoint, out);
fail:
    dv_trainer_free(trainer);
    dv_clip_source_free(source);
    dv_context_close(context);
    return status;
}

/* Whether `got` is near enough to `want`, which a change by a rounding moves by `change`. */
static bool near(double got, double want, double change, double scale)
{
    return fabs(got - want) <= share * scale + slack * change;
}

/* `change` has the largest differences of loss and norm after changes by a rounding. */
static case_outcome compare_steps(const setup *s, const seen *cpu, const seen *ref,
                                  const seen *change)
{
    if (!isfinite(cpu->loss) || !isfinite(cpu->norm)) {
        snprintf(s->text, CASE_TEXT_SIZE, "first step: loss %g, norm %g, and DV_OK", cpu->loss,
                 cpu->norm);
        return CASE_FOUND;
    }
    double scale = fmax(fmax(1, s->scale), fabs(ref->loss));
    bool close = s->mixed ? fabs(cpu->loss - ref->loss) <= mixed_share * scale
                          : near(cpu->loss, ref->loss, change->loss, scale) &&
                                near(cpu->norm, ref->norm, change->norm, fmax(s->scale, ref->norm));
    if (close)
        return CASE_PASSED;
    snprintf(
        s->text, CASE_TEXT_SIZE,
        "first step: cpu loss %.9g, norm %.9g; ref loss %.9g, norm %.9g (a change of rounding: "
        "%.3g, %.3g)",
        cpu->loss, cpu->norm, ref->loss, ref->norm, change->loss, change->norm);
    return CASE_FOUND;
}

static case_outcome try_training(const setup *s, bool *finite)
{
    seen cpu, ref, moved, change = {.loss = 0};
    dv_status status = train(s, "cpu", 2, 0, s->checkpoint, &cpu);
    *finite = cpu.finite;
    if (status != DV_OK) {
        case_outcome outcome = found(s, "training on cpu", status);
        return is_refusal(status) ? CASE_REFUSED : outcome;
    }
    status = train(s, "ref", 1, 0, NULL, &ref);
    if (status != DV_OK)
        return found(s, "training on ref alone", status);
    case_outcome outcome = CASE_FOUND;
    for (int i = 0; i < MOST_CHANGES && outcome == CASE_FOUND; i++) {
        status = train(s, "ref", 1, rounding * (1 + 0.25 * i), NULL, &moved);
        if (status != DV_OK)
            return found(s, "training on ref, changed", status);
        change.loss = fmax(change.loss, fabs(moved.loss - ref.loss));
        change.norm = fmax(change.norm, fabs(moved.norm - ref.norm));
        outcome = compare_steps(s, &cpu, &ref, &change);
    }
    return outcome;
}

/* ---- Predicting ---- */

/* Computes the checkpoint's logits (clips, classes). */
static dv_status predict(const setup *s, const char *device, float *logits)
{
    dv_model *model;
    dv_session *session = NULL;
    const dv_model_options options = {.size = sizeof options, .device = device};
    int64_t indices[TONE_CLIPS];
    for (int64_t i = 0; i < TONE_CLIPS; i++)
        indices[i] = i;
    DV_TRY(dv_model_open(s->checkpoint, &options, &model));
    dv_status status = dv_session_create(model, NULL, &session);
    if (status == DV_OK)
        status = dv_session_clips(session, &s->dataset, indices, TONE_CLIPS, logits);
    dv_session_free(session);
    dv_model_close(model);
    return status;
}

static dv_status answer_moved(const setup *s, dv_plan *plan, int output, dv_batch_workspace *batch,
                              float *features, float *logits)
{
    draw numbers = {3};
    const dv_pass pass = {.training = false};
    int64_t size = dv_frontend_rows(s->frontend) * dv_frontend_frames(s->frontend);
    for (int64_t i = 0; i < TONE_CLIPS; i++) {
        dv_batch_features(batch, &s->moved, &i, 1, NULL, features);
        move_values(&numbers, rounding, features, size);
        DV_TRY(dv_plan_upload(plan, 0,
                              features)); /* the first node is the input, the last one the answer */
        DV_TRY(dv_plan_forward(plan, &pass));
        DV_TRY(dv_plan_download(plan, output, logits + i * FUZZ_CLASSES));
    }
    return DV_OK;
}

/* Does the same on `ref`, with samples, features and parameters off by a rounding. */
static dv_status predict_moved(const setup *s, float *logits)
{
    dv_status status;
    dv_model *model = NULL;
    dv_plan *plan = NULL;
    dv_batch_workspace *batch = NULL;
    float *features = NULL;
    const dv_model_options options = {.size = sizeof options, .device = "ref"};
    int64_t size = dv_frontend_rows(s->frontend) * dv_frontend_frames(s->frontend);
    DV_TRY_GOTO(dv_model_open(s->checkpoint, &options, &model));
    dv_params *params = dv_model_params(model);
    const dv_graph *graph = dv_model_graph(model);
    const int output = graph->count - 1;
    (void)visit_values(params, rounding);
    DV_TRY_GOTO(dv_plan_create(params->context, graph,
                               &(dv_plan_options){.outputs = &output, .output_count = 1}, &plan));
    DV_TRY_GOTO(dv_batch_create(s->frontend, NULL, 1, &batch));
    DV_TRY_GOTO(dv_calloc((size_t)size, sizeof *features, &features));
    status = answer_moved(s, plan, output, batch, features, logits);
fail:
    free(features);
    dv_batch_free(batch);
    dv_plan_free(plan);
    dv_model_close(model);
    return status;
}

static case_outcome compare_answers(const setup *s, const float *cpu, const float *ref,
                                    const float *moved)
{
    double scale = s->scale, change = 0;
    for (int i = 0; i < TONE_CLIPS * FUZZ_CLASSES; i++) {
        scale = fmax(scale, fabs((double)ref[i]));
        change = fmax(change, fabs((double)moved[i] - (double)ref[i]));
    }
    for (int i = 0; i < TONE_CLIPS * FUZZ_CLASSES; i++) {
        if (isfinite(cpu[i]) && near((double)cpu[i], (double)ref[i], change, scale))
            continue;
        snprintf(s->text, CASE_TEXT_SIZE,
                 "answers: clip %d: cpu %.9g, ref %.9g, largest %.9g (a change of rounding: %.3g)",
                 i / FUZZ_CLASSES, (double)cpu[i], (double)ref[i], scale, change);
        return CASE_FOUND;
    }
    return CASE_PASSED;
}

static case_outcome try_predicting(const setup *s)
{
    enum { COUNT = TONE_CLIPS * FUZZ_CLASSES };
    float cpu[COUNT], ref[COUNT], moved[COUNT];
    dv_status status = predict(s, "cpu", cpu);
    if (status == DV_ENUMERIC) /* the weights are finite but too large */
        return CASE_DIVERGED;
    if (status != DV_OK)
        return found(s, "predicting on cpu", status);
    status = predict(s, "ref", ref);
    if (status != DV_OK)
        return found(s, "predicting on ref alone", status);
    status = predict_moved(s, moved);
    if (status != DV_OK)
        return found(s, "predicting on ref, changed", status);
    return compare_answers(s, cpu, ref, moved);
}

/* ---- The whole case ---- */

static void move_clips(dv_dataset *dataset)
{
    draw numbers = {2};
    for (size_t i = 0; i < dataset->count; i++)
        move_values(&numbers, rounding, dataset->clips[i].samples, dataset->clips[i].count);
}

/* Finds the size of the largest feature of all clips. */
static dv_status find_largest(const setup *s, double *largest)
{
    dv_batch_workspace *batch;
    float *features;
    int64_t size = dv_frontend_rows(s->frontend) * dv_frontend_frames(s->frontend);
    DV_TRY(dv_batch_create(s->frontend, NULL, 1, &batch));
    fuzz_must(dv_calloc((size_t)size, sizeof *features, &features));
    for (int64_t i = 0; i < TONE_CLIPS; i++) {
        dv_batch_features(batch, &s->dataset, &i, 1, NULL, features);
        for (int64_t k = 0; k < size; k++)
            *largest = fmax(*largest, fabs((double)features[k]));
    }
    free(features);
    dv_batch_free(batch);
    return DV_OK;
}

static void close_setup(setup *s)
{
    remove(s->checkpoint);
    dv_tree_free(s->labels);
    dv_dataset_free(&s->dataset);
    dv_dataset_free(&s->moved);
    dv_frontend_free(s->frontend);
    dv_experiment_free(&s->experiment);
}

static dv_status open_setup(const dv_tree *tree, setup *s)
{
    DV_TRY(dv_experiment_restore(tree, &s->experiment));
    if (s->experiment.augment.noise_colors > MOST_COLORS) /* each one takes seconds to make */
        s->experiment.augment.noise_colors = MOST_COLORS;
    DV_TRY(dv_frontend_create(&s->experiment.features, &s->frontend));
    make_tone_clips(s->frontend, &s->dataset);
    make_tone_clips(s->frontend, &s->moved);
    move_clips(&s->moved);
    DV_TRY(dv_dataset_weigh(&s->moved, s->experiment.train.class_weights));
    double largest = 0;
    DV_TRY(find_largest(s, &largest));
    s->scale = fmax(least, feature_share * largest);
    s->labels = tone_labels(&s->dataset);
    s->mixed = s->experiment.train.mixed_precision != DV_MIXED_NONE;
    return dv_dataset_weigh(&s->dataset, s->experiment.train.class_weights);
}

case_outcome run_case(const dv_tree *tree, const char *folder, char text[CASE_TEXT_SIZE])
{
    setup s = {.text = text};
    bool finite = false;
    text[0] = '\0';
    snprintf(s.checkpoint, sizeof s.checkpoint, "%s/case.safetensors", folder);
    dv_status status = open_setup(tree, &s);
    case_outcome outcome;
    if (status != DV_OK)
        outcome = found(&s, "setting up", status);
    else
        outcome = try_training(&s, &finite);
    if (status != DV_OK && is_refusal(status))
        outcome = CASE_REFUSED;
    if (outcome == CASE_PASSED)
        outcome = finite ? try_predicting(&s) : CASE_DIVERGED;
    close_setup(&s);
    return outcome;
}
