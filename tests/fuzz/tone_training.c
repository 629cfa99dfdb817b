#include "tests/fuzz/tone_training.h"
#include "engine/backends/open.h"
#include "tests/fuzz/tone_clips.h"

#include <string.h>

dv_status tone_training_open(const dv_tree *config, tone_training *out)
{
    dv_augment_config augment;
    memset(out, 0, sizeof *out);
    DV_TRY(dv_fields_default(dv_augment_fields, &augment));
    DV_TRY(dv_experiment_restore(config, &out->experiment));
    const dv_train_config *train = &out->experiment.train;
    DV_TRY(dv_frontend_create(&out->experiment.features, &out->frontend));
    make_tone_clips(out->frontend, &out->dataset);
    DV_TRY(dv_dataset_weigh(&out->dataset, train->class_weights));
    DV_TRY(dv_context_open("cpu", 1, (dv_log){0}, &out->context));
    DV_TRY(dv_clip_source_create(out->context, &out->dataset, out->frontend, &augment,
                                 train->batch_size, 1, &out->source));
    return dv_trainer_create(out->context, train, out->experiment.model,
                             dv_clip_source_get(out->source), &out->trainer);
}

void tone_training_close(tone_training *training)
{
    dv_trainer_free(training->trainer);
    dv_clip_source_free(training->source);
    dv_context_close(training->context);
    dv_dataset_free(&training->dataset);
    dv_frontend_free(training->frontend);
    dv_experiment_free(&training->experiment);
}
