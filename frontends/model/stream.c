/* Answers a sound that comes piece by piece. It is resampled as it comes, and answered window by
   window. */
#include "frontends/audio/audio.h"
#include "frontends/model/session_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double most_smoothing = 60; /* s */

struct dv_stream {
    dv_session *session;
    int64_t from_rate;       /* Hz, of the pieces */
    int64_t window, hop;     /* samples at the model's rate */
    size_t classes, average; /* `average` windows are averaged */
    float *thresholds;       /* (classes) */
    dv_resampler *resampler;

    float *samples; /* (room), the first `count` are valid; at the model's rate */
    size_t room;
    int64_t count, first; /* `first` is the number of samples[0] in the stream */
    int64_t next;         /* number of the first sample of the next window */
    bool ended, finished; /* `finished` if the window at the end has been answered */

    float *piece; /* (piece_room), samples of 16 bits as floats */
    size_t piece_room;

    float *history; /* (average, classes), a ring with the probabilities of the latest windows */
    size_t answered;
    float *smoothed; /* (classes) */
    size_t heard;    /* the label that was heard in the last window; `classes` for none */
};

/* ---- Making ---- */

static dv_status check_options(const dv_stream *stream, const dv_stream_options *options)
{
    double window = dv_model_window(stream->session->model);
    DV_TRY(dv__check_rate("dv_stream_options", stream->from_rate));
    if (!(options->hop >= 0 && options->hop <= window))
        return DV_FAIL(DV_EARG, "dv_stream_options: hop is %.9g s, must be 0 to %.9g s, one window",
                       options->hop, window);
    if (!(options->smoothing >= 0 && options->smoothing <= most_smoothing))
        return DV_FAIL(DV_EARG, "dv_stream_options: smoothing is %g s, must be 0 to %g s",
                       options->smoothing, most_smoothing);
    return DV_OK;
}

static dv_status copy_thresholds(dv_stream *stream, const float *thresholds)
{
    DV_TRY(dv_calloc(stream->classes, sizeof *stream->thresholds, &stream->thresholds));
    for (size_t k = 0; k < stream->classes; k++) {
        stream->thresholds[k] = thresholds != NULL ? thresholds[k] : 0.5F;
        if (!(stream->thresholds[k] >= 0))
            return DV_FAIL(
                DV_EARG, "dv_stream_options: the threshold of '%s' is %g, must be 0 or more",
                dv_model_label(stream->session->model, k), (double)stream->thresholds[k]);
    }
    return DV_OK;
}

/* The number of windows that are averaged. They begin within `smoothing` seconds up to the latest
   one. A number of hops that is whole except for rounding counts as whole. */
static size_t windows_within(double smoothing, double hop)
{
    return 1 + (size_t)(smoothing / hop + 1e-6);
}

/* Fills in the defaults of the options, and allocates. */
static dv_status make(dv_stream *stream, const dv_stream_options *options)
{
    const dv_model *model = stream->session->model;
    int64_t rate = dv_model_sample_rate(model);
    stream->from_rate = options->sample_rate != 0 ? options->sample_rate : rate;
    stream->window = dv_frontend_samples(dv_model_frontend(model));
    stream->classes = dv_model_label_count(model);
    DV_TRY(check_options(stream, options));
    double hop = options->hop > 0 ? options->hop : dv_model_window(model) / 4;
    stream->hop = llround(hop * (double)rate);
    if (stream->hop < 1)
        return DV_FAIL(DV_EARG, "dv_stream_options: hop is %g s, less than a sample", hop);
    stream->average = windows_within(options->smoothing, hop);
    DV_TRY(copy_thresholds(stream, options->thresholds));
    DV_TRY(dv_calloc(stream->average * stream->classes, sizeof(float), &stream->history));
    DV_TRY(dv_calloc(stream->classes, sizeof *stream->smoothed, &stream->smoothed));
    DV_TRY(dv_resampler_create(rate, &stream->resampler));
    return dv_resampler_begin(stream->resampler, stream->from_rate);
}

dv_status dv_stream_create(dv_session *session, const dv_stream_options *options, dv_stream **out)
{
    dv_stream_options all;
    dv_stream *stream;
    *out = NULL;
    DV_TRY(dv__options_take(options, sizeof all, "dv_stream_options", &all));
    DV_TRY(dv_calloc(1, sizeof *stream, &stream));
    stream->session = session;
    dv_status status = make(stream, &all);
    if (status != DV_OK) {
        dv_stream_free(stream);
        return status;
    }
    dv_stream_reset(stream);
    *out = stream;
    return DV_OK;
}

void dv_stream_free(dv_stream *stream)
{
    if (stream == NULL)
        return;
    dv_resampler_free(stream->resampler);
    free(stream->thresholds);
    free(stream->samples);
    free(stream->piece);
    free(stream->history);
    free(stream->smoothed);
    free(stream);
}

/* The resampler has begun at this rate before, so it cannot fail here. */
void dv_stream_reset(dv_stream *stream)
{
    dv_status status = dv_resampler_begin(stream->resampler, stream->from_rate);
    DV_ASSERT(status == DV_OK);
    stream->count = stream->first = stream->next = 0;
    stream->ended = stream->finished = false;
    stream->answered = 0;
    stream->heard = stream->classes;
}

/* ---- Taking samples ---- */

/* Makes room for `more` samples. Samples that no window needs any more are dropped first. The
   window at the end may begin before the next one, but not before the last one. */
static dv_status make_room(dv_stream *stream, int64_t more)
{
    int64_t done = stream->next - stream->hop - stream->first;
    done = done < 0 ? 0 : done < stream->count ? done : stream->count;
    stream->count -= done;
    stream->first += done;
    if (done > 0)
        memmove(stream->samples, stream->samples + done,
                (size_t)stream->count * sizeof *stream->samples);
    size_t wanted = (size_t)(stream->count + more);
    if (wanted <= stream->room)
        return DV_OK;
    float *grown = realloc(stream->samples, 2 * wanted * sizeof *grown);
    if (grown == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu samples", 2 * wanted);
    stream->samples = grown;
    stream->room = 2 * wanted;
    return DV_OK;
}

static dv_status check_piece(const dv_stream *stream, size_t count)
{
    int64_t rate = dv_model_sample_rate(stream->session->model);
    double waiting = (double)(stream->first + stream->count - stream->next) / (double)rate;
    double piece = (double)count / (double)stream->from_rate;
    if (stream->ended)
        return DV_FAIL(DV_EARG, "the stream has ended; dv_stream_reset begins a new one");
    if (piece + (waiting > 0 ? waiting : 0) > DV_SESSION_MAX_SECONDS)
        return DV_FAIL(DV_EARG, "more than %d s of the stream wait; poll it first",
                       DV_SESSION_MAX_SECONDS);
    return DV_OK;
}

dv_status dv_stream_accept(dv_stream *stream, const float *samples, size_t count)
{
    DV_TRY(check_piece(stream, count));
    DV_TRY(dv__check_samples(samples, count));
    DV_TRY(make_room(stream, dv_resampler_room(stream->resampler, (int64_t)count)));
    stream->count += dv_resampler_push(stream->resampler, samples, (int64_t)count,
                                       stream->samples + stream->count);
    return DV_OK;
}

dv_status dv_stream_accept_int16(dv_stream *stream, const int16_t *samples, size_t count)
{
    DV_TRY(check_piece(stream, count));
    DV_TRY(dv_reserve(count, sizeof *stream->piece, &stream->piece_room, &stream->piece));
    dv__floats_of(samples, count, stream->piece);
    return dv_stream_accept(stream, stream->piece, count);
}

dv_status dv_stream_end(dv_stream *stream)
{
    if (stream->ended)
        return DV_OK;
    DV_TRY(make_room(stream, dv_resampler_room(stream->resampler, 0)));
    stream->count += dv_resampler_end(stream->resampler, stream->samples + stream->count);
    stream->ended = true;
    return DV_OK;
}

/* ---- Answering ---- */

/* Finds start and length of the next window. False if it is not complete. The window at the end
   ends with the stream, and exists if some samples were in no window before. */
static bool find_window(const dv_stream *stream, int64_t *from, int64_t *length)
{
    int64_t total = stream->first + stream->count;
    int64_t seen = stream->next > 0 ? stream->next - stream->hop + stream->window : 0;
    *from = stream->next;
    *length = stream->window;
    if (total >= stream->next + stream->window)
        return true;
    if (!stream->ended || stream->finished || total <= seen)
        return false;
    *from = total > stream->window ? total - stream->window : 0;
    *length = total - *from;
    return true;
}

/* Computes the mean over the latest windows. At first there are fewer than `average`. */
static void smooth(dv_stream *stream)
{
    size_t there = stream->answered < stream->average ? stream->answered : stream->average;
    for (size_t k = 0; k < stream->classes; k++) {
        double sum = 0;
        for (size_t i = 0; i < there; i++)
            sum += (double)stream->history[i * stream->classes + k];
        stream->smoothed[k] = (float)(sum / (double)there);
    }
}

/* Decides which label was heard in the window. */
static void listen(dv_stream *stream, dv_stream_window *window)
{
    size_t best = 0;
    for (size_t k = 1; k < stream->classes; k++)
        best = stream->smoothed[k] > stream->smoothed[best] ? k : best;
    bool above = stream->smoothed[best] >= stream->thresholds[best];
    window->label = best;
    window->probability = stream->smoothed[best];
    window->heard = above && stream->heard != best;
    stream->heard = above ? best : stream->classes;
}

/* Answers the next window into the ring, and averages the windows there. */
dv_status dv_stream_poll(dv_stream *stream, dv_stream_window *window, int *there)
{
    int64_t from, length, rate = dv_model_sample_rate(stream->session->model);
    *there = 0;
    if (!find_window(stream, &from, &length))
        return DV_OK;
    float *row = stream->history + stream->answered % stream->average * stream->classes;
    DV_TRY(dv__session_stretch(stream->session, stream->samples + (from - stream->first), length,
                               row));
    stream->answered++;
    stream->finished = from != stream->next;
    stream->next += stream->hop;
    smooth(stream);
    *window = (dv_stream_window){.from = (double)from / (double)rate,
                                 .to = (double)(from + length) / (double)rate,
                                 .probabilities = row,
                                 .smoothed = stream->smoothed};
    listen(stream, window);
    *there = 1;
    return DV_OK;
}
