/* Opens a checkpoint and makes its network. */
#include "frontends/model/model.h"
#include "frontends/model/choices.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>

struct dv_model {
    dv_checkpoint checkpoint;
    dv_frontend *frontend;
    dv_context *context; /* of the parameters */
    dv_network network;  /* batch 1; its plan gave the parameters their places */
    atomic_bool taken;   /* the plan has another owner */
};

static dv_status read_frontend(dv_model *model)
{
    dv_features_config config;
    const dv_tree *features = dv_tree_get(model->checkpoint.config, "features");
    if (features == NULL)
        return DV_FAIL(DV_ECONFIG, "the configuration has no section 'features'");
    DV_TRY(dv_fields_read(dv_features_fields, features, "features", &config));
    return dv_frontend_create(&config, &model->frontend);
}

static dv_status build_network(dv_model *model)
{
    dv_network_options options = {.model = dv_tree_get(model->checkpoint.config, "model"),
                                  .batch = 1,
                                  .rows = dv_frontend_rows(model->frontend),
                                  .frames = dv_frontend_frames(model->frontend),
                                  .classes = dv_model_classes(model)};
    if (options.model == NULL)
        return DV_FAIL(DV_ECONFIG, "the configuration has no section 'model'");
    return dv_network_build(model->context, &options, &model->network);
}

static dv_status read_kept(dv_model *model)
{
    dv_buffer kept;
    dv_params *params = model->network.params;
    DV_TRY(dv_checkpoint_kept(&model->checkpoint, &kept));
    if (kept == DV_BUFFER_VALUES)
        return dv_checkpoint_read(&model->checkpoint, params, DV_BUFFER_VALUES);
    DV_TRY(dv_params_allocate_buffer(params, kept));
    DV_TRY(dv_checkpoint_read(&model->checkpoint, params, kept));
    return dv_params_copy(params, kept, DV_BUFFER_VALUES);
}

/* By the algorithms that were found before for this checkpoint, if there are such. */
static dv_status plan(dv_model *model, const char *checkpoint)
{
    dv_choices choices;
    dv_choices_recall(model->context, checkpoint, &choices);
    dv_status status = dv_network_plan(model->context, NULL, &model->network);
    if (status == DV_OK)
        dv_choices_keep(model->context, &choices);
    dv_choices_free(&choices);
    return status;
}

static dv_status load(dv_model *model, const char *checkpoint, const dv_model_options *options)
{
    DV_TRY(dv_checkpoint_open(checkpoint, &model->checkpoint));
    DV_TRY(read_frontend(model));
    DV_TRY(dv_context_open(options->device, 1, options->log, &model->context));
    model->context->algorithms = options->algorithms;
    DV_TRY(build_network(model));
    DV_TRY(plan(model, checkpoint));
    return read_kept(model);
}

dv_status dv_model_open(const char *checkpoint, const dv_model_options *options, dv_model **out)
{
    dv_model *model;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *model, &model));
    int threads_before = omp_get_max_threads();
    dv_status status = load(model, checkpoint, options);
    omp_set_num_threads(threads_before); /* the context of one thread has set it to 1 */
    if (status == DV_ECONFIG || status == DV_ESHAPE)
        status = dv_fail_within(DV_EFORMAT, "%s", checkpoint);
    if (status != DV_OK) {
        dv_model_close(model);
        return status;
    }
    *out = model;
    return DV_OK;
}

void dv_model_close(dv_model *model)
{
    if (model == NULL)
        return;
    if (atomic_load(&model->taken))
        model->network.plan = NULL;
    dv_network_free(&model->network);
    dv_context_close(model->context);
    dv_frontend_free(model->frontend);
    dv_checkpoint_close(&model->checkpoint);
    free(model);
}

int64_t dv_model_classes(const dv_model *model)
{
    return (int64_t)model->checkpoint.labels->count;
}

const char *dv_model_label(const dv_model *model, int64_t class)
{
    return model->checkpoint.labels->children[class]->text;
}

const dv_frontend *dv_model_frontend(const dv_model *model)
{
    return model->frontend;
}

const dv_checkpoint *dv_model_checkpoint(const dv_model *model)
{
    return &model->checkpoint;
}

dv_context *dv_model_context(const dv_model *model)
{
    return model->context;
}

const dv_network *dv_model_network(const dv_model *model)
{
    return &model->network;
}

dv_plan *dv_model_take_plan(dv_model *model)
{
    return atomic_exchange(&model->taken, true) ? NULL : model->network.plan;
}
