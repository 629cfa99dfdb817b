/* The evaluation of a checkpoint on a data set. Its public functions are in include/decavox.h. */
#ifndef DV_EVALUATE_EVALUATION_H
#define DV_EVALUATE_EVALUATION_H

#include "runner/evaluate/evaluated.h"
#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"

struct dv_evaluation {
    dv_model *model;       /* borrowed */
    dv_part part;          /* DV_PART_COUNT stands for all parts */
    dv_experiment trained; /* experiment of the checkpoint */
    dv_data_config data;   /* data of the evaluation; borrows texts from `trained` */
    dv_dataset dataset;
    dv_report report; /* empty before dv_evaluation_run */
    char *json;       /* the report as text, owned; NULL unless dv_evaluate made the evaluation */
};

/* Finds the requested data and reads their sounds. Faults in the data go to `log`. Returns DV_EIO,
   DV_EFORMAT or DV_ECONFIG. Free *out with dv_evaluation_free. */
dv_status dv_evaluation_open(dv_model *model, const dv_evaluated *asked, const dv_log *log,
                             dv_evaluation **out);

/* Answers the clips and makes the report. `threads` 0 is one per physical core. */
dv_status dv_evaluation_run(dv_evaluation *evaluation, int threads);

#endif
