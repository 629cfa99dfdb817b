/* The shares of an ensemble's members: those with the least loss on clips of a data set. */
#ifndef DV_EVALUATE_ENSEMBLE_FIT_H
#define DV_EVALUATE_ENSEMBLE_FIT_H

#include "runner/evaluate/ensemble.h"
#include "runner/evaluate/evaluated.h"

typedef struct dv_ensemble_figures {
    double accuracy; /* share of right answers */
    double loss;     /* mean cross-entropy */
} dv_ensemble_figures;

/* What the clips say of members and mixtures. */
typedef struct dv_ensemble_fit {
    dv_ensemble_figures members[DV_MAX_INPUTS];
    dv_ensemble_figures equal, fitted; /* mixtures of equal shares, and of the best ones */
    int64_t clips;
    size_t missing; /* clips of the part that cannot be read */
    char data[DV_STRING_SIZE], split[DV_STRING_SIZE];
} dv_ensemble_fit;

/*
 * Sets the shares of the members (count), which dv_ensemble_name has named, by the clips of
 * asked->part. What is not asked for is as the first member was trained. The log is warned of clips
 * that a member was trained on. `threads` 0: as many as there are physical cores. DV_EARG: the part
 * has no clip. DV_EIO, DV_EFORMAT as dv_report_make.
 */
dv_status dv_ensemble_fit_shares(dv_ensemble_member *members, int count, const dv_evaluated *asked,
                                 int threads, const dv_log *log, dv_ensemble_fit *out);

#endif
