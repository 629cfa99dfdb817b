/* The facts of a training beside the figures of its report: how it was made, how long it took, and
   how it is repeated. */
#ifndef DV_EVALUATE_RUN_FACTS_H
#define DV_EVALUATE_RUN_FACTS_H

#include "runner/evaluate/report.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/run_folder.h"

enum { DV_DATE_SIZE = 48 };

typedef struct dv_run_facts {
    const dv_experiment *experiment; /* borrowed, and so are the next four */
    const dv_run_folder *folder;
    const char *device;    /* "cpu" */
    const char *precision; /* precision of large products: "fp32" */
    const char *commit;    /* commit of the program; NULL stands for an unknown one */
    int threads;
    int64_t parameters;
    int64_t epochs;                  /* number of epochs that were done */
    int64_t best_epoch;              /* 0 where no clips were left to choose one by */
    double best_accuracy, best_loss; /* validation figures of the best epoch */
    double seconds;                  /* all epochs together */
    char date[DV_DATE_SIZE];         /* end of the training */
    char *data;                      /* absolute path; owned, and so are the next two */
    char *repeat;                    /* command line that repeats the training */
    char *predict;                   /* command line that answers a file */
} dv_run_facts;

/* "2026-11-30 22:41:58 +0000", the time of now. */
void dv_date_now(char date[DV_DATE_SIZE]);

/* Fills in date, seconds, absolute path and command lines of facts that have all the others. Free
   with dv_run_facts_free, on failure too. */
dv_status dv_run_facts_complete(dv_run_facts *facts);
void dv_run_facts_free(dv_run_facts *facts);

/* The object under the key "run" of report.json. A new reference; NULL when out of memory. */
json_t *dv_run_facts_json(const dv_run_facts *facts);

/* Writes the figures of the report, the confusion matrix and the end of the run for TensorBoard. */
dv_status dv_run_facts_events(const dv_run_facts *facts, const dv_report *report,
                              dv_run_folder *folder);

#endif
