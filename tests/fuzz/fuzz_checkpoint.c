/* A checkpoint is opened, loaded by a predictor and asked about a tone. */
#include "engine/io/checkpoint.h"
#include "frontends/predictor/predictor.h"
#include "tests/fuzz/draw.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/tone_clips.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What train writes for {features: ..., model: a linear layer behind a pooling one}, with nothing
   in it but weights. */
static void write_seed(const char *folder, const char *name, const char *features)
{
    char text[1000], file[1100];
    static const char model[] =
        "model: {name: x, layers: [{global_maxpool: }, {linear: {units: classes, name: head}}]}";
    int length = snprintf(text, sizeof text,
                          "{\"__metadata__\":{\"decavox.config\":\"features: {%s}\\n%s\\n\","
                          "\"decavox.labels\":\"['a', 'b']\"},"
                          "\"head.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],"
                          "\"data_offsets\":[0,8]},"
                          "\"head.bias\":{\"dtype\":\"F32\",\"shape\":[2],"
                          "\"data_offsets\":[8,16]}}",
                          features, model);
    uint64_t size = (uint64_t)length;
    memset(file, 0, sizeof file);
    memcpy(file, &size, sizeof size);
    memcpy(file + sizeof size, text, (size_t)size);
    fuzz_write_seed(folder, name, file, sizeof size + (size_t)size + 16);
}

void fuzz_write_seeds(const char *folder)
{
    write_seed(folder, "mfcc", "duration: 0.2, n_fft: 256, window: 200, n_mels: 20");
    write_seed(folder, "mel", "type: mel, n_fft: 64, window: 64, n_mels: 20");
    write_seed(folder, "more_bands_than_bins",
               "type: mel, sample_rate: 1000, n_fft: 64, window: 64, n_mels: 60");
}

/* Whether what it says can be afforded; if not, it is not the parser that takes long. */
static bool affords(const dv_checkpoint *checkpoint)
{
    dv_features_config features;
    const dv_tree *model = dv_tree_get(checkpoint->config, "model");
    const dv_tree *section = dv_tree_get(checkpoint->config, "features");
    return model != NULL &&
           dv_fields_read(dv_features_fields, section, "features", &features) == DV_OK &&
           fuzz_affords(&features, model, (int64_t)checkpoint->labels->count, NULL);
}

static void ask(const char *path)
{
    dv_predictor *predictor;
    dv_dataset dataset;
    const dv_predictor_options options = {.device = "cpu", .threads = 1};
    const int64_t indices[] = {0};
    float *logits;
    if (dv_predictor_load(path, &options, &predictor) != DV_OK)
        return;
    make_tone_clips(dv_predictor_frontend(predictor), &dataset);
    fuzz_must(dv__calloc((size_t)dv_predictor_classes(predictor), sizeof *logits, &logits));
    (void)dv_predictor_clips(predictor, &dataset, indices, 1, logits);
    free(logits);
    dv_dataset_free(&dataset);
    dv_predictor_free(predictor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_checkpoint checkpoint;
    size_t tensors, halves;
    const char *path = fuzz_file("model.safetensors", data, size);
    if (dv_checkpoint_open(path, &checkpoint) != DV_OK)
        return 0;
    dv_checkpoint_tensors(&checkpoint, &tensors, &halves);
    bool affordable = affords(&checkpoint);
    dv_checkpoint_close(&checkpoint);
    if (affordable)
        ask(path);
    return 0;
}
