/* An ensemble of models that are trained: one checkpoint, in which each of them is a member. */
#ifndef DV_EVALUATE_ENSEMBLE_H
#define DV_EVALUATE_ENSEMBLE_H

#include "frontends/model/session.h"

typedef struct dv_ensemble_member {
    const char *path;        /* of the checkpoint; borrowed */
    dv_model *model;         /* borrowed */
    char name[DV_NAME_SIZE]; /* of the model, with a number where others before have the same */
    double share;            /* of its logits, above 0; of all members 1 */
} dv_ensemble_member;

/* Names the members (count). DV_EFORMAT, naming the checkpoint and what differs from the first one:
   other labels or another order of them, other features. */
dv_status dv_ensemble_name(dv_ensemble_member *members, int count);

/* The shares that a text says, "0.6,0.4", one for each member (count). DV_EARG, naming --shares:
   one that is no number above 0, more or fewer of them, a sum that is not 1, to 0.001. */
dv_status dv_ensemble_read_shares(const char *text, dv_ensemble_member *members, int count);

/*
 * Writes the checkpoint in a precision: configuration of the first member, with a model of all of
 * them, and the members' weights, whole or not at all. Its train.init_from names the members'
 * files. Of the paths in the configuration it has the last names alone, as an export has.
 */
dv_status dv_ensemble_write(const dv_ensemble_member *members, int count,
                            dv_checkpoint_precision precision, const char *path);

#endif
