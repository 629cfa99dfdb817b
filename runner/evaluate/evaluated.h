/* Which data a checkpoint is evaluated on: those that it was trained on, or others. */
#ifndef DV_EVALUATE_EVALUATED_H
#define DV_EVALUATE_EVALUATED_H

#include "frontends/dataset/dataset.h"

/* What the command line says, texts of less than DV_STRING_SIZE bytes. All borrowed. */
typedef struct dv_evaluated {
    const char *data, *split, *exclude; /* "": as it was trained */
    dv_part part;                       /* DV_PART_COUNT: all */
} dv_evaluated;

/* The data section `trained` of the checkpoint, with what is asked for instead. The further data
   that it was trained on are not evaluated. DV_EIO: the data of the training are not there. */
dv_status dv_evaluated_config(const dv_evaluated *asked, const dv_data_config *trained,
                              dv_data_config *out);

/* Whether the data that are asked for are, or are called as, data.path of a configuration. */
bool dv_evaluated_is_own(const dv_evaluated *asked, const dv_tree *config);

/* Warns where the configuration of a checkpoint, `who`, has them as further data that it was
   trained on, whose test part was never kept from the training. */
void dv_evaluated_warn(const dv_evaluated *asked, const char *who, const dv_tree *config,
                       const dv_log *log);

#endif
