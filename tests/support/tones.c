#include "tests/support/tones.h"
#include "engine/base/yaml.h"
#include "tests/support/must.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 2000, SAMPLE_RATE = 8000, BATCH = 8 };

static const char model_text[] = "layers:\n"
                                 "  - frames:\n"
                                 "  - conv2d: {filters: 16, kernel: [1, 3], name: conv}\n"
                                 "  - batchnorm: {activation: relu, name: norm}\n"
                                 "  - global_maxpool:\n"
                                 "  - dropout: {rate: 0.1}\n"
                                 "  - linear: {units: classes, name: head}\n";

static void make_clip(const dv_frontend *frontend, int class, int number, dv_clip *clip)
{
    static const double pi = 3.141592653589793;
    char path[64];
    dv_rng rng = {.seed = 1, .use = DV_RNG_TEST, .step = (uint64_t)(class * 1000 + number)};
    snprintf(path, sizeof path, "tone_%d_%d", class, number);
    must(dv_strdup(path, &clip->path));
    must(dv_strdup("", &clip->speaker));
    must(dv_calloc(SAMPLES, sizeof *clip->samples, &clip->samples));
    clip->count = SAMPLES;
    double pitch = 300 * pow(1.4, class) * (0.96 + 0.08 * dv_rng_uniform(&rng, SAMPLES));
    for (int i = 0; i < SAMPLES; i++) {
        double tone = sin(2 * pi * pitch * i / SAMPLE_RATE) * sin(pi * i / SAMPLES);
        clip->samples[i] = (float)(0.5 * tone + 0.02 * dv_rng_normal(&rng, (uint32_t)i));
    }
    clip->center = dv_frontend_prepare(frontend, clip->samples, clip->count);
}

static void fill(tones *task, int classes, int train, int validation, bool mislabeled)
{
    dv_dataset *dataset = &task->dataset;
    must(dv_calloc((size_t)classes, sizeof *dataset->labels, &dataset->labels));
    dataset->label_count = (size_t)classes;
    int each = train + validation;
    must(dv_calloc((size_t)(classes * each), sizeof *dataset->clips, &dataset->clips));
    for (int class = 0; class < classes; class ++) {
        char label[16];
        snprintf(label, sizeof label, "%d", class);
        must(dv_strdup(label, &dataset->labels[class]));
        for (int i = 0; i < each; i++) {
            dv_clip *clip = &dataset->clips[dataset->count++];
            make_clip(task->frontend, class, i, clip);
            clip->part = i < train ? DV_PART_TRAIN : DV_PART_VALIDATION;
            clip->label = mislabeled && i >= train ? (class + 1) % classes : class;
        }
    }
}

void tones_on_device(tones *task, dv_context *context)
{
    dv_augment_config augment;
    must(dv_fields_default(dv_augment_fields, &augment));
    augment.shift = 0.02;
    augment.gain = 3;
    dv_clip_source_free(task->clips);
    must(dv_clip_source_create(context, &task->dataset, task->frontend, &augment, BATCH, 1,
                               &task->clips));
    task->source = *dv_clip_source_get(task->clips);
}

void tones_use_model(tones *task, const char *text)
{
    dv_tree_free(task->model);
    task->model = NULL;
    must(dv_yaml_parse(text, strlen(text), "tones.yaml", &task->model));
}

void tones_open(tones *task, int classes, int train, int validation, bool mislabeled)
{
    memset(task, 0, sizeof *task);
    dv_features_config features;
    must(dv_fields_default(dv_features_fields, &features));
    features.duration = 0.3;
    features.n_fft = features.window = 256;
    features.hop = 128;
    features.n_mels = 24;
    features.n_mfcc = 12;
    must(dv_frontend_create(&features, &task->frontend));
    fill(task, classes, train, validation, mislabeled);
    tones_on_device(task, NULL);
    tones_use_model(task, model_text);
    must(dv_fields_default(dv_train_fields, &task->config));
    task->config.batch_size = BATCH;
    task->config.learning_rate = 0.01;
    task->config.epochs = 4;
}

void tones_close(tones *task)
{
    dv_tree_free(task->model);
    dv_clip_source_free(task->clips);
    dv_frontend_free(task->frontend);
    dv_dataset_free(&task->dataset);
}
