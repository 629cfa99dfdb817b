/* The models that teach a training (train.teacher): read, checked and brought into the trainer. */
#ifndef DV_TRAINING_TEACHERS_H
#define DV_TRAINING_TEACHERS_H

#include "frontends/batch/source.h"
#include "frontends/model/session.h"
#include "runner/experiment/experiment.h"

typedef struct dv_teachers {
    dv_model *models[DV_MAX_TEACHERS];        /* (count) */
    dv_clip_source *sources[DV_MAX_TEACHERS]; /* (count) NULL: hears the student's features */
    dv_teacher list[DV_MAX_TEACHERS];         /* (count) for dv_trainer_create_taught */
    int count;
    int64_t mark; /* of what is in their files, as the state of a training keeps it; 0: none */
} dv_teachers;

/* Whether the files can be opened: before anything else takes its time. */
dv_status dv_teachers_check(const dv_experiment *experiment);

/*
 * Reads those that experiment->train.teacher names, if any. A teacher with the student's features
 * hears those; another one gets batches of its own, of the same clips changed in the same way.
 * `dataset` is loaded and outlives the teachers, as the context does. DV_EFORMAT, naming the
 * checkpoint: its labels are not those of the data in their order, or its clips are read in another
 * way (features.sample_rate, duration, placement, level). Free with dv_teachers_free, on failure
 * too.
 */
dv_status dv_teachers_read(const dv_experiment *experiment, dv_context *context,
                           const dv_dataset *dataset, dv_teachers *out);

/* Writes what they have learnt into the trainer, which was created with teachers->list. */
dv_status dv_teachers_enter(dv_teachers *teachers, dv_trainer *trainer);
void dv_teachers_free(dv_teachers *teachers);

#endif
