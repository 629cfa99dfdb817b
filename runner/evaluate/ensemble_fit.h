/* Fits the shares of an ensemble's members: those with the lowest loss on clips of a data set. */
#ifndef DV_EVALUATE_ENSEMBLE_FIT_H
#define DV_EVALUATE_ENSEMBLE_FIT_H

#include "runner/evaluate/ensemble.h"
#include "runner/evaluate/evaluated.h"

typedef struct dv_ensemble_figures {
    double accuracy; /* share of correct answers */
    double loss;     /* mean cross-entropy */
} dv_ensemble_figures;

/* The figures of the members and the mixtures on the clips. */
typedef struct dv_ensemble_fit {
    dv_ensemble_figures members[DV_MAX_INPUTS];
    dv_ensemble_figures equal, fitted; /* mixtures with equal and with fitted shares */
    int64_t clips;
    size_t missing; /* unreadable clips of the part */
    char data[DV_STRING_SIZE], split[DV_STRING_SIZE];
} dv_ensemble_fit;

/*
 * Fits the shares of the `count` members to the clips of asked->part. Call dv_ensemble_name before.
 * Empty texts of `asked` take the settings of the first member's training. The log is warned if a
 * member was trained on some of the clips. `threads` 0 is one per physical core. Returns DV_EARG if
 * the part has no clip, else DV_EIO or DV_EFORMAT as dv_report_make does.
 */
dv_status dv_ensemble_fit_shares(dv_ensemble_member *members, int count, const dv_evaluated *asked,
                                 int threads, const dv_log *log, dv_ensemble_fit *out);

#endif
