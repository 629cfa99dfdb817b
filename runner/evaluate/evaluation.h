/* A checkpoint measured on a data set. What programs may ask of it is in include/decavox.h. */
#ifndef DV_EVALUATE_EVALUATION_H
#define DV_EVALUATE_EVALUATION_H

#include "runner/evaluate/evaluated.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"

struct dv_evaluation {
    dv_model *model;       /* borrowed */
    dv_part part;          /* DV_PART_COUNT: all */
    dv_experiment trained; /* the checkpoint's */
    dv_data_config data;   /* what it is measured on, with texts that are borrowed of `trained` */
    dv_dataset dataset;
    dv_report report; /* empty before dv_evaluation_run */
    char *json;       /* the report, owned; NULL: nobody has asked for it */
};

/* Finds the data that are asked for and reads their sounds. `log` is warned of what is found in
   them. DV_EIO, DV_EFORMAT, DV_ECONFIG. *out is freed with dv_evaluation_free. */
dv_status dv_evaluation_open(dv_model *model, const dv_evaluated *asked, const dv_log *log,
                             dv_evaluation **out);

/* Answers the clips: makes the report. `threads` 0: as many as there are physical cores. */
dv_status dv_evaluation_run(dv_evaluation *evaluation, int threads);

#endif
