/*
 * Cross-validation: a training for each fold of the data and each seed, and a summary of them.
 *
 * The folder that it leaves:
 *
 *     config.yaml      the configuration of all runs, and a mark of the data. data.split and
 *                      train.seed, in which the runs differ, are empty; train.init_from and
 *                      train.teacher contain {fold} and {seed} as given.
 *     FOLD-seed-S/     the folder of a run (run_folder.h). Its last.safetensors, which is most of
 *                      it, is removed when the run has finished.
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
    size_t fold, seed; /* indices of the fold and the seed */
    char *folder;      /* owned */
    char *error;       /* message of its failure, owned; NULL if it has not failed */
} dv_crossval_run;

typedef struct dv_crossval {
    char folder[DV_STRING_SIZE];
    int lock;              /* descriptor of the folder; -1 stands for none */
    bool force;            /* the summary may replace a file that decavox did not write */
    bool by_speaker;       /* each fold is one speaker; else it is one of K parts */
    char **folds;          /* (fold_count) names, owned */
    int64_t *seeds;        /* (seed_count) owned */
    dv_crossval_run *runs; /* (run_count = seed_count x fold_count) seed by seed, owned */
    size_t fold_count, seed_count, run_count;
    int64_t clips;        /* number of clips, without data.more */
    uint64_t fingerprint; /* dv_dataset_fingerprint of these clips */
    uint64_t sounds;      /* dv_dataset_sound_fingerprint of these clips */
    /* For the summary. */
    char model[DV_STRING_SIZE], data[DV_STRING_SIZE];
    char configuration[DV_STRING_SIZE];
    int64_t parameters; /* 0 if unknown */
} dv_crossval;

/* ---- The plan (crossval_plan.c) ---- */

enum { DV_CROSSVAL_MOST_FOLDS = 64, DV_CROSSVAL_MOST_SEEDS = 64 };

/*
 * Plans the runs. `folds` is "speaker" or a number of parts; `seeds` is a list such as "1,2,3". An
 * empty `folder` becomes runs/crossval-MODEL- and the kind of folds, so that the same command
 * continues. The data are listed, but no sound is read. Returns DV_EARG if folds or seeds do not
 * fit the data, train.init_from or train.teacher. Free *out with dv_crossval_free.
 */
dv_status dv_crossval_plan(const char *folds, const char *seeds, const char *folder,
                           const dv_experiment *experiment, dv_crossval *out);
void dv_crossval_free(dv_crossval *all);

/*
 * Creates and locks the folder until dv_crossval_free. An existing folder must have the same
 * configuration, data and folds; it may have other seeds. Returns DV_EARG if something differs,
 * which the message names, or if another cross-validation uses the folder.
 */
dv_status dv_crossval_claim(dv_crossval *all, const dv_experiment *experiment);

/*
 * Makes the experiment of one run; free it with dv_experiment_free. In its train.init_from and
 * train.teacher, {fold} and {seed} are replaced by the fold's name and the seed, as in the name of
 * the run's folder: "advanced.=runs/a/{fold}-seed-{seed}/model.safetensors" is the model of the
 * same run of another cross-validation with the same folds. Returns DV_EARG if the text becomes too
 * long, which dv_crossval_plan has already checked.
 */
dv_status dv_crossval_experiment(const dv_crossval *all, const dv_crossval_run *run,
                                 const dv_experiment *experiment, dv_experiment *out);

/* The path of a file in the folder of a run. The caller owns *out. */
dv_status dv_crossval_path(const dv_crossval_run *run, const char *file, char **out);

/* ---- The runs (crossval_run.c) ---- */

/* The test result of one run, from its report.json. */
typedef struct dv_crossval_result {
    bool finished;
    int64_t correct, count;
    double accuracy, loss;
} dv_crossval_result;

/* The end of a run. It has failed if run->error is set; else it was interrupted if its result is
   not finished. */
typedef struct dv_crossval_end {
    const dv_crossval_run *run;
    size_t number; /* number of runs that have ended so far, at least 1 */
    dv_crossval_result result;
    double seconds; /* negative if the run had been done before */
} dv_crossval_end;

typedef struct dv_crossval_request {
    const dv_experiment *experiment;
    const char *device;
    int threads;        /* threads of each run; 0 divides the physical cores among the jobs */
    int jobs;           /* runs at a time */
    const char *commit; /* commit of the program; NULL stands for an unknown one */
    bool strict;        /* a run fails if its data have any fault */
    void *user;
    /* Returns whether the runs should pause: DV_TRAIN_PAUSE or DV_TRAIN_CONTINUE. It is called
       often, by several threads at once. May be NULL. */
    dv_train_next (*next)(void *user);
    /* Called when a run has ended or had been done before, by one thread at a time. May be NULL. */
    void (*ended)(void *user, const dv_crossval *all, const dv_crossval_end *end);
} dv_crossval_request;

/*
 * Trains the runs that are not done yet, each in a thread of its own. A run that fails gets its
 * error and does not stop the others. Returns DV_EINTERRUPTED if request->next has paused the runs;
 * their states are saved then.
 */
dv_status dv_crossval_train(dv_crossval *all, const dv_crossval_request *request);

/* ---- The summary (crossval_summary.c, crossval_print.c) ---- */

/* Mean and sample standard deviation (over count - 1) of `count` values. They are NaN if there are
   too few values. */
typedef struct dv_spread {
    int64_t count;
    double mean, deviation;
} dv_spread;

typedef struct dv_crossval_summary {
    size_t finished;             /* number of finished runs */
    dv_crossval_result *results; /* (run_count) owned */
    dv_spread *folds;            /* (fold_count) accuracies of a fold over the seeds, owned */
    dv_spread *seeds;            /* (seed_count) accuracies of a seed over the folds, owned */
    dv_spread runs;              /* accuracies of all runs */
    dv_spread over_seeds;        /* means of the seeds whose folds have all finished */
    dv_spread over_folds;        /* means of the folds that have a finished run */
    size_t worst;                /* fold with the lowest mean; in a tie, the first */
    /* Over all finished runs together. */
    int64_t correct, count; /* answers */
    int64_t clips;          /* answered clips, each counted once for all seeds */
    double low, high;       /* Wilson's 95 % interval, see dv_crossval_summarize */
    double loss;            /* mean over the answers */
    char **labels;          /* (confusion.classes) owned */
    dv_confusion confusion;
    bool has_calibration; /* false if a report has none, or other bins */
    dv_calibration calibration;
} dv_crossval_summary;

/*
 * Reads the report.json files. Runs without one, and those with an error, are left out. Returns
 * DV_EFORMAT, naming the file, if a file is not a report or has other labels than the first one.
 * Free *out with dv_crossval_summary_free.
 *
 * The interval is that of the share of correct answers on as many draws as there are clips; the
 * seeds answer the same clips, so more seeds do not narrow it. It assumes independent clips, which
 * those of one speaker are not. It is therefore too narrow for new speakers, for whom the deviation
 * over the folds says more.
 */
dv_status dv_crossval_summarize(const dv_crossval *all, dv_crossval_summary *out);
void dv_crossval_summary_free(dv_crossval_summary *summary);

/* Reads the report.json of one run. Without that file *out is not finished. */
dv_status dv_crossval_result_read(const dv_crossval_run *run, dv_crossval_result *out);

/* Prints a line about a run that has ended. */
void dv_crossval_end_text(const dv_crossval *all, const dv_crossval_end *end, FILE *out);

void dv_crossval_text(const dv_crossval *all, const dv_crossval_summary *summary, FILE *out);

/* Returns a new reference, or NULL if memory runs out. An interrupted cross-validation has the same
   JSON in the end as an uninterrupted one. */
json_t *dv_crossval_json(const dv_crossval *all, const dv_crossval_summary *summary);

#endif
