#include "tests/fuzz/tone_clips.h"
#include "tests/fuzz/draw.h"

#include <math.h>
#include <stdio.h>

static void make_clip(const dv_frontend *frontend, int number, dv_clip *clip)
{
    static const double lengths[] = {1, 0.3, 1.7, 0.9, 1.1};
    const double pi = acos(-1.0);
    char text[32];
    int label = number % FUZZ_CLASSES, turn = number / FUZZ_CLASSES;
    draw numbers = {(uint64_t)number};
    snprintf(text, sizeof text, "%d_%d.wav", label, turn);
    fuzz_must(dv_strdup(text, &clip->path));
    fuzz_must(dv_strdup("", &clip->speaker));
    clip->count = (int64_t)(lengths[turn] * (double)dv_frontend_samples(frontend));
    clip->label = label;
    clip->index = -1;
    clip->part = turn < TONE_TRAINING ? DV_PART_TRAIN : DV_PART_VALIDATION;
    fuzz_must(dv_calloc((size_t)clip->count, sizeof *clip->samples, &clip->samples));
    /* The pitch is a share of the sample rate. */
    double pitch = 0.02 * pow(1.7, label) * (0.95 + 0.1 * draw_share(&numbers));
    for (int64_t i = 0; i < clip->count && number != 4; i++) {
        double envelope = sin(pi * (double)i / (double)clip->count);
        double tone = 0.5 * envelope * sin(2 * pi * pitch * (double)i);
        clip->samples[i] = (float)(tone + 0.04 * (draw_share(&numbers) - 0.5));
    }
    clip->center = dv_frontend_prepare(frontend, clip->samples, clip->count);
}

void make_tone_clips(const dv_frontend *frontend, dv_dataset *out)
{
    *out = (dv_dataset){.count = TONE_CLIPS, .label_count = FUZZ_CLASSES};
    fuzz_must(dv_calloc(FUZZ_CLASSES, sizeof *out->labels, &out->labels));
    for (int i = 0; i < FUZZ_CLASSES; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        fuzz_must(dv_strdup(name, &out->labels[i]));
    }
    fuzz_must(dv_calloc(TONE_CLIPS, sizeof *out->clips, &out->clips));
    for (int i = 0; i < TONE_CLIPS; i++)
        make_clip(frontend, i, &out->clips[i]);
}

dv_tree *tone_labels(const dv_dataset *dataset)
{
    dv_tree *labels;
    fuzz_must(dv_tree_new(DV_TREE_LIST, NULL, 0, &labels));
    for (size_t i = 0; i < dataset->label_count; i++) {
        dv_tree *label;
        fuzz_must(dv_tree_new_scalar(dataset->labels[i], NULL, 0, &label));
        fuzz_must(dv_tree_append(labels, NULL, label));
    }
    return labels;
}
