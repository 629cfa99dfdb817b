/*
 * The folder that a training leaves:
 *
 *     config.yaml          the resolved configuration
 *     last.safetensors     everything to go on with: --resume
 *     model.safetensors    the trained model, for eval and predict
 *     metrics.csv          a row per epoch
 *     metrics-1.csv, ...   the same of a run that had to begin again
 *     confusion.csv        of the test part, or the validation part where there is no test part
 *     report.json          the same evaluation with all its figures, and the part that it is of
 *     report.html          the same as a page: what was found in the data, curves, confusion
 *                          matrix, worst mistakes. Without a test and a validation part there are
 *                          the curves alone, and the two files above are missing.
 *     events.out.tfevents.SECONDS.decavox
 *                          for TensorBoard: the configuration, the figures of the report, and the
 *                          confusion matrix; one more file for each time the run went on
 *     train/events.out..., validation/events.out...
 *                          the epochs for TensorBoard, which draws what has the same name in both
 *                          folders in one chart
 *     log.txt              what was told
 *
 * A training locks the folder while it is at work there.
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
    bool log_failed;                  /* and it was told */
    const dv_observer *observer;      /* borrowed */
    dv_events *events[DV_RUN_EVENTS]; /* NULL until there is one */
} dv_run_folder;

/*
 * Takes the folder for oneself, until *lock, a descriptor, is closed: -1 or to be closed by the
 * caller, whatever is returned. DV_EARG where another one has it, of this process or of another:
 * "PATH is in use: `by`". The lock belongs to the descriptor. A child that was forked has it too; a
 * program that is started has not.
 */
dv_status dv_lock_folder(const char *path, const char *by, int *lock);

/*
 * What goes into the log is told to the observer, which is borrowed, as well.
 *
 * To begin a run, makes the folder, its parents too; to `resume` one, takes the one that is there.
 * Locks it. DV_EIO: it cannot be made or opened. DV_EARG: another training is at work there; to
 * begin, it holds a run already, or a file of one, named; to resume, it holds none, or one that has
 * ended without a state to go on from. To be closed with dv_run_folder_close in any case.
 */
dv_status dv_run_folder_open(const char *path, bool resume, const dv_observer *observer,
                             dv_run_folder *out);
void dv_run_folder_close(dv_run_folder *folder);

/* Whether a file of this name in the folder of a run is part of its state: all but the page. */
bool dv_run_is_state(const char *name);

/* Removes the temporaries (atomic_file.h) that a killed run or cross-validation has left in the
   folder, which belongs to the caller. */
void dv_run_sweep(const char *path);

/* The path of a file in the folder. */
void dv_run_folder_path(const dv_run_folder *folder, const char *file, char path[DV_RUN_PATH_SIZE]);

/* Whether the run's folder at `path` has a file of this name, and whether a run has begun there, to
   be gone on with. */
bool dv_run_has(const char *path, const char *file);
bool dv_run_has_begun(const char *path);

/* A line to the log and the observer; a DV_LOG_DEBUG one to the log alone. Where the log cannot be
   written, the observer is warned of it, once, and the run goes on. */
void dv_run_line(dv_run_folder *folder, dv_log_level level, const char *line);

/* The same of DV_LOG_INFO and DV_LOG_WARNING, formatted. */
void dv_run_tell(dv_run_folder *folder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void dv_run_warn(dv_run_folder *folder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tells each line of a text, which may be NULL. */
void dv_run_tell_lines(dv_run_folder *folder, const char *text);

/* Tells the lines that `write` writes, which are fit for a terminal. DV_ENOMEM. */
dv_status dv_run_tell_text(dv_run_folder *folder, void (*write)(const void *user, FILE *out),
                           const void *user);

/* Writes a tree as a YAML file, whole or not at all. */
dv_status dv_run_write_tree(const dv_run_folder *folder, const char *file, const dv_tree *tree);

/* metrics.csv: begins it, `epochs` -1, or, to go on from a state, keeps the rows of the first
   `epochs` epochs. Where a run begins that has rows already, they stay as metrics-1.csv, ... */
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
