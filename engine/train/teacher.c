/*
 * Teachers: trained models whose answers to a batch the student learns beside its targets. They
 * form an inference graph of their own on the student's device. Several teachers are mixed with
 * equal shares, as an ensemble.
 */
#include "engine/layers/model.h"
#include "engine/ops/ops.h"
#include "engine/train/train_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct dv_teaching {
    dv_trainer *trainer;
    int count;
    const dv_source *sources[DV_MAX_TEACHERS]; /* NULL takes the student's features */
    int inputs[DV_MAX_TEACHERS], logits;
    dv_params *params;
    dv_graph *graph;
    dv_plan *plan;
    float *features; /* a batch of the largest source, if the front-end makes it */
};

/* ---- Making ---- */

static dv_status build_one(dv_teaching *teaching, const dv_teacher *teacher, int index, int *logits)
{
    const dv_trainer *trainer = teaching->trainer;
    const dv_source *source = teacher->source != NULL ? teacher->source : trainer->source;
    dv_shape shape = {trainer->batch, source->rows, source->frames, 1};
    char prefix[DV_NAME_SIZE], name[DV_NAME_SIZE];
    dv_teacher_prefix(index, prefix);
    snprintf(name, sizeof name, "features_%d", index + 1);
    teaching->sources[index] = teacher->source;
    DV_TRY(dv_graph_input(teaching->graph, name, shape, &teaching->inputs[index]));
    return dv_model_build_member(teaching->graph, prefix, teacher->model, teaching->inputs[index],
                                 trainer->source->classes, logits);
}

static dv_status build(dv_teaching *teaching, const dv_teacher *teachers)
{
    int logits[DV_MAX_TEACHERS];
    const dv_trainer *trainer = teaching->trainer;
    DV_TRY(dv_params_create(trainer->context, trainer->precision, &teaching->params));
    DV_TRY(dv_graph_create(teaching->params, &teaching->graph));
    for (int i = 0; i < teaching->count; i++)
        DV_TRY(build_one(teaching, &teachers[i], i, &logits[i]));
    teaching->logits = logits[0];
    if (teaching->count == 1)
        return DV_OK;
    /* Its weights are initially 0, which gives equal shares. */
    return dv_graph_add(teaching->graph, &dv_op_weighted_sum, "mean", NULL, logits, teaching->count,
                        &teaching->logits);
}

static dv_status allocate_features(dv_teaching *teaching)
{
    int64_t largest = 0;
    for (int i = 0; i < teaching->count; i++) {
        const dv_source *source = teaching->sources[i];
        if (source != NULL && source->device_batch == NULL)
            largest =
                source->rows * source->frames > largest ? source->rows * source->frames : largest;
    }
    if (largest == 0)
        return DV_OK;
    return dv_calloc((size_t)(teaching->trainer->batch * largest), sizeof(float),
                     &teaching->features);
}

dv_status dv__teaching_create(dv_trainer *trainer, const dv_teacher *teachers, int count)
{
    dv_teaching *teaching;
    if (count == 0)
        return DV_OK;
    DV_ASSERT(count <= DV_MAX_TEACHERS);
    DV_TRY(dv_calloc(1, sizeof *teaching, &teaching));
    trainer->teaching = teaching;
    teaching->trainer = trainer;
    teaching->count = count;
    DV_TRY(build(teaching, teachers));
    dv_plan_options options = {.outputs = &teaching->logits, .output_count = 1};
    DV_TRY(dv_plan_create(trainer->context, teaching->graph, &options, &teaching->plan));
    DV_TRY(allocate_features(teaching));
    return dv_params_initialize(teaching->params, 0);
}

void dv__teaching_free(dv_teaching *teaching)
{
    if (teaching == NULL)
        return;
    dv_plan_free(teaching->plan);
    dv_graph_free(teaching->graph);
    dv_params_free(teaching->params);
    free(teaching->features);
    free(teaching);
}

void dv_teacher_prefix(int index, char prefix[DV_NAME_SIZE])
{
    snprintf(prefix, DV_NAME_SIZE, "teacher_%d", index + 1);
}

dv_params *dv_trainer_teachers(const dv_trainer *trainer)
{
    return trainer->teaching != NULL ? trainer->teaching->params : NULL;
}

/* ---- Answers ---- */

dv_status dv__teaching_load(dv_teaching *teaching, const int64_t *places, uint64_t step)
{
    dv_trainer *trainer = teaching->trainer;
    for (int i = 0; i < teaching->count; i++) {
        const dv_source *source = teaching->sources[i];
        if (source == NULL || source->device_batch != NULL)
            continue;
        DV_TRY(source->train_batch(source->user, places, trainer->batch,
                                   (uint64_t)trainer->config.seed, step, teaching->features,
                                   trainer->targets)); /* same as the student's */
        DV_TRY(dv_plan_upload(teaching->plan, teaching->inputs[i], teaching->features));
    }
    return DV_OK;
}

/* Gives a teacher the batch in the student's features or in its own. */
static dv_status hear(dv_teaching *teaching, int index, const dv_batch_request *request)
{
    const dv_trainer *trainer = teaching->trainer;
    const dv_source *source = teaching->sources[index];
    int input = teaching->inputs[index];
    if (source == NULL)
        return dv_plan_copy(trainer->train.plan, trainer->train.input, teaching->plan, input);
    if (source->device_batch == NULL)
        return DV_OK; /* dv__teaching_load has made the batch */
    dv_batch_request own = *request;
    own.features = dv_plan_address(teaching->plan, input);
    own.targets = NULL; /* the same as the student's */
    return source->device_batch(source->user, &own);
}

dv_status dv__teaching_ask(dv_teaching *teaching, const dv_batch_request *request)
{
    const dv_trainer *trainer = teaching->trainer;
    dv_pass pass = {.training = false};
    for (int i = 0; i < teaching->count; i++)
        DV_TRY(hear(teaching, i, request));
    DV_TRY(dv_plan_forward(teaching->plan, &pass));
    return dv_plan_copy(teaching->plan, teaching->logits, trainer->train.plan, trainer->teacher);
}
