/* Answers files. */
#include "frontends/audio/audio.h"
#include "frontends/model/session_internal.h"

#include <stdlib.h>
#include <string.h>

void dv_answer_warn(const dv_log *log, const char *path, const dv_answer *answer, const char *hint)
{
    const dv_seen *seen = &answer->seen;
    for (int remark = 0; remark < DV_AUDIO_REMARK_COUNT; remark++) {
        if ((answer->remarks >> remark & 1) != 0)
            dv_log_write(log, DV_LOG_WARNING, "%s: %s", path,
                         dv_audio_remark_text((dv_audio_remark)remark));
    }
    if (answer->longer)
        dv_log_write(
            log, DV_LOG_WARNING,
            "%s: is %.2f s long, more than one window; the model has seen %.2f to %.2f s of it%s%s",
            path, seen->seconds, seen->from, seen->to, hint != NULL ? "; " : "",
            hint != NULL ? hint : "");
}

/* The files of one call. */
typedef struct file_list {
    const char *const *paths;
    dv_answer *answers;
    bool streams;
} file_list;

static dv_status read_sound(const dv_session *session, dv__lane *lane, const char *path,
                            bool streams, dv_audio *audio)
{
    return (streams ? dv_audio_read_stream : dv_audio_read)(
        path, dv_model_sample_rate(session->model), DV_SESSION_MAX_SECONDS, lane->resampler, audio);
}

/* ---- One answer a file ---- */

static dv_status fill_file(void *user, dv_session *session, dv__lane *lane, int64_t i,
                           float *features)
{
    static const double least = 0.01; /* s; a file that is longer by less gets no warning */
    const file_list *list = user;
    dv_answer *answer = &list->answers[i];
    dv_audio audio;
    DV_TRY(read_sound(session, lane, list->paths[i], list->streams, &audio));
    answer->remarks = audio.facts.remarks;
    dv__lane_prepare(session, lane, audio.samples, audio.count, features, &answer->seen);
    answer->longer = audio.count > dv_frontend_samples(dv_model_frontend(session->model)) &&
                     answer->seen.seconds - (answer->seen.to - answer->seen.from) >= least;
    dv_audio_free(&audio);
    return DV_OK;
}

/* Messages about reading name the file already. The network's message does not, so the path is
   added. */
static void set_failure(dv_answer *answer, dv_status status, const char *path, const char *message)
{
    answer->status = status;
    if (status == DV_ENUMERIC)
        (void)dv_fail(status, "%s: %s", path, message);
    else
        (void)dv_fail(status, "%s", message);
    snprintf(answer->message, sizeof answer->message, "%s", dv_error_message());
}

/* Answers the files from, ..., from + count - 1 in one pass. They are at most the capacity. */
static dv_status answer_batch(dv_session *session, file_list *list, int64_t from, int64_t count)
{
    int64_t classes = dv_model_classes(session->model);
    for (int64_t i = from; i < from + count; i++)
        list->answers[i] = (dv_answer){.logits = list->answers[0].logits + i * classes};
    DV_TRY(dv__session_pass(session, from, count, fill_file, list));
    for (int64_t i = 0; i < count; i++) {
        const dv__slot *slot = &session->slots[i];
        dv_answer *answer = &list->answers[from + i];
        memcpy(answer->logits, session->logits + i * classes, (size_t)classes * sizeof(float));
        if (slot->status != DV_OK)
            set_failure(answer, slot->status, list->paths[from + i], slot->message);
        if (dv__befalls_all(slot->status))
            return dv_fail(slot->status, "%s", slot->message);
    }
    return DV_OK;
}

/* ---- One answer a window ---- */

/* The windows of one file. */
typedef struct window_list {
    const dv_audio *audio;
    int64_t length; /* samples of a window */
} window_list;

static int64_t window_start(const window_list *list, int64_t i)
{
    int64_t last = list->audio->count - list->length;
    return i * list->length < last ? i * list->length : last;
}

static dv_status fill_window(void *user, dv_session *session, dv__lane *lane, int64_t i,
                             float *features)
{
    const window_list *list = user;
    return dv__lane_prepare_copy(session, lane, list->audio->samples + window_start(list, i),
                                 list->length, features);
}

/* Answers the windows, as many at a time as the session's capacity, and sets their places. */
static dv_status answer_stretches(dv_session *session, window_list *list, dv_answer *answer)
{
    int64_t classes = dv_model_classes(session->model), count = answer->stretch_count;
    double rate = (double)dv_model_sample_rate(session->model);
    float *logits = answer->stretches[0].logits;
    for (int64_t from = 0; from < count; from += session->capacity) {
        int64_t most = count - from < session->capacity ? count - from : session->capacity;
        DV_TRY(dv__session_pass(session, from, most, fill_window, list));
        memcpy(logits + from * classes, session->logits, (size_t)(most * classes) * sizeof *logits);
        for (int64_t i = 0; i < most; i++) {
            if (session->slots[i].status != DV_OK)
                return dv_fail(session->slots[i].status, "%s", session->slots[i].message);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        double start = (double)window_start(list, i);
        answer->stretches[i] = (dv_stretch){.from = start / rate,
                                            .to = (start + (double)list->length) / rate,
                                            .logits = logits + i * classes};
    }
    answer->seen = (dv_seen){.seconds = (double)list->audio->count / rate,
                             .to = (double)list->audio->count / rate};
    return DV_OK;
}

static dv_status answer_audio(dv_session *session, const dv_audio *audio, dv_answer *answer)
{
    int64_t window = dv_frontend_samples(dv_model_frontend(session->model));
    window_list list = {audio, audio->count < window ? audio->count : window};
    size_t count = (size_t)((audio->count + window - 1) / window);
    answer->remarks = audio->facts.remarks;
    DV_TRY(dv_calloc(count, sizeof *answer->stretches, &answer->stretches));
    answer->stretch_count = (int64_t)count;
    DV_TRY(dv_calloc(count * dv_model_label_count(session->model), sizeof(float),
                     &answer->stretches[0].logits));
    return answer_stretches(session, &list, answer);
}

void dv_answer_free_stretches(dv_answer *answer)
{
    if (answer->stretches != NULL)
        free(answer->stretches[0].logits);
    free(answer->stretches);
    answer->stretches = NULL;
}

/* The logits are in the stretches; answer->logits stays as it is. */
dv_status dv_session_answer_windows(dv_session *session, const char *path, bool streams,
                                    dv_answer *answer)
{
    dv_audio audio;
    *answer = (dv_answer){.logits = answer->logits};
    dv_status status = read_sound(session, &session->lanes[0], path, streams, &audio);
    if (status == DV_OK)
        status = answer_audio(session, &audio, answer);
    dv_audio_free(&audio);
    if (status != DV_OK) {
        set_failure(answer, status, path, dv_error_message());
        dv_answer_free_stretches(answer);
    }
    return dv__befalls_all(status) ? status : DV_OK;
}

/* ---- All files ---- */

dv_status dv_session_answer_files(dv_session *session, const char *const *paths, int64_t count,
                                  bool streams, dv_answer *answers)
{
    file_list list = {paths, answers, streams};
    int64_t most;
    for (int64_t from = 0; from < count; from += most) {
        most = count - from < session->capacity ? count - from : session->capacity;
        DV_TRY(answer_batch(session, &list, from, most));
    }
    return DV_OK;
}

/* ---- The public form ---- */

/* Turns the logits of the answers into probabilities, in place. Returns the first failure with its
   message. */
static dv_status finish_answers(dv_session *session, const dv_answer *answers, size_t count,
                                dv_seen *seen, dv_status *statuses)
{
    dv_status first = DV_OK;
    for (size_t i = 0; i < count; i++) {
        const dv_answer *answer = &answers[i];
        if (answer->status == DV_OK)
            dv__session_probabilities(session, answer->logits, answer->logits);
        else
            memset(answer->logits, 0,
                   dv_model_label_count(session->model) * sizeof *answer->logits);
        if (answer->status != DV_OK && first == DV_OK)
            first = dv_fail(answer->status, "%s", answer->message);
        if (seen != NULL)
            seen[i] = answer->status == DV_OK ? answer->seen : (dv_seen){0};
        if (statuses != NULL)
            statuses[i] = answer->status;
    }
    return first;
}

/* The logits are written into `probabilities`, and are turned into probabilities there. */
dv_status dv_session_files(dv_session *session, const char *const *paths, size_t count,
                           float *probabilities, dv_seen *seen, dv_status *statuses)
{
    dv_answer *answers;
    dv_status status = dv_calloc(count > 0 ? count : 1, sizeof *answers, &answers);
    if (status == DV_OK) {
        answers[0].logits = probabilities;
        status = dv_session_answer_files(session, paths, (int64_t)count, false, answers);
    }
    for (size_t i = 0; status == DV_OK && i < count; i++)
        dv_answer_warn(&dv_model_context(session->model)->log, paths[i], &answers[i], NULL);
    status = status == DV_OK
                 ? finish_answers(session, answers, count, seen, statuses)
                 : dv__session_fail_all(session, status, count, probabilities, seen, statuses);
    free(answers);
    return status;
}

dv_status dv_session_file(dv_session *session, const char *path, float *probabilities,
                          dv_seen *seen)
{
    return dv_session_files(session, &path, 1, probabilities, seen, NULL);
}
