/* The same clips on a device and for the front-end, for tests of features made on a device. A
   failure fails the test at once. */
#ifndef DV_TESTS_FEATURE_RIG_H
#define DV_TESTS_FEATURE_RIG_H

#include "engine/core/context.h"
#include "frontends/batch/batch.h"
#include "frontends/batch/device.h"
#include "tests/support/must.h"

enum { RATE = 8000, CLIPS = 7, CLASSES = 4, ORDER = 23 };

/* A store of clips on a device, and the same clips on the host. */
typedef struct rig {
    dv_context *context; /* device_context */
    const dv_backend *backend;
    dv_frontend *frontend;
    dv_dataset dataset;
    dv_augment_config augment;
    dv_augmenter *augmenter;
    dv_clip_store *store;
    dv_batch_workspace *host;
    int64_t batch, size; /* clips per batch; elements of a clip's features */
    int64_t indices[ORDER];

    /* Device memory. */
    int32_t *order; /* (ORDER) */
    dv_progress *progress;
    void *features; /* (batch, size) */
    float *targets; /* (batch, CLASSES) */
} rig;

/* small() is cheap enough for tests of many configurations. */
dv_features_config small(int type);
dv_features_config defaults(void);

/* open_rig makes a rig with its clips. The other functions do the same in three steps, so that a
   test can change the augmentation and the clips in between. */
void open_rig(rig *r, const dv_backend *backend, const dv_features_config *config, int64_t batch);
void begin_rig(rig *r, const dv_backend *backend, const dv_features_config *config);
void make_clips(rig *r);
void finish_rig(rig *r, int64_t batch);
void close_rig(rig *r);

/* Fills `views` (CLIPS) and *list, from which a store is made. */
void view_clips(const rig *r, dv_clip_view *views, dv_clip_list *list);

/* Allocates device memory with `bytes` copied from `host`, or zeros if it is NULL. */
void *on_device(const rig *r, const void *host, size_t bytes);
float *download(const rig *r, const void *memory, int64_t count); /* the caller frees */

dv_batch_request evaluation(const rig *r, int64_t first, int64_t count);
dv_batch_request training(const rig *r);
void set_step(const rig *r, uint64_t step);

/* Fills features and targets with NaN, so that a test sees what a batch leaves alone. */
void poison(const rig *r);

/* Poisons, makes the batch and returns its features (batch, size); the caller frees them. */
float *run(const rig *r, const dv_batch_request *request);

/* Compare one clip with the reference, and `count` clips with the host's fast form, augmented by
   `rng` unless it is NULL. */
void require_like_reference(const rig *r, const char *what, const float *got, int64_t index);
void require_like_host(const rig *r, const char *what, const float *got, const int64_t *indices,
                       int64_t count, const dv_rng *rng);
/* Asserts that the targets are one-hot for `count` clips and untouched behind them. */
void require_targets(const rig *r, const int64_t *indices, int64_t count);

#endif
