/* An ensemble of trained models: one checkpoint that contains each of them as a member. */
#ifndef DV_EVALUATE_ENSEMBLE_H
#define DV_EVALUATE_ENSEMBLE_H

#include "frontends/model/session.h"

typedef struct dv_ensemble_member {
    const char *path;        /* path of the checkpoint; borrowed */
    dv_model *model;         /* borrowed */
    char name[DV_NAME_SIZE]; /* name of the model, numbered if earlier members have the same name */
    double share;            /* weight of its logits, above 0; the shares of all members sum to 1 */
} dv_ensemble_member;

/* Names the `count` members. Returns DV_EFORMAT if a member has other labels than the first one,
   the same in another order, or other features; the message names the checkpoint and the
   difference. */
dv_status dv_ensemble_name(dv_ensemble_member *members, int count);

/* Reads the shares of the `count` members from a text such as "0.6,0.4". Returns DV_EARG, with a
   message about --shares, if a share is not a number above 0, their number is wrong, or their sum
   differs from 1 by more than 0.001. */
dv_status dv_ensemble_read_shares(const char *text, dv_ensemble_member *members, int count);

/*
 * Writes the checkpoint of the ensemble, completely or not at all. It has the configuration of the
 * first member with a model of all members, and the members' weights. train.init_from names the
 * members' files. Paths in the configuration are shortened to their last names, as in an export.
 */
dv_status dv_ensemble_write(const dv_ensemble_member *members, int count,
                            dv_checkpoint_precision precision, const char *path);

#endif
