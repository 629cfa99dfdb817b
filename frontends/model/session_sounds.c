/* Answers samples, for the functions of include/decavox.h. */
#include "engine/base/clones.h"
#include "frontends/audio/audio.h"
#include "frontends/model/session_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A sample beyond this must be one of 16 bits (see dv_sound). */
static const float largest = 16;

/* Whether each sample is a number within the limit. The loop has no early exit, so that it becomes
   vector code. */
DV__CLONES static bool are_samples(const float *samples, size_t count)
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong |= !(fabsf(samples[i]) <= largest);
    return wrong == 0;
}

dv_status dv__check_samples(const float *samples, size_t count)
{
    if (are_samples(samples, count))
        return DV_OK;
    for (size_t i = 0; i < count; i++) {
        if (fabsf(samples[i]) <= largest)
            continue;
        const char *hint = isfinite(samples[i]) ? "; numbers of 16 bits belong into samples16, or "
                                                  "are to be divided by 32768"
                                                : "";
        return DV_FAIL(DV_EARG, "samples: sample %zu is %g, must be -1..1%s", i, (double)samples[i],
                       hint);
    }
    return DV_OK;
}

dv_status dv__check_rate(const char *where, int64_t sample_rate)
{
    if (sample_rate >= DV_AUDIO_MIN_RATE && sample_rate <= DV_AUDIO_MAX_RATE)
        return DV_OK;
    return DV_FAIL(DV_EARG, "%s: sample rate is %lld Hz, must be %d to %d", where,
                   (long long)sample_rate, DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE);
}

static dv_status check_sound(const dv_sound *sound)
{
    DV_TRY(dv__check_rate("samples", sound->sample_rate));
    if ((sound->samples == NULL) == (sound->samples16 == NULL))
        return DV_FAIL(DV_EARG, "samples: one of samples and samples16 must be set, and %s",
                       sound->samples == NULL ? "neither is" : "both are");
    size_t most = (size_t)(DV_SESSION_MAX_SECONDS * sound->sample_rate);
    if (sound->count < 1 || sound->count > most)
        return DV_FAIL(DV_EARG, "samples: %zu of them, must be 1 to %zu (%d s)", sound->count, most,
                       DV_SESSION_MAX_SECONDS);
    return sound->samples != NULL ? dv__check_samples(sound->samples, sound->count) : DV_OK;
}

void dv__floats_of(const int16_t *from, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (float)from[i] / 32768.0F;
}

/* Resamples a sound into lane->samples (*count). */
static dv_status resample(dv__lane *lane, const dv_sound *sound, int64_t rate, int64_t *count)
{
    const float *from = sound->samples;
    *count = dv_resampled_length(sound->sample_rate, rate, (int64_t)sound->count);
    if (*count < 1)
        return DV_FAIL(DV_EARG, "samples: %zu of them at %lld Hz are too few for %lld Hz",
                       sound->count, (long long)sound->sample_rate, (long long)rate);
    DV_TRY(dv__lane_reserve(lane, (size_t)*count));
    if (from == NULL) {
        DV_TRY(dv_reserve(sound->count, sizeof *lane->raw, &lane->raw_room, &lane->raw));
        dv__floats_of(sound->samples16, sound->count, lane->raw);
        from = lane->raw;
    }
    DV_TRY(dv_resampler_begin(lane->resampler, sound->sample_rate));
    int64_t got = dv_resampler_push(lane->resampler, from, (int64_t)sound->count, lane->samples);
    got += dv_resampler_end(lane->resampler, lane->samples + got);
    DV_ASSERT(got == *count);
    return DV_OK;
}

/* Copies or resamples a sound into lane->samples (*count), at the model's rate. */
static dv_status bring_in(dv__lane *lane, const dv_sound *sound, int64_t rate, int64_t *count)
{
    DV_TRY(check_sound(sound));
    if (sound->sample_rate != rate)
        return resample(lane, sound, rate, count);
    *count = (int64_t)sound->count;
    DV_TRY(dv__lane_reserve(lane, sound->count));
    if (sound->samples != NULL)
        memcpy(lane->samples, sound->samples, sound->count * sizeof *lane->samples);
    else
        dv__floats_of(sound->samples16, sound->count, lane->samples);
    return DV_OK;
}

/* The sounds of one call. */
typedef struct sound_list {
    const dv_sound *sounds;
    dv_seen *seen; /* NULL if not wanted */
} sound_list;

static dv_status fill_sound(void *user, dv_session *session, dv__lane *lane, int64_t i,
                            float *features)
{
    const sound_list *list = user;
    dv_seen ignored;
    int64_t count;
    DV_TRY(bring_in(lane, &list->sounds[i], dv_model_sample_rate(session->model), &count));
    dv__lane_prepare(session, lane, lane->samples, count, features,
                     list->seen != NULL ? &list->seen[i] : &ignored);
    return DV_OK;
}

dv_status dv__session_fail_all(const dv_session *session, dv_status status, size_t count,
                               float *probabilities, dv_seen *seen, dv_status *statuses)
{
    memset(probabilities, 0, count * dv_model_label_count(session->model) * sizeof *probabilities);
    for (size_t i = 0; i < count; i++) {
        if (seen != NULL)
            seen[i] = (dv_seen){0};
        if (statuses != NULL)
            statuses[i] = status;
    }
    return status;
}

/* Writes the results of a batch for the clips from `from` on. */
static void give(dv_session *session, int64_t from, int64_t count, float *probabilities,
                 dv_seen *seen, dv_status *statuses)
{
    size_t classes = dv_model_label_count(session->model);
    for (int64_t i = 0; i < count; i++) {
        const float *row = session->logits + (size_t)i * classes;
        float *to = probabilities + (size_t)(from + i) * classes;
        dv_status status = session->slots[i].status;
        if (status == DV_OK)
            dv__session_probabilities(session, row, to);
        else
            memset(to, 0, classes * sizeof *to);
        if (status != DV_OK && seen != NULL)
            seen[from + i] = (dv_seen){0};
        if (statuses != NULL)
            statuses[from + i] = status;
    }
}

/* The whole call has the message of the first sound that failed. */
static dv_status first_failure(const dv_session *session, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (session->slots[i].status != DV_OK)
            return dv_fail(session->slots[i].status, "%s", session->slots[i].message);
    }
    return DV_OK;
}

static dv_status failure_of_all(const dv_session *session, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (dv__befalls_all(session->slots[i].status))
            return dv_fail(session->slots[i].status, "%s", session->slots[i].message);
    }
    return DV_OK;
}

/* Answers batch by batch. The message of the first failure is copied, since later batches overwrite
   it. */
dv_status dv_session_sounds(dv_session *session, const dv_sound *sounds, size_t count,
                            float *probabilities, dv_seen *seen, dv_status *statuses)
{
    sound_list list = {sounds, seen};
    dv_status first = DV_OK;
    char message[sizeof session->slots->message] = "";
    for (int64_t from = 0; from < (int64_t)count; from += session->capacity) {
        int64_t left = (int64_t)count - from;
        int64_t most = left < session->capacity ? left : session->capacity;
        dv_status status = dv__session_pass(session, from, most, fill_sound, &list);
        if (status == DV_OK)
            status = failure_of_all(session, most);
        if (status != DV_OK)
            return dv__session_fail_all(session, status, count, probabilities, seen, statuses);
        give(session, from, most, probabilities, seen, statuses);
        if (first == DV_OK) {
            first = first_failure(session, most);
            snprintf(message, sizeof message, "%s", first != DV_OK ? dv_error_message() : "");
        }
    }
    return first == DV_OK ? DV_OK : dv_fail(first, "%s", message);
}

/* ---- A window of a stream ---- */

typedef struct stretch {
    const float *samples;
    int64_t count;
} stretch;

static dv_status fill_stretch(void *user, dv_session *session, dv__lane *lane, int64_t i,
                              float *features)
{
    const stretch *part = user;
    (void)i;
    return dv__lane_prepare_copy(session, lane, part->samples, part->count, features);
}

dv_status dv__session_stretch(dv_session *session, const float *samples, int64_t count,
                              float *probabilities)
{
    stretch part = {samples, count};
    DV_TRY(dv__session_pass(session, 0, 1, fill_stretch, &part));
    give(session, 0, 1, probabilities, NULL, NULL);
    return first_failure(session, 1);
}

dv_status dv_session_sound(dv_session *session, const dv_sound *sound, float *probabilities,
                           dv_seen *seen)
{
    return dv_session_sounds(session, sound, 1, probabilities, seen, NULL);
}
