/* Opens a checkpoint and makes its network. */
#include "frontends/model/model.h"
#include "engine/base/locale.h"
#include "frontends/model/choices.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct dv_model {
    dv_checkpoint checkpoint;
    dv_frontend *frontend;
    dv_context *context; /* owns the memory of the parameters */
    dv_precision precision;
    dv_network network;   /* for batch 1; its plan gave the parameters their places */
    dv_choices choices;   /* the choices of algorithms as they were kept */
    pthread_mutex_t lock; /* held to make a session's network, and to lend or return the model's */
    bool lent;
};

dv_status dv__options_take(const void *given, size_t size, const char *name, void *out)
{
    size_t given_size = size;
    memset(out, 0, size);
    if (given == NULL)
        return DV_OK;
    memcpy(&given_size, given, sizeof given_size); /* the first field */
    if (given_size < sizeof given_size || given_size > size || given_size % sizeof given_size != 0)
        return DV_FAIL(DV_EARG,
                       "%s: its size is %zu, must be sizeof(%s), which is %zu in this version",
                       name, given_size, name, size);
    memcpy(out, given, given_size);
    return DV_OK;
}

/* ---- Opening ---- */

/* A wrong argument from the configuration is a fault of the file, not of the call. */
static dv_status fault_of_file(dv_status status)
{
    return status == DV_EARG ? DV_ECONFIG : status;
}

static dv_status read_frontend(dv_model *model)
{
    dv_features_config config;
    const dv_tree *features = dv_tree_get(model->checkpoint.config, "features");
    if (features == NULL)
        return DV_FAIL(DV_ECONFIG, "the configuration has no section 'features'");
    DV_TRY(dv_fields_read(dv_features_fields, features, "features", &config));
    return fault_of_file(dv_frontend_create(&config, &model->frontend));
}

static dv_status build_network(const dv_model *model, dv_context *context, dv_params *params,
                               int64_t batch, dv_network *out)
{
    dv_network_options options = {.model = dv_tree_get(model->checkpoint.config, "model"),
                                  .batch = batch,
                                  .rows = dv_frontend_rows(model->frontend),
                                  .frames = dv_frontend_frames(model->frontend),
                                  .classes = dv_model_classes(model),
                                  .params = params,
                                  .precision = model->precision};
    if (options.model == NULL)
        return DV_FAIL(DV_ECONFIG, "the configuration has no section 'model'");
    return fault_of_file(dv_network_build(context, &options, out));
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

dv_status dv__option_find(const char *option, const char *value, const char *const *names, int *out)
{
    char known[128] = "";
    for (*out = 0; names[*out] != NULL; ++*out) {
        if (strcmp(value, names[*out]) == 0)
            return DV_OK;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "", names[*out]);
    }
    return DV_FAIL(DV_EARG, "%s is '%s', must be one of %s", option, value, known);
}

static dv_status set_arithmetic(dv_context *context, const dv_model_options *options,
                                dv_precision *out)
{
    int precision, algorithms;
    DV_TRY(dv__option_find("precision", options->precision != NULL ? options->precision : "fp32",
                           dv_precision_names, &precision));
    DV_TRY(dv__option_find("algorithms", options->algorithms != NULL ? options->algorithms : "kept",
                           dv_algorithms_to_answer_names, &algorithms));
    context->algorithms = (dv_algorithms)algorithms;
    return dv_precision_choose(context, (dv_arithmetic)precision, out);
}

/* Makes the front-end and the network, with the algorithms that were kept for this checkpoint. */
static dv_status make(dv_model *model, const dv_model_options *options)
{
    const dv_log log = {.write = options->log, .user = options->log_user};
    const char *device = options->device != NULL ? options->device : "cpu";
    DV_TRY(read_frontend(model));
    DV_TRY(dv_context_open(device, 1, log, &model->context));
    DV_TRY(set_arithmetic(model->context, options, &model->precision));
    DV_TRY(build_network(model, model->context, NULL, 1, &model->network));
    dv_choices_recall(model->context, dv_model_precision(model), &model->checkpoint,
                      &model->choices);
    DV_TRY(dv_network_plan(model->context, NULL, &model->network));
    dv_choices_keep(model->context, &model->choices);
    return read_kept(model);
}

static dv_status open_checkpoint(const char *name, const void *bytes, size_t size, dv_model *model)
{
    return bytes != NULL ? dv_checkpoint_open_memory(bytes, size, name, &model->checkpoint)
                         : dv_checkpoint_open(name, &model->checkpoint);
}

/* Opens the checkpoint in the file `name`, or in `bytes` unless they are NULL. */
static dv_status open_model(const char *name, const void *bytes, size_t size,
                            const dv_model_options *options, dv_model **out)
{
    dv_model *model;
    dv_model_options all;
    *out = NULL;
    DV_TRY(dv__options_take(options, sizeof all, "dv_model_options", &all));
    DV_TRY(dv_calloc(1, sizeof *model, &model));
    pthread_mutex_init(&model->lock, NULL);
    int threads_before = omp_get_max_threads();
    locale_t locale_before = dv_locale_enter(); /* the configuration has numbers */
    dv_status status = open_checkpoint(name, bytes, size, model);
    if (status == DV_OK)
        status = make(model, &all);
    dv_locale_leave(locale_before);
    omp_set_num_threads(threads_before); /* the context of one thread has set it to 1 */
    if (status == DV_ECONFIG || status == DV_ESHAPE)
        status = dv_fail_within(DV_EFORMAT, "%s", name);
    if (status != DV_OK) {
        dv_model_close(model);
        return status;
    }
    *out = model;
    return DV_OK;
}

dv_status dv_model_open(const char *path, const dv_model_options *options, dv_model **out)
{
    return open_model(path, NULL, 0, options, out);
}

dv_status dv_model_open_memory(const void *bytes, size_t size, const dv_model_options *options,
                               dv_model **out)
{
    *out = NULL;
    if (bytes == NULL)
        return DV_FAIL(DV_EARG, "the checkpoint in memory has no address");
    return open_model("the checkpoint in memory", bytes, size, options, out);
}

void dv_model_close(dv_model *model)
{
    if (model == NULL)
        return;
    dv_network_free(&model->network);
    dv_choices_free(&model->choices);
    dv_context_close(model->context);
    dv_frontend_free(model->frontend);
    dv_checkpoint_close(&model->checkpoint);
    pthread_mutex_destroy(&model->lock);
    free(model);
}

/* ---- Networks for sessions ---- */

dv_network *dv__model_borrow(dv_model *model)
{
    pthread_mutex_lock(&model->lock);
    dv_network *network = model->lent ? NULL : &model->network;
    model->lent = true;
    pthread_mutex_unlock(&model->lock);
    return network;
}

void dv__model_return(dv_model *model)
{
    pthread_mutex_lock(&model->lock);
    model->lent = false;
    pthread_mutex_unlock(&model->lock);
}

/* Measurements of the new plan go back to the model and are kept with the rest. */
static dv_status make_network(dv_model *model, int64_t batch, dv_context *context,
                              dv_network *network)
{
    const dv_context *mine = model->context;
    DV_TRY(dv_choices_share(model->context, context));
    DV_TRY(dv_context_set_tf32(context, mine->tf32));
    DV_TRY(build_network(model, context, model->network.params, batch, network));
    DV_TRY(dv_network_plan(context, NULL, network));
    DV_TRY(dv_choices_share(context, model->context));
    dv_choices_keep(model->context, &model->choices);
    return DV_OK;
}

dv_status dv__model_network(dv_model *model, int64_t batch, int threads, dv_context **context,
                            dv_network *network)
{
    *network = (dv_network){0};
    DV_TRY(dv_context_open_same(model->context, threads, context));
    pthread_mutex_lock(&model->lock);
    dv_status status = make_network(model, batch, *context, network);
    pthread_mutex_unlock(&model->lock);
    if (status != DV_OK) {
        dv_network_free(network);
        dv_context_close(*context);
        *context = NULL;
    }
    return status;
}

/* ---- Facts about a model ---- */

size_t dv_model_label_count(const dv_model *model)
{
    return model->checkpoint.labels->count;
}

int64_t dv_model_classes(const dv_model *model)
{
    return (int64_t)dv_model_label_count(model);
}

const char *dv_model_label(const dv_model *model, size_t index)
{
    const dv_tree *labels = model->checkpoint.labels;
    return index < labels->count ? labels->children[index]->text : NULL;
}

int64_t dv_model_sample_rate(const dv_model *model)
{
    return dv_frontend_config(model->frontend)->sample_rate;
}

double dv_model_window(const dv_model *model)
{
    return (double)dv_frontend_samples(model->frontend) / (double)dv_model_sample_rate(model);
}

const char *dv_model_card(const dv_model *model)
{
    return dv_checkpoint_config_text(&model->checkpoint);
}

const char *dv_model_device(const dv_model *model)
{
    return model->context->backend->name;
}

const char *dv_model_precision(const dv_model *model)
{
    return dv_products_name(model->context, model->precision.operands);
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

const dv_graph *dv_model_graph(const dv_model *model)
{
    return model->network.graph;
}

int dv_model_input(const dv_model *model)
{
    return model->network.input;
}

int dv_model_output(const dv_model *model)
{
    return model->network.logits;
}

dv_params *dv_model_params(const dv_model *model)
{
    return model->network.params;
}

int64_t dv_model_parameters(const dv_model *model)
{
    return dv_params_count(model->network.params);
}
