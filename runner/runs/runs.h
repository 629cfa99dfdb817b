/* The runs of a folder side by side, by their report.json files: nothing is measured. */
#ifndef DV_RUNS_RUNS_H
#define DV_RUNS_RUNS_H

#include "engine/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A figure that a report does not have is NaN, a number of it -1, and a text of it empty. */
typedef struct dv_run_entry {
    char *path;         /* folder of the run, owned */
    char *name;         /* its end behind the folder that was searched; empty for that folder */
    json_t *report;     /* owned, with all texts below; NULL where it cannot be read */
    const char *reason; /* why the run cannot be shown; NULL where it can */
    const char *model, *data, *split, *part, *device, *date;
    const char *mark; /* mark of the clips, 16 hexadecimal digits where the run can be shown */
    size_t group;     /* number of runs on the same clips; 0 where the run cannot be shown */
    int64_t correct, count, epochs, best_epoch;
    double low, high; /* Wilson's interval of the accuracy */
    double f1, ece, loss;
    double seconds; /* training time */
} dv_run_entry;

typedef struct dv_run_list {
    char *folder;          /* owned */
    dv_run_entry *entries; /* (count) owned */
    size_t count, capacity;
    size_t shown; /* number of entries that can be shown */
} dv_run_list;

/*
 * Finds the runs in `folder`, in folders below it at most four deep, and in `folder` itself.
 * `folder` may be a link, but links to folders below it are not followed.
 * The runs that can be compared come first: those on the same clips stand together, the best one
 * before the others, and the largest group first. The runs that cannot be shown come last.
 * DV_EARG if the path is too long, DV_EIO if there is no such folder or it cannot be opened,
 * DV_EFORMAT if there is no run in it, DV_ENOMEM. Free with dv_runs_free, also after a failure.
 */
dv_status dv_runs_read(const char *folder, dv_run_list *out);
void dv_runs_free(dv_run_list *list);

/* The share of right answers. */
double dv_run_accuracy(const dv_run_entry *entry);

/* The index behind the last entry of the group that begins with entry `first`. */
size_t dv_runs_group_end(const dv_run_list *list, size_t first);

/* ---- Forms ---- */

/* A table for each group. */
void dv_runs_text(const dv_run_list *list, FILE *out);

/* A new reference; NULL when out of memory. */
json_t *dv_runs_json(const dv_run_list *list);

/* A page with links to the reports of the runs, relative to where it lies. It is replaced whole or
   not at all. */
dv_status dv_runs_html(const dv_run_list *list, const char *path);

#endif
