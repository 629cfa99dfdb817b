/* What the files of the session share. */
#ifndef DV_MODEL_SESSION_INTERNAL_H
#define DV_MODEL_SESSION_INTERNAL_H

#include "frontends/audio/resample.h"
#include "frontends/model/session.h"

/* What one thread of a session works with. */
typedef struct dv__lane {
    float *samples; /* (room) of a sound, at the model's rate */
    float *raw;     /* (raw_room) of a sound of 16 bits, before it is resampled */
    size_t room, raw_room;
    float *window; /* (samples of the window) */
    void *scratch; /* of the front-end */
    dv_resampler *resampler;
} dv__lane;

/* What became of one place of a batch. */
typedef struct dv__slot {
    dv_status status;
    char message[512]; /* of the thread that failed */
} dv__slot;

struct dv_session {
    dv_model *model;
    dv_context *context; /* NULL: the network is the model's, borrowed */
    dv_network own, *network;
    int64_t capacity;
    int threads;
    dv__lane *lanes; /* (threads) */
    dv__slot *slots; /* (capacity) */
    float *features; /* (capacity, rows, frames): where the network takes them from */
    float *logits;   /* (capacity, classes) */
    double *exact;   /* (classes) */
};

/* Computes the features of clip i; called by one of the session's threads. */
typedef dv_status (*dv__fill)(void *user, dv_session *session, dv__lane *lane, int64_t i,
                              float *features);

/*
 * One pass for the clips from, ..., from + count - 1, at most as many as the capacity: `fill` is
 * called for each of them, then the network. session->slots (count) tell what became of each, and
 * session->logits (count, classes) are the answers where that is DV_OK. It fails where the network
 * does.
 */
dv_status dv__session_pass(dv_session *session, int64_t from, int64_t count, dv__fill fill,
                           void *user);

/* Prepared samples -> features. */
void dv__lane_features(const dv_session *session, dv__lane *lane, const float *samples,
                       int64_t count, int64_t center, float *features);

/* samples (count), of no use afterwards -> features, and what is seen of them. */
void dv__lane_prepare(const dv_session *session, dv__lane *lane, float *samples, int64_t count,
                      float *features, dv_seen *seen);

/* The same of samples (count) that stay as they are, through lane->samples. */
dv_status dv__lane_prepare_copy(const dv_session *session, dv__lane *lane, const float *samples,
                                int64_t count, float *features);

/* logits (classes) -> probabilities (classes), which may be the same memory. */
void dv__session_probabilities(dv_session *session, const float *logits, float *probabilities);

/* Room for a sound in lane->samples. */
dv_status dv__lane_reserve(dv__lane *lane, size_t count);

/* Samples (count) at the model's rate, which have been checked -> probabilities (classes): what
   dv_session_sound says of them. */
dv_status dv__session_stretch(dv_session *session, const float *samples, int64_t count,
                              float *probabilities);

/* All sounds of a call (count) fail alike: probabilities of 0, nothing seen, `status` for each,
   which is returned. `seen` and `statuses` may be NULL. */
dv_status dv__session_fail_all(const dv_session *session, dv_status status, size_t count,
                               float *probabilities, dv_seen *seen, dv_status *statuses);

/* Samples of 16 bits -> -1..1. */
void dv__floats_of(const int16_t *from, size_t count, float *to);

/* What is not a sound's fault would befall the others too. */
static inline bool dv__befalls_all(dv_status status)
{
    return status == DV_ESYSTEM || status == DV_ENOMEM || status == DV_EDEVICE;
}

/* DV_EARG: samples (count) that are no sound. */
dv_status dv__check_samples(const float *samples, size_t count);
dv_status dv__check_rate(const char *where, int64_t sample_rate);

#endif
