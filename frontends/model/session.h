/*
 * A session: what a thread needs to get answers of a model, made once. Nothing is allocated or
 * planned by an answer. Sessions of one model share its parameters, and know nothing of each other.
 *
 * Each clip is computed by itself, in a network of batch 1 on one thread: an answer depends on
 * nothing but the clip, to the bit.
 */
#ifndef DV_MODEL_SESSION_H
#define DV_MODEL_SESSION_H

#include "frontends/model/model.h"

typedef struct dv_session dv_session;

/* To be called by the thread that will use it. The model must outlive it. */
dv_status dv_session_create(dv_model *model, dv_session **out);
void dv_session_free(dv_session *session);

/* samples (count) are prepared (dv_frontend_prepare) -> logits (classes). DV_ENUMERIC: the answer
   is not finite. */
dv_status dv_session_answer(dv_session *session, const float *samples, int64_t count,
                            int64_t center, float *logits);

#endif
