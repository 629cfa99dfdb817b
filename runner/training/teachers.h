/* The models that teach a training (train.teacher): reads them, checks them, and copies their
   weights into the trainer. */
#ifndef DV_TRAINING_TEACHERS_H
#define DV_TRAINING_TEACHERS_H

#include "frontends/batch/source.h"
#include "frontends/model/session.h"
#include "runner/experiment/experiment.h"

typedef struct dv_teachers {
    dv_model *models[DV_MAX_TEACHERS];        /* (count) */
    dv_clip_source *sources[DV_MAX_TEACHERS]; /* (count) NULL if it takes the student's features */
    dv_teacher list[DV_MAX_TEACHERS];         /* (count) for dv_trainer_create_taught */
    int count;
    int64_t mark; /* mark of the files' content for the state of a training; 0 without teachers */
} dv_teachers;

/* Checks early that the files can be opened, before any lengthy work. */
dv_status dv_teachers_check(const dv_experiment *experiment);

/*
 * Reads the teachers that experiment->train.teacher names, if any. A teacher with the student's
 * features takes these; any other one gets its own batches of the same clips with the same
 * augmentation. `dataset` must be loaded; it and the context must outlive the teachers. Returns
 * DV_EFORMAT, naming the checkpoint, if its labels or their order differ from those of the data, or
 * if it reads clips in another way (features.sample_rate, duration, placement, level). Free *out
 * with dv_teachers_free, also after a failure.
 */
dv_status dv_teachers_read(const dv_experiment *experiment, dv_context *context,
                           const dv_dataset *dataset, dv_teachers *out);

/* Copies the teachers' weights into the trainer, which was created with teachers->list. */
dv_status dv_teachers_enter(dv_teachers *teachers, dv_trainer *trainer);
void dv_teachers_free(dv_teachers *teachers);

#endif
