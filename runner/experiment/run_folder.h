/*
 * The folder that a training leaves:
 *
 *     config.yaml          the resolved configuration
 *     last.safetensors     the state of the training, for --resume
 *     model.safetensors    the trained model, for eval and predict
 *     metrics.csv          a row per epoch
 *     metrics-1.csv, ...   the rows before the run had to begin again
 *     confusion.csv        the confusion matrix of the test part, or of the validation part if
 *                          there is no test part
 *     report.json          all figures of the same evaluation, and the name of the part
 *     report.html          the evaluation as a page: faults in the data, curves, confusion matrix,
 *                          worst mistakes. Without a test and a validation part the page has only
 *                          the curves, and the two files above are missing.
 *     events.out.tfevents.SECONDS.decavox
 *                          for TensorBoard: the configuration, the figures of the report, and the
 *                          confusion matrix; one more file for each time the run went on
 *     train/events.out..., validation/events.out...
 *                          the epochs for TensorBoard, which draws what has the same name in both
 *                          folders in one chart
 *     log.txt              the log
 *
 * A training locks the folder while it runs.
 */
#ifndef DV_EXPERIMENT_RUN_FOLDER_H
#define DV_EXPERIMENT_RUN_FOLDER_H

#include "runner/experiment/events.h"
#include "runner/experiment/observer.h"

#include <stdio.h>

enum { DV_RUN_PATH_SIZE = 1024 };

/* The event files of a run: the one of its folder, and those of the two folders in it. */
enum { DV_EVENTS_RUN, DV_EVENTS_TRAIN, DV_EVENTS_VALIDATION, DV_RUN_EVENTS };

typedef struct dv_run_folder {
    char path[DV_RUN_PATH_SIZE - 64];
    int lock; /* descriptor of the folder, or -1 */
    FILE *log;
    bool log_failed;                  /* the observer has been warned */
    const dv_observer *observer;      /* borrowed */
    dv_events *events[DV_RUN_EVENTS]; /* NULL until there is one */
} dv_run_folder;

/*
 * Locks the folder until the descriptor *lock is closed. The caller closes *lock unless it is -1,
 * also after a failure. Returns DV_EARG if this process or another one holds the lock, with the
 * message "PATH is in use: `by`". The lock belongs to the descriptor: a forked child shares it, a
 * program that is executed does not.
 */
dv_status dv_lock_folder(const char *path, const char *by, int *lock);

/*
 * Opens and locks the folder of a run. A new run creates the folder and its parents; a resumed run
 * needs an existing one. The observer is borrowed and receives the lines of the log.
 *
 * Returns DV_EIO if the folder cannot be created or opened, and DV_EARG if another training uses
 * it. A new run also gets DV_EARG if the folder already holds a run or a file of one, which the
 * message names; a resumed run, if it holds no run, or a finished one without a state. Close the
 * folder with dv_run_folder_close, also after a failure.
 */
dv_status dv_run_folder_open(const char *path, bool resume, const dv_observer *observer,
                             dv_run_folder *out);
void dv_run_folder_close(dv_run_folder *folder);

/* Whether a file of this name in the folder of a run belongs to its state. The report page does
   not. */
bool dv_run_is_state(const char *name);

/* Whether a file of this name has events for TensorBoard. */
bool dv_run_is_events(const char *name);

/* Removes the temporary files (atomic_file.h) that a killed run or cross-validation has left. The
   caller holds the folder's lock. */
void dv_run_sweep(const char *path);

/* Builds the path of a file in the folder. */
void dv_run_folder_path(const dv_run_folder *folder, const char *file, char path[DV_RUN_PATH_SIZE]);

/* Whether the folder `path` has a file of this name, and whether a run has begun in it. */
bool dv_run_has(const char *path, const char *file);
bool dv_run_has_begun(const char *path);

/* Removes the folder of a run that failed before it began, which has only a log. A folder with
   anything else stays. */
void dv_run_remove_unbegun(const char *path);

/* Writes a line to the log and, unless its level is DV_LOG_DEBUG, to the observer. If the log
   cannot be written, the observer is warned once and the run goes on. */
void dv_run_line(dv_run_folder *folder, dv_log_level level, const char *line);

/* Like dv_run_line, with a format and the level DV_LOG_INFO or DV_LOG_WARNING. */
void dv_run_tell(dv_run_folder *folder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void dv_run_warn(dv_run_folder *folder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes each line of a text, which may be NULL, as dv_run_tell does. */
void dv_run_tell_lines(dv_run_folder *folder, const char *text);

/* Writes the lines that `write` produces, which must be safe to print. Returns DV_ENOMEM if memory
   runs out. */
dv_status dv_run_tell_text(dv_run_folder *folder, void (*write)(const void *user, FILE *out),
                           const void *user);

/* Writes a tree as a YAML file, completely or not at all. */
dv_status dv_run_write_tree(const dv_run_folder *folder, const char *file, const dv_tree *tree);

/* Begins metrics.csv and, for a resumed run, keeps the rows of the first `epochs` epochs. A run
   that begins passes -1; rows that are there already are kept as metrics-1.csv, .... */
dv_status dv_run_metrics_begin(dv_run_folder *folder, int64_t epochs);
dv_status dv_run_metrics_add(const dv_run_folder *folder, const dv_epoch_metrics *metrics);

/* Seconds of all epochs in metrics.csv together, also those before an interruption. 0 stands for a
   file that cannot be read. */
double dv_run_seconds(const dv_run_folder *folder);

/* ---- Events (run_events.c) ---- */

/* The epoch's scalars for TensorBoard, in files that this process makes with its first epoch. */
dv_status dv_run_events_add(dv_run_folder *folder, const dv_tree *config,
                            const dv_epoch_metrics *metrics);

typedef struct dv_run_score {
    const char *tag; /* "test/accuracy" */
    double value;
} dv_run_score;

/* The result of a run for TensorBoard. All borrowed. */
typedef struct dv_run_result {
    int64_t epochs;             /* number of epochs that were done */
    const dv_run_score *scores; /* (count) */
    size_t count;
    const char *matrix; /* confusion matrix in Markdown */
} dv_run_result;

/* Writes the result and the end of the run, unless the run had ended before and this process has
   done no epoch. */
dv_status dv_run_events_end(dv_run_folder *folder, const dv_tree *config,
                            const dv_run_result *result);

void dv_run_events_close(dv_run_folder *folder);

#endif
