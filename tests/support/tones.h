/* A small task with sound: each class a tone of its own pitch, in noise; all in memory. */
#ifndef DV_TESTS_TONES_H
#define DV_TESTS_TONES_H

#include "frontends/batch/source.h"

typedef struct tones {
    dv_dataset dataset;
    dv_frontend *frontend;
    dv_clip_source *clips;
    dv_source source;       /* what a trainer takes */
    dv_tree *model;         /* a small convolutional network for it */
    dv_train_config config; /* the defaults, to be changed */
} tones;

/* `train` and `validation` clips per class; `mislabeled`: the validation labels are turned by one
   class, so that what is learned makes validation worse. Fails the test where it cannot. */
void tones_open(tones *task, int classes, int train, int validation, bool mislabeled);

/* Takes another model, YAML "layers: ...". */
void tones_use_model(tones *task, const char *text);

/* Makes the source anew, with batches made on the context's device where its backend does that; the
   context must outlive the task. */
void tones_on_device(tones *task, dv_context *context);
void tones_close(tones *task);

#endif
