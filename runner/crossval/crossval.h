/*
 * Cross-validation: a training for each fold of the data and each seed, and what they tell
 * together.
 *
 * The folder that it leaves:
 *
 *     config.yaml      the configuration of all runs, and a mark of the data. data.split and
 *                      train.seed, in which the runs differ, are empty; train.init_from and
 *                      train.teacher have {fold} and {seed} as given.
 *     FOLD-seed-S/     a run's folder (run_folder.h). Its last.safetensors, the bulk of it, is
 *                      removed when the run has finished.
 *     crossval.json    the summary
 */
#ifndef DV_CROSSVAL_H
#define DV_CROSSVAL_H

#include "engine/train/metrics.h"
#include "runner/experiment/experiment.h"
#include "runner/experiment/observer.h"

#include <jansson.h>
#include <stdio.h>

typedef struct dv_crossval_run {
    size_t fold, seed; /* places among the folds and the seeds */
    char *folder;      /* owned */
    char *error;       /* why it failed, owned; else NULL */
} dv_crossval_run;

typedef struct dv_crossval {
    char folder[DV_STRING_SIZE];
    int lock;              /* a descriptor of the folder; -1: none */
    bool force;            /* its summary may replace a file that decavox did not write */
    bool by_speaker;       /* each fold leaves one speaker out; else it is one of K parts */
    char **folds;          /* (fold_count) names, owned */
    int64_t *seeds;        /* (seed_count) owned */
    dv_crossval_run *runs; /* (run_count = seed_count x fold_count) seed by seed, owned */
    size_t fold_count, seed_count, run_count;
    int64_t clips;        /* of the data set, without further data */
    uint64_t fingerprint; /* of the same, see dv_dataset_fingerprint */
    uint64_t sounds;      /* of the same, see dv_dataset_sound_fingerprint */
    /* For the summary. */
    char model[DV_STRING_SIZE], data[DV_STRING_SIZE];
    char configuration[DV_STRING_SIZE];
    int64_t parameters; /* 0: not known */
} dv_crossval;

/* ---- What is to be run (crossval_plan.c) ---- */

enum { DV_CROSSVAL_MOST_FOLDS = 64, DV_CROSSVAL_MOST_SEEDS = 64 };

/*
 * `folds`: "speaker", or the number of parts K. `seeds`: "1,2,3". `folder` "": runs/crossval-MODEL-
 * and the kind of folds, so that the same command goes on. Lists the data, reads no sound. DV_EARG
 * names what is wrong with folds and seeds for these data, train.init_from and train.teacher. Free
 * with dv_crossval_free.
 */
dv_status dv_crossval_plan(const char *folds, const char *seeds, const char *folder,
                           const dv_experiment *experiment, dv_crossval *out);
void dv_crossval_free(dv_crossval *all);

/*
 * Makes the folder or, where there is one, makes sure that what is in it belongs to the same
 * configuration, data and folds; other seeds may be there. DV_EARG tells what differs, or that
 * another one is at work there: until dv_crossval_free the folder belongs to this one.
 */
dv_status dv_crossval_claim(dv_crossval *all, const dv_experiment *experiment);

/*
 * The experiment of one run; free with dv_experiment_free. In its train.init_from and train.teacher
 * the texts {fold} and {seed} have become the fold's name and the seed, as they stand in the name
 * of the run's folder: "advanced.=runs/a/{fold}-seed-{seed}/model.safetensors" is what another
 * cross-validation, of the same folds, has left for this very run. DV_EARG where that is too long,
 * which dv_crossval_plan has refused already.
 */
dv_status dv_crossval_experiment(const dv_crossval *all, const dv_crossval_run *run,
                                 const dv_experiment *experiment, dv_experiment *out);

/* "<folder of the run>/<file>", owned by the caller. */
dv_status dv_crossval_path(const dv_crossval_run *run, const char *file, char **out);

/* ---- The runs (crossval_run.c) ---- */

/* The test of one run, from its report.json. */
typedef struct dv_crossval_result {
    bool finished;
    int64_t correct, count;
    double accuracy, loss;
} dv_crossval_result;

/* How a run has ended: run->error says that it has failed; else it was interrupted if its result is
   not finished. */
typedef struct dv_crossval_end {
    const dv_crossval_run *run;
    size_t number; /* of the runs that have ended, from 1 */
    dv_crossval_result result;
    double seconds; /* less than 0: it was done before */
} dv_crossval_end;

typedef struct dv_crossval_request {
    const dv_experiment *experiment;
    const char *device;
    int threads;        /* of each run; 0: the physical cores, shared by the jobs */
    int jobs;           /* runs at a time */
    const char *commit; /* commit of the program; NULL stands for an unknown one */
    bool strict;        /* a run fails where anything is found in its data */
    void *user;
    /* Asked often, by several threads at a time: whether the runs are to pause. DV_TRAIN_FINISH is
       none of their answers. NULL: they go on. */
    dv_train_next (*next)(void *user);
    /* A run has ended, or was done before. By one thread at a time; NULL: nobody is told. */
    void (*ended)(void *user, const dv_crossval *all, const dv_crossval_end *end);
} dv_crossval_request;

/*
 * Trains what is not trained yet, each run in a thread of its own. A run that fails has its error
 * and stops no other. DV_EINTERRUPTED: request->next has said that the runs are to pause; they have
 * saved and ended.
 */
dv_status dv_crossval_train(dv_crossval *all, const dv_crossval_request *request);

/* ---- The summary (crossval_summary.c, crossval_print.c) ---- */

/* Mean and sample standard deviation (over count - 1) of `count` values; NaN where there are too
   few. */
typedef struct dv_spread {
    int64_t count;
    double mean, deviation;
} dv_spread;

typedef struct dv_crossval_summary {
    size_t finished;             /* runs */
    dv_crossval_result *results; /* (run_count) owned */
    dv_spread *folds;            /* (fold_count) over the seeds, owned */
    dv_spread *seeds;            /* (seed_count) over the folds, owned */
    dv_spread runs;              /* over all runs */
    dv_spread over_seeds;        /* of the means of those seeds whose folds have all finished */
    dv_spread over_folds;        /* of the folds' means, of those that have a finished run */
    size_t worst;                /* the fold of the least mean, the first where several are */
    /* Of all finished runs together. */
    int64_t correct, count; /* answers */
    int64_t clips;          /* that were answered, each by every seed */
    double low, high;       /* Wilson's 95 % interval, see dv_crossval_summarize */
    double loss;            /* mean over the answers */
    char **labels;          /* (confusion.classes) owned */
    dv_confusion confusion;
    bool has_calibration; /* not where a report has none, or other bins */
    dv_calibration calibration;
} dv_crossval_summary;

/*
 * Reads the report.json files; runs without one, and those with an error, are left out. DV_EFORMAT
 * names a file that is no report, or has other labels than the first. Free with
 * dv_crossval_summary_free.
 *
 * The interval is that of the share of right answers on as many draws as there are clips: the seeds
 * answer the same clips, and more of them make it no narrower. It takes the clips as independent,
 * which those of a speaker are not: it is too narrow for what new speakers would give, and the
 * deviation over the folds says more about that.
 */
dv_status dv_crossval_summarize(const dv_crossval *all, dv_crossval_summary *out);
void dv_crossval_summary_free(dv_crossval_summary *summary);

/* One report.json; *out is not finished where there is none. */
dv_status dv_crossval_result_read(const dv_crossval_run *run, dv_crossval_result *out);

/* A line about a run that has ended. */
void dv_crossval_end_text(const dv_crossval *all, const dv_crossval_end *end, FILE *out);

void dv_crossval_text(const dv_crossval *all, const dv_crossval_summary *summary, FILE *out);

/* A new reference; NULL when out of memory. Holds nothing that differs between a cross-validation
   that was interrupted and one that was not. */
json_t *dv_crossval_json(const dv_crossval *all, const dv_crossval_summary *summary);

#endif
