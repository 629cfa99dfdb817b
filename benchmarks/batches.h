/* Batches of features of one-second clips. The clips are noise or come from a file of samples;
   several different batches can be taken in turn. */
#ifndef DV_BENCHMARKS_BATCHES_H
#define DV_BENCHMARKS_BATCHES_H

#include "engine/core/context.h"

/* Augmentation of the clips: none, the defaults of a configuration, or all kinds at once. */
typedef enum batches_augment { BATCHES_PLAIN, BATCHES_DEFAULT, BATCHES_ALL } batches_augment;

typedef struct batches_options {
    int64_t batch, threads, report;
    bool record;
    bool plain; /* unchanged clips and features without normalisation, as librosa computes them */
    int type;   /* dv_feature_type */
    char device[DV_STRING_SIZE];
    char samples[DV_STRING_SIZE]; /* file of raw floats (rotation, batch, 8000); noise if empty */
    /* Not in the table of fields; for the host only. */
    int64_t rotation; /* number of different batches; 0 stands for 1 */
    batches_augment augment;
} batches_options;

extern const dv_field batches_fields[];

typedef struct batches batches;

dv_status batches_open(const batches_options *options, batches **out);
void batches_close(batches *b);

/* Makes one batch. On a device whose backend makes features, makes batches_report of them and waits
   for the device. `user` is a batches: the function is a dv_time_work. */
dv_status batches_make(void *user);

int64_t batches_report(const batches *b);
bool batches_on_device(const batches *b);
int64_t batches_rows(const batches *b);
int64_t batches_frames(const batches *b);
const dv_context *batches_context(const batches *b);

/* Sets whether each batch from now on includes the preparation of its clips. Returns false if
   `whole` is asked of batches that are made on a device. */
bool batches_set_whole(batches *b, bool whole);
/* The features of the last batch (batch, rows, frames), NULL on a device. */
const float *batches_features(const batches *b);

#endif
