/*
 * Opens a checkpoint and uses it as the program does: a session answers a tone, the weights are
 * exported in both precisions, and a training begins with it, or is resumed if the checkpoint is
 * one of a training. Written files are read again.
 */
#include "engine/base/yaml.h"
#include "frontends/model/checkpoint.h"
#include "frontends/model/session.h"
#include "frontends/model/transfer.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/tone_clips.h"
#include "tests/fuzz/tone_training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 600, SEED_SIZE = 65536 };

/* ---- A training's state, written and read as in runner/training/training.c and resume.c ---- */

static dv_status save(const tone_training *training, const dv_tree *labels, const char *path)
{
    dv_tree *state;
    const dv_train_state *now = dv_trainer_state_of(training->trainer);
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &state));
    dv_status status = dv_fields_write(dv_train_state_fields, now, state);
    if (status == DV_OK)
        status = dv_checkpoint_write(path, dv_trainer_params(training->trainer),
                                     training->experiment.tree, labels, state);
    dv_tree_free(state);
    return status;
}

static dv_status restore(tone_training *training, const dv_checkpoint *from)
{
    DV_TRY(dv_fields_read(dv_train_state_fields, from->state, "state",
                          dv_trainer_state(training->trainer)));
    return dv_checkpoint_read_all(from, dv_trainer_params(training->trainer));
}

/* ---- First inputs ---- */

#define SMALL "features: {duration: 0.2, n_fft: 128, hop: 64, window: 100, n_mels: 6, n_mfcc: 4}\n"
#define LINEAR "[{global_maxpool: }, {linear: {units: classes, name: head}}]"
#define CONV                                                                                       \
    "[{conv2d: {filters: 2, kernel: 3, name: stem}}, {batchnorm: {name: norm}},"                   \
    " {global_maxpool: }, {linear: {units: classes, name: head}}]"
#define BOTH "[{ensemble: {models: [{name: a, layers: " LINEAR "}, {name: b, layers: " CONV "}]}}]"

static const struct {
    const char *name, *features, *layers, *train;
} seeds[] = {
    {"mfcc", "features: {duration: 0.2, n_fft: 256, window: 200, n_mels: 20}\n", LINEAR, ""},
    {"mel", "features: {type: mel, n_fft: 64, window: 64, n_mels: 20}\n", LINEAR, ""},
    {"more_bands_than_bins",
     "features: {type: mel, sample_rate: 1000, n_fft: 64, window: 64, n_mels: 60}\n", LINEAR, ""},
    {"conv", SMALL, CONV, ""},
    {"average", SMALL, LINEAR, ", ema_decay: 0.9"},
    {"sgd", SMALL, CONV, ", optimizer: sgd, freeze: ['stem.*']"},
    {"ensemble", SMALL, BOTH, ", accumulate: 2"},
};
enum { SEEDS = sizeof seeds / sizeof seeds[0] };

/* Makes a first input of the file and removes the file. The two keys of its seal are renamed, as if
   another program had written it: with its checksum every change would be refused as damage, and no
   code behind that check would be tried. */
static void keep(const char *path, const char *folder, const char *name, const char *kind)
{
    static const char *const keys[] = {"decavox.format", "decavox.checksum"};
    static char bytes[SEED_SIZE + 1];
    char seed[64];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fuzz_must(DV_FAIL(DV_EIO, "%s: cannot be read", path));
    size_t size = fread(bytes, 1, SEED_SIZE, file);
    fclose(file);
    remove(path);
    bytes[size] = '\0';
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        memcpy(strstr(bytes + sizeof(uint64_t), keys[i]), "another", strlen("another"));
    snprintf(seed, sizeof seed, "%s-%s", name, kind);
    fuzz_write_seed(folder, seed, bytes, size);
}

static dv_status ignore_epoch(void *user, const dv_trainer *trainer, const dv_epoch_metrics *m)
{
    (void)user;
    (void)trainer;
    (void)m;
    return DV_OK;
}

static dv_status open_seed(size_t number, tone_training *out)
{
    char config[1000];
    dv_tree *tree;
    snprintf(config, sizeof config,
             "%smodel: {name: x, layers: %s}\ntrain: {epochs: 2, batch_size: 4%s}\n",
             seeds[number].features, seeds[number].layers, seeds[number].train);
    DV_TRY(dv_yaml_parse(config, strlen(config), seeds[number].name, &tree));
    dv_status status = tone_training_open(tree, out);
    dv_tree_free(tree);
    return status;
}

/* Writes a training at its beginning and at its end, and its weights in both precisions. */
void fuzz_write_seeds(const char *folder)
{
    static const char *const precisions[] = {"fp32", "fp16"};
    const dv_train_events events = {.epoch = ignore_epoch};
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/seed.safetensors", folder);
    for (size_t i = 0; i < SEEDS; i++) {
        tone_training training = {.trainer = NULL};
        fuzz_must(open_seed(i, &training));
        dv_tree *labels = tone_labels(&training.dataset);
        fuzz_must(save(&training, labels, path));
        keep(path, folder, seeds[i].name, "begun");
        fuzz_must(dv_trainer_run(training.trainer, &events));
        fuzz_must(save(&training, labels, path));
        keep(path, folder, seeds[i].name, "ended");
        for (int p = DV_CHECKPOINT_FP32; p <= DV_CHECKPOINT_FP16; p++) {
            fuzz_must(dv_checkpoint_write_weights(path, dv_trainer_params(training.trainer),
                                                  (dv_checkpoint_precision)p,
                                                  training.experiment.tree, labels));
            keep(path, folder, seeds[i].name, precisions[p]);
        }
        dv_tree_free(labels);
        tone_training_close(&training);
    }
}

/* ---- One input ---- */

/* Whether the checkpoint's configuration is within the limits; otherwise the computation, not the
   parser, would take long. */
static bool affords(const dv_checkpoint *checkpoint)
{
    dv_features_config features;
    const dv_tree *model = dv_tree_get(checkpoint->config, "model");
    const dv_tree *section = dv_tree_get(checkpoint->config, "features");
    return model != NULL &&
           dv_fields_read(dv_features_fields, section, "features", &features) == DV_OK &&
           fuzz_affords(&features, model, (int64_t)checkpoint->labels->count, NULL);
}

static void ask(dv_model *model)
{
    dv_dataset dataset;
    dv_session *session;
    const int64_t indices[] = {0};
    float *logits;
    make_tone_clips(dv_model_frontend(model), &dataset);
    fuzz_must(dv_calloc((size_t)dv_model_classes(model), sizeof *logits, &logits));
    fuzz_must(dv_session_create(model, NULL, &session));
    (void)dv_session_clips(session, &dataset, indices, 1, logits);
    dv_session_free(session);
    free(logits);
    dv_dataset_free(&dataset);
}

/* Exports in both precisions and reads the files again. Weights that were read are finite, so only
   FP16 may refuse them, as too large. */
static void export(dv_model *model, const char *path)
{
    const dv_checkpoint *from = dv_model_checkpoint(model);
    dv_params *params = dv_model_params(model);
    for (int p = DV_CHECKPOINT_FP32; p <= DV_CHECKPOINT_FP16; p++) {
        dv_checkpoint again;
        dv_status status = dv_checkpoint_write_weights(path, params, (dv_checkpoint_precision)p,
                                                       from->config, from->labels);
        if (p == DV_CHECKPOINT_FP16 && status == DV_ENUMERIC)
            continue;
        fuzz_must(status);
        fuzz_must(dv_checkpoint_open(path, &again));
        fuzz_must(dv_checkpoint_read(&again, params, DV_BUFFER_VALUES));
        dv_checkpoint_close(&again);
        remove(path);
    }
}

static void predict(const char *path, const char *other)
{
    dv_model *model;
    if (dv_model_open(path, NULL, &model) != DV_OK)
        return;
    ask(model);
    export(model, other);
    dv_model_close(model);
}

static void ignore_line(void *user, const char *line)
{
    (void)user;
    (void)line;
}

static void begin_with(const tone_training *training, const char *path)
{
    const dv_transfer_target target = {
        .graph = dv_trainer_graph(training->trainer),
        .features = dv_tree_get(training->experiment.tree, "features"),
        .labels = (const char *const *)training->dataset.labels,
        .label_count = training->dataset.label_count,
    };
    (void)dv_transfer(path, &target, ignore_line, NULL);
}

static void go_on(tone_training *training, const dv_checkpoint *from, const char *other)
{
    dv_checkpoint again;
    if (from->state == NULL || restore(training, from) != DV_OK)
        return;
    fuzz_must(save(training, from->labels, other));
    fuzz_must(dv_checkpoint_open(other, &again));
    fuzz_must(restore(training, &again));
    dv_checkpoint_close(&again);
    remove(other);
}

static void train(const dv_checkpoint *from, const char *other)
{
    tone_training training;
    if (tone_training_open(from->config, &training) == DV_OK) {
        begin_with(&training, from->path);
        go_on(&training, from, other);
    }
    tone_training_close(&training);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_checkpoint checkpoint;
    size_t tensors, f16;
    char other[PATH_SIZE];
    const char *path = fuzz_file("model.safetensors", data, size);
    snprintf(other, sizeof other, "%s.other", path);
    if (dv_checkpoint_open(path, &checkpoint) != DV_OK)
        return 0;
    dv_checkpoint_tensors(&checkpoint, &tensors, &f16);
    if (affords(&checkpoint)) {
        predict(path, other);
        if (checkpoint.labels->count == FUZZ_CLASSES) /* the tones' labels */
            train(&checkpoint, other);
    }
    dv_checkpoint_close(&checkpoint);
    return 0;
}
