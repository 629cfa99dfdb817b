/* The order of the work. It keeps the state of a sound, the filters, and the lines of samples for
   the next sums. */
#include "frontends/audio/resample.h"
#include "frontends/audio/audio.h"
#include "frontends/audio/resample_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEPT = 8,                /* filters */
    BLOCK = 3072,            /* samples that are taken at a time */
    BETWEEN = 2 * BLOCK + 2, /* the most samples of a block between the two filters */
    REACH = DV__HALF_BAND_REACH,
    FEW = 16, /* the most phases, and parts, for samples of one phase side by side */
    SPARE = 4 * DV__SIDE_BY_SIDE /* samples behind a line, since loops compute whole vectors */
};

typedef struct kept_filter {
    int64_t from;  /* Hz; 0 if the place is free */
    int64_t begun; /* number of the latest sound that used it */
    dv__polyphase filter;
} kept_filter;

/* Samples. The first is the first that the next sum is over. */
typedef struct line {
    float *samples; /* (capacity), owned */
    size_t capacity;
    int64_t count;
} line;

struct dv_resampler {
    int64_t from, to;     /* Hz; `from` is 0 if no sound has begun */
    int64_t taken, given; /* samples of the sound and of the result */
    int64_t sounds;       /* number of sounds so far */
    kept_filter kept[KEPT];
    const dv__polyphase *filter; /* NULL if the rates need at most the half-band filter */
    int64_t phase;               /* phase of the polyphase filter's next sample */
    line coarse;                 /* input of the polyphase filter */
    line parts;                  /* the same samples, deinterleaved */
    int64_t sharp_count;         /* samples in sharp->line */
    struct sharp_work *sharp;    /* NULL if no sound so far has needed it */
};

/* The memory of the half-band filter. A sound at the rate of the result does not need it. */
typedef struct sharp_work {
    float half_band[REACH];
    float line[4 * REACH + BETWEEN + SPARE]; /* input of the filter */
    float odd[2 * REACH + BETWEEN / 2 + SPARE];
    float sums[2 * REACH + BETWEEN / 2 + SPARE];
    float between[BETWEEN];
} sharp_work;

/* ---- Life ---- */

dv_status dv_resampler_create(int64_t to, dv_resampler **out)
{
    *out = NULL;
    if (to < DV_AUDIO_MIN_RATE || to > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EARG, "resampling to %lld Hz, must be %d to %d", (long long)to,
                       DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE);
    DV_TRY(dv_calloc(1, sizeof **out, out));
    (*out)->to = to;
    return DV_OK;
}

void dv_resampler_free(dv_resampler *resampler)
{
    if (resampler == NULL)
        return;
    for (int i = 0; i < KEPT; i++)
        dv__polyphase_free(&resampler->kept[i].filter);
    free(resampler->sharp);
    free(resampler->coarse.samples);
    free(resampler->parts.samples);
    free(resampler);
}

int64_t dv_resampler_rate(const dv_resampler *resampler)
{
    return resampler->to;
}

size_t dv_resampler_size(const dv_resampler *resampler)
{
    size_t floats = resampler->coarse.capacity + resampler->parts.capacity;
    for (int i = 0; i < KEPT; i++)
        floats += (size_t)dv__polyphase_size(&resampler->kept[i].filter);
    size_t sharp = resampler->sharp != NULL ? sizeof *resampler->sharp : 0;
    return sizeof *resampler + sharp + floats * sizeof(float);
}

/* ---- Beginning ---- */

/* Finds the filter from `from` Hz among those that are kept, or designs it in place of the least
   recently used. */
static dv_status find_filter(dv_resampler *resampler, int64_t from)
{
    int64_t low = from < resampler->to ? from : resampler->to;
    kept_filter *place = resampler->kept;
    for (kept_filter *k = resampler->kept; k < resampler->kept + KEPT; k++) {
        if (k->from == from)
            place = k;
        if (place->from != from && k->begun < place->begun)
            place = k;
    }
    if (place->from != from) {
        dv__polyphase_free(&place->filter);
        place->from = 0;
        place->begun = 0;
        DV_TRY(low < from ? dv__polyphase_design(from, 2 * low, low, &place->filter)
                          : dv__polyphase_design(2 * low, resampler->to, low, &place->filter));
        place->from = from;
    }
    place->begun = resampler->sounds;
    resampler->filter = &place->filter;
    return DV_OK;
}

static dv_status reserve(line *l, int64_t count)
{
    return dv_reserve((size_t)count, sizeof *l->samples, &l->capacity, &l->samples);
}

/* The distance from one part of a deinterleaved line to the next. */
static int64_t pitch_of(const dv_resampler *resampler)
{
    return (2 * resampler->filter->reach + BETWEEN) / resampler->filter->down + 1 + SPARE;
}

static dv_status reserve_lines(dv_resampler *resampler)
{
    const dv__polyphase *filter = resampler->filter;
    DV_TRY(reserve(&resampler->coarse, 2 * filter->reach + BETWEEN + FEW + SPARE));
    if (filter->down > 1 && filter->down <= FEW)
        DV_TRY(reserve(&resampler->parts, filter->down * pitch_of(resampler)));
    return DV_OK;
}

/* The first sums begin with the silence before the sound. */
static void begin_lines(dv_resampler *resampler)
{
    resampler->sharp_count = resampler->from > resampler->to ? 2 * REACH : REACH - 1;
    if (resampler->sharp != NULL)
        memset(resampler->sharp->line, 0, sizeof resampler->sharp->line);
    resampler->phase = 0;
    if (resampler->filter == NULL)
        return;
    resampler->coarse.count = resampler->filter->reach - 1;
    memset(resampler->coarse.samples, 0, (size_t)resampler->coarse.count * sizeof(float));
}

static dv_status need_sharp(dv_resampler *resampler)
{
    if (resampler->sharp != NULL)
        return DV_OK;
    DV_TRY(dv_calloc(1, sizeof *resampler->sharp, &resampler->sharp));
    dv__half_band_design(resampler->sharp->half_band);
    return DV_OK;
}

/* Only this function allocates memory and designs filters for the rates. */
dv_status dv_resampler_begin(dv_resampler *resampler, int64_t from)
{
    const int64_t to = resampler->to;
    resampler->from = 0;
    resampler->taken = 0;
    resampler->given = 0;
    resampler->filter = NULL;
    if (from < DV_AUDIO_MIN_RATE || from > DV_AUDIO_MAX_RATE)
        return DV_FAIL(DV_EARG, "resampling from %lld Hz, must be %d to %d", (long long)from,
                       DV_AUDIO_MIN_RATE, DV_AUDIO_MAX_RATE);
    resampler->sounds++;
    if (from != to)
        DV_TRY(need_sharp(resampler));
    if (from != to && from != 2 * to && to != 2 * from) {
        DV_TRY(find_filter(resampler, from));
        DV_TRY(reserve_lines(resampler));
    }
    resampler->from = from;
    begin_lines(resampler);
    return DV_OK;
}

/* ---- The polyphase filter ---- */

static void append(float *samples, int64_t *count, const float *more, int64_t more_count)
{
    memcpy(samples + *count, more, (size_t)more_count * sizeof *samples);
    *count += more_count;
}

static void drop(float *samples, int64_t *count, int64_t gone)
{
    if (gone == 0)
        return;
    *count -= gone;
    memmove(samples, samples + gone, (size_t)*count * sizeof *samples);
}

/* Computes `count` samples with a filter that has a row for each phase. The samples of one phase
   are computed side by side. */
static void sum_by_phase(dv_resampler *resampler, int64_t count, float *out)
{
    const dv__polyphase *filter = resampler->filter;
    const line *coarse = &resampler->coarse;
    dv__parts parts = {coarse->samples, filter->down, pitch_of(resampler)};
    if (filter->down > 1) {
        for (int64_t i = 0; i < filter->down; i++)
            dv__take_every(filter->down, coarse->samples + i, coarse->count / filter->down + 1,
                           resampler->parts.samples + i * parts.pitch);
        parts.at = resampler->parts.samples;
    }
    for (int64_t i = 0; i < filter->up && i < count; i++) {
        int64_t place = resampler->phase + i * filter->down;
        int64_t same = (count - i + filter->up - 1) / filter->up;
        dv__phase_sums(filter->coefs + place % filter->up * filter->taps, 2 * filter->reach, &parts,
                       place / filter->up, same, filter->up, out + i);
    }
}

/* Puts the samples through the polyphase filter. Returns how many came out, at most `most`. */
static int64_t filter_coarse(dv_resampler *resampler, const float *samples, int64_t count,
                             int64_t most, float *out)
{
    const dv__polyphase *filter = resampler->filter;
    line *coarse = &resampler->coarse;
    append(coarse->samples, &coarse->count, samples, count);
    int64_t steps = coarse->count - 2 * filter->reach; /* samples by which the first sum can move */
    if (steps < 0)
        return 0;
    int64_t ready = ((steps + 1) * filter->up - 1 - resampler->phase) / filter->down + 1;
    ready = ready < most ? ready : most;
    if (filter->between)
        dv__interpolated_sums(filter, coarse->samples, resampler->phase, ready, out);
    else if (filter->up > FEW || filter->down > FEW)
        dv__row_sums(filter, coarse->samples, resampler->phase, ready, out);
    else
        sum_by_phase(resampler, ready, out);
    int64_t place = resampler->phase + ready * filter->down;
    resampler->phase = place % filter->up;
    drop(coarse->samples, &coarse->count, place / filter->up);
    return ready;
}

/* ---- The half-band filter ---- */

static int64_t halve(dv_resampler *resampler, const float *samples, int64_t count, int64_t most,
                     float *out)
{
    append(resampler->sharp->line, &resampler->sharp_count, samples, count);
    if (resampler->sharp_count < 4 * REACH)
        return 0;
    int64_t ready = (resampler->sharp_count - 4 * REACH) / 2 + 1;
    ready = ready < most ? ready : most;
    dv__take_every(2, resampler->sharp->line + 1, 2 * REACH + ready, resampler->sharp->odd);
    dv__half_band_sums(resampler->sharp->half_band, resampler->sharp->odd + REACH, ready,
                       resampler->sharp->sums);
    dv__half_band_means(resampler->sharp->line + 2 * REACH, resampler->sharp->sums, ready, out);
    drop(resampler->sharp->line, &resampler->sharp_count, 2 * ready);
    return ready;
}

static int64_t doubled(dv_resampler *resampler, const float *samples, int64_t count, int64_t most,
                       float *out)
{
    append(resampler->sharp->line, &resampler->sharp_count, samples, count);
    int64_t ready = resampler->sharp_count - 2 * REACH + 1;
    if (ready <= 0)
        return 0;
    ready = ready < most / 2 ? ready : most / 2;
    dv__half_band_sums(resampler->sharp->half_band, resampler->sharp->line + REACH, ready,
                       resampler->sharp->sums);
    dv__interleave(resampler->sharp->line + REACH - 1, resampler->sharp->sums, ready, out);
    drop(resampler->sharp->line, &resampler->sharp_count, ready);
    return 2 * ready;
}

/* ---- Both ---- */

/* Resamples a block of the sound. Returns how many samples came out, at most `most`. */
static int64_t resample_block(dv_resampler *resampler, const float *samples, int64_t count,
                              int64_t most, float *out)
{
    if (resampler->from == resampler->to) {
        memcpy(out, samples, (size_t)count * sizeof *out);
        return count;
    }
    if (resampler->from > resampler->to) {
        if (resampler->filter == NULL)
            return halve(resampler, samples, count, most, out);
        count = filter_coarse(resampler, samples, count, INT64_MAX, resampler->sharp->between);
        return halve(resampler, resampler->sharp->between, count, most, out);
    }
    if (resampler->filter == NULL)
        return doubled(resampler, samples, count, most, out);
    count = doubled(resampler, samples, count, INT64_MAX, resampler->sharp->between);
    return filter_coarse(resampler, resampler->sharp->between, count, most, out);
}

int64_t dv_resampled_length(int64_t from, int64_t to, int64_t count)
{
    return (2 * count * to + from) / (2 * from);
}

int64_t dv_resampler_room(const dv_resampler *resampler, int64_t count)
{
    return dv_resampled_length(resampler->from, resampler->to, resampler->taken + count) -
           resampler->given;
}

int64_t dv_resampler_push(dv_resampler *resampler, const float *samples, int64_t count, float *out)
{
    int64_t before = resampler->given;
    for (int64_t at = 0; at < count; at += BLOCK) {
        int64_t block = count - at < BLOCK ? count - at : BLOCK;
        resampler->given += resample_block(resampler, samples + at, block, INT64_MAX,
                                           out + resampler->given - before);
    }
    resampler->taken += count;
    return resampler->given - before;
}

int64_t dv_resampler_end(dv_resampler *resampler, float *out)
{
    static const float silence[BLOCK];
    int64_t rest = dv_resampler_room(resampler, 0);
    for (int64_t done = 0; done < rest;)
        done += resample_block(resampler, silence, BLOCK, rest - done, out + done);
    resampler->from = 0;
    return rest;
}
