/* Shared by the files of the session. */
#ifndef DV_MODEL_SESSION_INTERNAL_H
#define DV_MODEL_SESSION_INTERNAL_H

#include "frontends/audio/resample.h"
#include "frontends/model/session.h"

/* The memory of one thread of a session. */
typedef struct dv__lane {
    float *samples; /* (room), a sound at the model's rate */
    float *raw;     /* (raw_room), a sound of 16 bits before it is resampled */
    size_t room, raw_room;
    float *window; /* (samples of the window) */
    void *scratch; /* for the front-end */
    dv_resampler *resampler;
} dv__lane;

/* The result of one place of a batch. */
typedef struct dv__slot {
    dv_status status;
    char message[512]; /* copied from the thread that failed */
} dv__slot;

struct dv_session {
    dv_model *model;
    dv_context *context;      /* NULL if the network is borrowed from the model */
    dv_network own, *network; /* `network` is the one in use */
    int64_t capacity;
    int threads;
    dv__lane *lanes; /* (threads) */
    dv__slot *slots; /* (capacity) */
    float *features; /* (capacity, rows, frames), the network's input */
    float *logits;   /* (capacity, classes) */
    double *exact;   /* (classes), probabilities before they are rounded */
};

/* Computes the features of clip i. One of the session's threads calls it with its lane. */
typedef dv_status (*dv__fill)(void *user, dv_session *session, dv__lane *lane, int64_t i,
                              float *features);

/*
 * Runs one pass for the clips from, ..., from + count - 1, at most as many as the capacity. `fill`
 * is called for each clip, and then the network runs. session->slots (count) has the results, and
 * session->logits (count, classes) the answers of the slots with DV_OK. Fails if the network fails.
 */
dv_status dv__session_pass(dv_session *session, int64_t from, int64_t count, dv__fill fill,
                           void *user);

/* Computes the features of prepared samples (count). */
void dv__lane_features(const dv_session *session, dv__lane *lane, const float *samples,
                       int64_t count, int64_t center, float *features);

/* Prepares samples (count), which it overwrites, and computes their features. *seen becomes the
   part that the window holds. */
void dv__lane_prepare(const dv_session *session, dv__lane *lane, float *samples, int64_t count,
                      float *features, dv_seen *seen);

/* Prepares a copy of samples (count) in lane->samples, and computes its features. */
dv_status dv__lane_prepare_copy(const dv_session *session, dv__lane *lane, const float *samples,
                                int64_t count, float *features);

/* Computes probabilities (classes) of logits (classes). Both may be the same memory. */
void dv__session_probabilities(dv_session *session, const float *logits, float *probabilities);

/* Makes room for `count` samples in lane->samples. */
dv_status dv__lane_reserve(dv__lane *lane, size_t count);

/* Computes the probabilities (classes) that dv_session_sound would give for samples (count). The
   samples must be at the model's rate and have been checked. */
dv_status dv__session_stretch(dv_session *session, const float *samples, int64_t count,
                              float *probabilities);

/* Fails all sounds of a call (count): their probabilities are 0, nothing is seen of them, and their
   statuses are `status`, which it returns. `seen` and `statuses` may be NULL. */
dv_status dv__session_fail_all(const dv_session *session, dv_status status, size_t count,
                               float *probabilities, dv_seen *seen, dv_status *statuses);

/* Converts samples of 16 bits to -1..1. */
void dv__floats_of(const int16_t *from, size_t count, float *to);

/* Whether a failure is not the fault of one sound, so that the others would fail too. */
static inline bool dv__befalls_all(dv_status status)
{
    return status == DV_ESYSTEM || status == DV_ENOMEM || status == DV_EDEVICE;
}

/* Check samples (count) and sample rates. DV_EARG for samples that are no sound and for rates out
   of range. */
dv_status dv__check_samples(const float *samples, size_t count);
dv_status dv__check_rate(const char *where, int64_t sample_rate);

#endif
