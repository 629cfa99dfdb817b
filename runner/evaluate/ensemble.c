/* Makes one checkpoint of several: checks that the members fit together, and merges their
   configurations and weights. */
#include "runner/evaluate/ensemble.h"
#include "engine/backends/open.h"
#include "engine/base/text.h"
#include "engine/layers/network.h"
#include "frontends/model/transfer.h"
#include "runner/experiment/experiment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIX "mix"           /* name of the layer with the shares */
#define SUM_TOLERANCE 0.001 /* enough for eight shares that are rounded to four decimals */

static const dv_tree *config_of(const dv_ensemble_member *member)
{
    return dv_model_checkpoint(member->model)->config;
}

/* ---- Whether they fit each other ---- */

static dv_status check_labels(const dv_ensemble_member *first, const dv_ensemble_member *member)
{
    int64_t classes = dv_model_classes(first->model);
    if (dv_model_classes(member->model) != classes)
        return DV_FAIL(DV_EFORMAT,
                       "%s has %lld classes, and %s has %lld: members must have the same classes",
                       member->path, (long long)dv_model_classes(member->model), first->path,
                       (long long)classes);
    for (int64_t k = 0; k < classes; k++) {
        const char *label = dv_model_label(member->model, (size_t)k);
        const char *wanted = dv_model_label(first->model, (size_t)k);
        if (strcmp(label, wanted) != 0)
            return DV_FAIL(DV_EFORMAT,
                           "class %lld is '%s' in %s and '%s' in %s: members must have the same "
                           "labels in the same order",
                           (long long)k, label, member->path, wanted, first->path);
    }
    return DV_OK;
}

static dv_status check_features(const dv_ensemble_member *first, const dv_ensemble_member *member)
{
    dv_features_difference difference;
    DV_TRY(dv_features_compare(dv_frontend_config(dv_model_frontend(first->model)),
                               dv_frontend_config(dv_model_frontend(member->model)), NULL,
                               &difference));
    if (difference.key[0] == '\0')
        return DV_OK;
    return DV_FAIL(DV_EFORMAT,
                   "features.%s is %s in %s and %s in %s: members must have the same features",
                   difference.key, difference.second, member->path, difference.first, first->path);
}

static bool is_taken(const dv_ensemble_member *members, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(members[i].name, name) == 0)
            return true;
    }
    return false;
}

/* Names a member after its model, with the first free number if an earlier member has the name. A
   long name is cut, so that the names of the layers below it fit. */
static void name_member(dv_ensemble_member *members, int index)
{
    const dv_tree *name = dv_tree_get(dv_tree_get(config_of(&members[index]), "model"), "name");
    bool named = name != NULL && name->kind == DV_TREE_SCALAR && name->text[0] != '\0';
    const char *own =
        named && strcspn(name->text, "/") == strlen(name->text) ? name->text : "model";
    char text[DV_NAME_SIZE];
    int length = (int)strnlen(own, 40);
    while (length > 0 && ((unsigned char)own[length] & 0xC0) == 0x80)
        length--; /* do not cut a character of UTF-8 */
    snprintf(text, sizeof text, "%.*s", length, own);
    for (int number = 2; is_taken(members, index, text); number++)
        snprintf(text, sizeof text, "%.*s_%d", length, own, number);
    strcpy(members[index].name, text);
}

dv_status dv_ensemble_name(dv_ensemble_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        DV_TRY(check_labels(&members[0], &members[i]));
        DV_TRY(check_features(&members[0], &members[i]));
        name_member(members, i);
    }
    return DV_OK;
}

/* ---- Shares that are given ---- */

typedef struct shares_read {
    dv_ensemble_member *members;
    int count, read; /* count: members; read: shares read so far */
    double sum;
} shares_read;

static dv_status read_share(void *user, char *text)
{
    shares_read *shares = user;
    double share;
    if (!dv_parse_float(text, &share) || share <= 0)
        return DV_FAIL(DV_EARG, "--shares: '%.40s' is not a number above 0", text);
    if (shares->read < shares->count)
        shares->members[shares->read].share = share;
    shares->read++;
    shares->sum += share;
    return DV_OK;
}

dv_status dv_ensemble_read_shares(const char *text, dv_ensemble_member *members, int count)
{
    shares_read shares = {.members = members, .count = count};
    DV_TRY(dv_each_item(text, read_share, &shares));
    if (shares.read != count)
        return DV_FAIL(DV_EARG,
                       "--shares: there must be one for each of %d members, and there are %d",
                       count, shares.read);
    if (fabs(shares.sum - 1) > SUM_TOLERANCE)
        return DV_FAIL(DV_EARG, "--shares: their sum is %.6g, must be 1", shares.sum);
    return DV_OK;
}

/* ---- The configuration ---- */

static dv_status new_text(const char *text, dv_tree **out)
{
    DV_TRY(dv_tree_new_scalar(text, NULL, 0, out));
    (*out)->quoted = true; /* keeps a text that looks like a number a text */
    return DV_OK;
}

/* Adds the member's model to the list, under the member's name. */
static dv_status add_model(const dv_ensemble_member *member, dv_tree *models)
{
    dv_tree *model, *name;
    DV_TRY(dv_tree_copy(dv_tree_get(config_of(member), "model"), &model));
    dv_status status = new_text(member->name, &name);
    if (status == DV_OK)
        status = dv_tree_set(model, "name", name);
    if (status != DV_OK) {
        dv_tree_free(model);
        return status;
    }
    return dv_tree_append(models, NULL, model);
}

/* Sets the model to {name: ensemble, layers: [{ensemble: {models: [...], name: mix}}]}. It is built
   from the outside inwards, so that `config` owns every node at once. */
static dv_status add_models(const dv_ensemble_member *members, int count, dv_tree *config)
{
    dv_tree *model, *layers, *layer, *models, *name;
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &model));
    DV_TRY(dv_tree_set(config, "model", model));
    DV_TRY(new_text("ensemble", &name));
    DV_TRY(dv_tree_append(model, "name", name));
    DV_TRY(dv_tree_new(DV_TREE_LIST, NULL, 0, &layers));
    DV_TRY(dv_tree_append(model, "layers", layers));
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &layer));
    DV_TRY(dv_tree_append(layers, NULL, layer));
    DV_TRY(dv_tree_new(DV_TREE_LIST, NULL, 0, &models));
    DV_TRY(dv_tree_set(layer, "ensemble.models", models));
    for (int i = 0; i < count; i++)
        DV_TRY(add_model(&members[i], models));
    DV_TRY(new_text(MIX, &name));
    return dv_tree_set(layer, "ensemble.name", name);
}

/* Sets train.init_from to "advanced.=a.safetensors,...", with the last names of the paths. Members
   for which there is no room are omitted. */
static dv_status set_origin(const dv_ensemble_member *members, int count, dv_tree *config)
{
    char text[DV_STRING_SIZE] = "";
    dv_tree *value;
    for (int i = 0; i < count; i++) {
        size_t used = strlen(text);
        const char *slash = strrchr(members[i].path, '/');
        int length = snprintf(text + used, sizeof text - used, "%s%s.=%s", used > 0 ? "," : "",
                              members[i].name, slash != NULL ? slash + 1 : members[i].path);
        if (length < 0 || (size_t)length >= sizeof text - used)
            text[used] = '\0';
    }
    DV_TRY(new_text(text, &value));
    return dv_tree_set(config, "train.init_from", value);
}

static dv_status make_config(const dv_ensemble_member *members, int count, dv_tree **out)
{
    DV_TRY(dv_tree_copy(config_of(&members[0]), out));
    dv_status status = add_models(members, count, *out);
    if (status == DV_OK)
        status = set_origin(members, count, *out);
    if (status == DV_OK)
        dv_experiment_shorten_paths(*out);
    else
        dv_tree_free(*out);
    return status;
}

/* ---- The weights ---- */

/* Builds the network of the ensemble; only its parameters are used. */
static dv_status build(const dv_ensemble_member *first, const dv_tree *config, dv_context *context,
                       dv_network *out)
{
    const dv_frontend *frontend = dv_model_frontend(first->model);
    dv_network_options options = {.model = dv_tree_get(config, "model"),
                                  .batch = 1,
                                  .rows = dv_frontend_rows(frontend),
                                  .frames = dv_frontend_frames(frontend),
                                  .classes = dv_model_classes(first->model)};
    DV_TRY(dv_network_build(context, &options, out));
    return dv_params_allocate(out->params);
}

static dv_status fill(const dv_ensemble_member *members, int count, dv_params *params)
{
    float weight[DV_MAX_INPUTS]; /* their softmax gives the shares */
    for (int i = 0; i < count; i++) {
        DV_TRY(dv_transfer_all(dv_model_params(members[i].model), members[i].name, params));
        weight[i] = (float)log(members[i].share);
    }
    return dv_params_write(params, dv_params_find(params, MIX ".weight"), DV_BUFFER_VALUES, weight);
}

dv_status dv_ensemble_write(const dv_ensemble_member *members, int count,
                            dv_checkpoint_precision precision, const char *path)
{
    dv_context *context = NULL;
    dv_network network = {0};
    dv_tree *config;
    DV_TRY(make_config(members, count, &config));
    dv_status status = dv_context_open("cpu", 1, (dv_log){0}, &context);
    if (status == DV_OK)
        status = build(&members[0], config, context, &network);
    if (status == DV_OK)
        status = fill(members, count, network.params);
    if (status == DV_OK)
        status = dv_checkpoint_write_weights(path, network.params, precision, config,
                                             dv_model_checkpoint(members[0].model)->labels);
    dv_network_free(&network);
    dv_context_close(context);
    dv_tree_free(config);
    return status;
}
