/* Batches of features of clips of one second, other clips in turn: noise, or what a file holds. */
#ifndef DV_BENCHMARKS_BATCHES_H
#define DV_BENCHMARKS_BATCHES_H

#include "engine/core/context.h"

/* What is changed in the clips: nothing, what a configuration changes by default, or everything. */
typedef enum batches_augment { BATCHES_PLAIN, BATCHES_DEFAULT, BATCHES_ALL } batches_augment;

typedef struct batches_options {
    int64_t batch, threads, report;
    bool record;
    bool plain; /* clips as they are, features not normalised: what librosa computes */
    int type;   /* dv_feature_type */
    char device[DV_STRING_SIZE];
    char samples[DV_STRING_SIZE]; /* a file of raw floats (rotation, batch, 8000); "": noise */
    /* Not in the table; on the host alone. */
    int64_t rotation; /* batches that differ; 0 stands for 1 */
    batches_augment augment;
} batches_options;

extern const dv_field batches_fields[];

typedef struct batches batches;

dv_status batches_open(const batches_options *options, batches **out);
void batches_close(batches *b);

/* One batch; on a device whose backend makes features batches_report of them, and a wait for the
   device. `user` is a batches, as dv_time_work wants it. */
dv_status batches_make(void *user);

int64_t batches_report(const batches *b);
bool batches_on_device(const batches *b);
int64_t batches_rows(const batches *b);
int64_t batches_frames(const batches *b);
const dv_context *batches_context(const batches *b);

/* On the host: whether clips are prepared for each batch from now on; false where batches are made
   on a device. */
bool batches_set_whole(batches *b, bool whole);
/* (batch, rows, frames): what came out last; NULL on a device. */
const float *batches_features(const batches *b);

#endif
