/* The public API to recognise words: a thin layer over the predictor. */
#include "frontends/model/decavox_predict.h"
#include "engine/train/metrics.h"
#include "frontends/audio/audio.h"
#include "frontends/model/predictor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct dv_recognizer {
    dv_predictor *predictor;
    size_t labels;
    double *exact; /* (labels) */
    dv_seen *seen; /* (seen_count) of the latest call that has answered */
    size_t seen_count;
};

/* A recogniser is a predictor on the CPU, with room for the probabilities in double. */
dv_status dv_recognizer_open(const char *checkpoint, int threads, dv_log_fn log, void *user,
                             dv_recognizer **out)
{
    *out = NULL;
    if (threads < 0)
        return DV_FAIL(DV_EARG, "%s: %d threads, must be 0 or more", checkpoint, threads);
    dv_status status;
    dv_recognizer *recognizer;
    DV_TRY(dv_calloc(1, sizeof *recognizer, &recognizer));
    dv_log sink = {.write = log, .user = user};
    DV_TRY_GOTO(dv_predictor_load(
        checkpoint, &(dv_predictor_options){.device = "cpu", .threads = threads, .log = sink},
        &recognizer->predictor));
    recognizer->labels = (size_t)dv_predictor_classes(recognizer->predictor);
    DV_TRY_GOTO(dv_calloc(recognizer->labels, sizeof *recognizer->exact, &recognizer->exact));
    *out = recognizer;
    return DV_OK;
fail:
    dv_recognizer_close(recognizer);
    return status;
}

void dv_recognizer_close(dv_recognizer *recognizer)
{
    if (recognizer == NULL)
        return;
    dv_predictor_free(recognizer->predictor);
    free(recognizer->exact);
    free(recognizer->seen);
    free(recognizer);
}

size_t dv_recognizer_label_count(const dv_recognizer *recognizer)
{
    return recognizer->labels;
}

const char *dv_recognizer_label(const dv_recognizer *recognizer, size_t index)
{
    if (index >= recognizer->labels)
        return NULL;
    return dv_predictor_label(recognizer->predictor, (int64_t)index);
}

dv_seen dv_recognizer_seen(const dv_recognizer *recognizer, size_t index)
{
    return index < recognizer->seen_count ? recognizer->seen[index] : (dv_seen){.seconds = 0};
}

double dv_recognizer_window(const dv_recognizer *recognizer)
{
    const dv_frontend *frontend = dv_predictor_frontend(recognizer->predictor);
    return (double)dv_frontend_samples(frontend) /
           (double)dv_frontend_config(frontend)->sample_rate;
}

/* Forgets what was seen of other sounds and makes room for `count`. */
static dv_status begin_seen(dv_recognizer *recognizer, size_t count)
{
    free(recognizer->seen);
    recognizer->seen_count = 0;
    DV_TRY(dv_calloc(count, sizeof *recognizer->seen, &recognizer->seen));
    recognizer->seen_count = count;
    return DV_OK;
}

/* row (labels): logits become probabilities. */
static void to_probabilities(const dv_recognizer *recognizer, float *row)
{
    dv_softmax(row, (int64_t)recognizer->labels, recognizer->exact);
    for (size_t i = 0; i < recognizer->labels; i++)
        row[i] = (float)recognizer->exact[i];
}

dv_status dv_recognizer_file(dv_recognizer *recognizer, const char *path, float *probabilities)
{
    dv_status status;
    return dv_recognizer_files(recognizer, &path, 1, probabilities, &status);
}

/* Turns the logits of each answer into probabilities; the first failure's status and message. */
static dv_status finish_answers(dv_recognizer *recognizer, const dv_answer *answers, size_t count,
                                dv_status *statuses)
{
    dv_status first = DV_OK;
    for (size_t i = 0; i < count; i++) {
        float *row = answers[i].logits;
        statuses[i] = answers[i].status;
        if (statuses[i] == DV_OK) {
            to_probabilities(recognizer, row);
            recognizer->seen[i] = answers[i].seen;
        } else {
            memset(row, 0, recognizer->labels * sizeof *row);
        }
        if (statuses[i] != DV_OK && first == DV_OK)
            first = DV_FAIL(statuses[i], "%s", answers[i].message);
    }
    return first;
}

/* The logits are written into `probabilities`, and become probabilities in place. */
dv_status dv_recognizer_files(dv_recognizer *recognizer, const char *const *paths, size_t count,
                              float *probabilities, dv_status *statuses)
{
    dv_answer *answers;
    dv_status status = dv_calloc(count, sizeof *answers, &answers);
    for (size_t i = 0; status == DV_OK && i < count; i++)
        answers[i].logits = probabilities + i * recognizer->labels;
    if (status == DV_OK)
        status = begin_seen(recognizer, count);
    if (status == DV_OK)
        status = dv_predictor_files(recognizer->predictor, paths, (int64_t)count, answers);
    if (status == DV_OK) {
        status = finish_answers(recognizer, answers, count, statuses);
    } else {
        for (size_t i = 0; i < count; i++)
            statuses[i] = status;
        memset(probabilities, 0, count * recognizer->labels * sizeof *probabilities);
    }
    free(answers);
    return status;
}

static dv_status check_samples(const float *samples, size_t count, int64_t sample_rate)
{
    if (sample_rate < DV_AUDIO_MIN_RATE || sample_rate > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EARG, "samples: sample rate is %lld Hz, must be %d to %d",
                       (long long)sample_rate, DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE);
    size_t most = (size_t)(DV_PREDICTOR_MAX_SECONDS * sample_rate);
    if (count < 1 || count > most)
        return DV_FAIL(DV_EARG, "samples: %zu of them, must be 1 to %zu (%d s)", count, most,
                       DV_PREDICTOR_MAX_SECONDS);
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(samples[i]) <= DV_AUDIO_LARGEST))
            return DV_FAIL(DV_EARG, "samples: sample %zu is %g, must be -1..1", i,
                           (double)samples[i]);
    }
    return DV_OK;
}

/* A copy of the samples at the front-end's rate. */
static dv_status copy_audio(const float *samples, size_t count, int64_t from, int64_t to,
                            dv_audio *audio)
{
    *audio = (dv_audio){.count = (int64_t)count, .sample_rate = from};
    DV_TRY(dv_calloc(count, sizeof *samples, &audio->samples));
    memcpy(audio->samples, samples, count * sizeof *samples);
    dv_status status = from != to ? dv_audio_resample("samples", to, NULL, audio) : DV_OK;
    if (status != DV_OK)
        dv_audio_free(audio);
    return status;
}

dv_status dv_recognizer_samples(dv_recognizer *recognizer, const float *samples, size_t count,
                                int64_t sample_rate, float *probabilities)
{
    const dv_frontend *frontend = dv_predictor_frontend(recognizer->predictor);
    DV_TRY(check_samples(samples, count, sample_rate));
    DV_TRY(begin_seen(recognizer, 1));
    dv_audio audio;
    DV_TRY(
        copy_audio(samples, count, sample_rate, dv_frontend_config(frontend)->sample_rate, &audio));
    dv_seen seen;
    dv_status status = dv_predictor_samples(recognizer->predictor, audio.samples, audio.count,
                                            probabilities, &seen);
    if (status == DV_OK) {
        to_probabilities(recognizer, probabilities);
        recognizer->seen[0] = seen;
    }
    dv_audio_free(&audio);
    return status;
}
