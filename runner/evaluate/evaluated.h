/* The choice of the data that a checkpoint is evaluated on: those of its training, or others. */
#ifndef DV_EVALUATE_EVALUATED_H
#define DV_EVALUATE_EVALUATED_H

#include "frontends/dataset/dataset.h"

/* The data that the caller asks for. The texts are borrowed and shorter than DV_STRING_SIZE. */
typedef struct dv_evaluated {
    const char *data, *split, *exclude; /* an empty text takes the setting of the training */
    dv_part part;                       /* DV_PART_COUNT stands for all parts */
} dv_evaluated;

/* Makes the data section of an evaluation: that of the training, `trained`, overridden by `asked`
   and without data.more. Returns DV_EIO if the data of the training do not exist. */
dv_status dv_evaluated_config(const dv_evaluated *asked, const dv_data_config *trained,
                              dv_data_config *out);

/* Whether asked->data is data.path of a configuration, or has the same name. */
bool dv_evaluated_is_own(const dv_evaluated *asked, const dv_tree *config);

/* Warns if asked->data are additional training data of the checkpoint `who` (data.more or
   pretrain): their test part was not kept from its training. */
void dv_evaluated_warn(const dv_evaluated *asked, const char *who, const dv_tree *config,
                       const dv_log *log);

#endif
