/* A small task in memory: each class is a tone of its own pitch in noise. */
#ifndef DV_TESTS_TONES_H
#define DV_TESTS_TONES_H

#include "frontends/batch/source.h"

typedef struct tones {
    dv_dataset dataset;
    dv_frontend *frontend;
    dv_clip_source *clips;
    dv_source source;       /* source for a trainer */
    dv_tree *model;         /* a small convolutional network */
    dv_train_config config; /* the defaults, for the test to change */
} tones;

/* Makes `train` and `validation` clips per class. `mislabeled` turns the validation labels by one
   class, so that learning makes validation worse. A failure fails the test. */
void tones_open(tones *task, int classes, int train, int validation, bool mislabeled);

/* Replaces the model by YAML "layers: ...". */
void tones_use_model(tones *task, const char *text);

/* Makes the source again for the context's device, whose backend makes the batches if it can. The
   context must outlive the task. */
void tones_on_device(tones *task, dv_context *context);
void tones_close(tones *task);

#endif
