/* Looks at the training clips and proposes sample rate, duration and sizes of the front-end. */
#include "runner/training/proposal.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t low_rate = 8000, high_rate = 16000;   /* Hz */
static const double rate_share = 0.95, covered = 0.99;     /* shares of the training clips */
static const double shortest = 1, longest = 3, step = 0.1; /* s */

/* Facts about the training clips. */
typedef struct seen {
    size_t clips, high; /* high: clips with high_rate or a higher rate */
    double covered;     /* duration in s that the share `covered` of the clips does not exceed */
} seen;

/* The proposals so far. */
typedef struct proposal {
    dv_tree *settings; /* settings of the command line, which are kept, and proposals */
    char *text;        /* (DV_PROPOSAL_SIZE) */
    size_t used;
    int listed; /* number of sizes in the last line */
} proposal;

/* ---- The data ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static dv_status see_clips(const dv_dataset *dataset, seen *out)
{
    double *seconds;
    *out = (seen){0};
    DV_TRY(dv_calloc(dataset->count, sizeof *seconds, &seconds));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        if (clip->part != DV_PART_TRAIN ||
            clip->length > 0) /* a stretch of a longer file is no word */
            continue;
        seconds[out->clips++] = (double)clip->sound.frames / (double)clip->sound.sample_rate;
        out->high += clip->sound.sample_rate >= high_rate;
    }
    qsort(seconds, out->clips, sizeof *seconds, by_value);
    if (out->clips > 0)
        out->covered = seconds[(size_t)ceil(covered * (double)out->clips) - 1];
    free(seconds);
    return out->clips > 0 ? DV_OK
                          : DV_FAIL(DV_EFORMAT, "--auto: no clip of the training part can be read");
}

/* Looks at the data silently: the training looks again and reports their faults. */
static dv_status see_data(const dv_experiment *experiment, seen *out)
{
    const dv_look_config config = dv_experiment_look(experiment);
    const dv_log silent = {0};
    dv_dataset dataset;
    dv_look look;
    DV_TRY(dv_dataset_prepare(&experiment->data, &dataset));
    dv_status status = dv_dataset_look(&dataset, NULL, &config, &silent, &look);
    if (status == DV_OK) {
        dv_look_free(&look);
        status = see_clips(&dataset, out);
    }
    dv_dataset_free(&dataset);
    return status;
}

/* ---- The proposals ---- */

static void say(proposal *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(proposal *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(p->text + p->used, DV_PROPOSAL_SIZE - p->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        p->used += (size_t)length;
    if (p->used >= DV_PROPOSAL_SIZE)
        p->used = DV_PROPOSAL_SIZE - 1;
}

static bool is_given(const proposal *p, const char *key)
{
    return dv_tree_get(dv_tree_get(p->settings, "features"), key) != NULL;
}

/* Sets a field of the front-end. If the command line sets it, it is kept and *set is false. */
static dv_status set_number(const proposal *p, const char *key, double value, bool *set)
{
    char path[64], text[64];
    dv_tree *node;
    *set = !is_given(p, key);
    if (!*set)
        return DV_OK;
    snprintf(path, sizeof path, "features.%s", key);
    snprintf(text, sizeof text, "%.10g", value);
    DV_TRY(dv_tree_new_scalar(text, "--auto", 0, &node));
    return dv_tree_set(p->settings, path, node);
}

/* Reads the rate of the command line. False if it has none that is a number. */
static bool given_rate(const proposal *p, int64_t *rate)
{
    const dv_tree *node = dv_tree_get(dv_tree_get(p->settings, "features"), "sample_rate");
    return node != NULL && node->kind == DV_TREE_SCALAR && dv_parse_int(node->text, rate);
}

static dv_status propose_rate(proposal *p, const seen *clips, int64_t *rate)
{
    bool set, high = (double)clips->high >= rate_share * (double)clips->clips;
    *rate = high ? high_rate : low_rate;
    DV_TRY(set_number(p, "sample_rate", (double)*rate, &set));
    if (set)
        say(p,
            "--auto: sample_rate %" PRId64 " Hz, since %s%zu of %zu training clips have %" PRId64
            " Hz or more\n",
            *rate, high ? "" : "only ", clips->high, clips->clips, high_rate);
    else if (!given_rate(p, rate))
        *rate = low_rate; /* the given text is not a rate, and dv_fields_read reports it */
    return DV_OK;
}

static dv_status propose_duration(proposal *p, const seen *clips)
{
    bool set;
    double needed = ceil(clips->covered / step - 1e-6) * step;
    double duration = fmin(fmax(needed, shortest), longest);
    DV_TRY(set_number(p, "duration", duration, &set));
    if (set)
        say(p, "--auto: duration %g s%s, since %g %% of the training clips last %.2f s or less\n",
            duration,
            needed < shortest  ? ", the least"
            : needed > longest ? ", the most"
                               : "",
            100 * covered, clips->covered);
    return DV_OK;
}

/* Proposes one of the sizes. `milliseconds` is its duration, or 0 if it is not a duration. */
static dv_status propose_size(proposal *p, const char *key, double value, double milliseconds)
{
    bool set;
    DV_TRY(set_number(p, key, value, &set));
    if (set)
        say(p, "%s %s %g", p->listed++ > 0 ? "," : "", key, value);
    if (set && milliseconds > 0)
        say(p, " (%g ms)", milliseconds);
    return DV_OK;
}

/* Proposes the sizes of `made` for another rate: window and hop keep their duration, and fmax keeps
   its share of the rate. */
static dv_status propose_sizes(proposal *p, const dv_experiment *experiment, int64_t rate)
{
    const dv_features_config *made = &experiment->features;
    const dv_features_resolved *follows = &experiment->resolved; /* sizes that follow the rate */
    double ratio = (double)rate / (double)made->sample_rate, per_ms = (double)rate / 1000;
    double window = round((double)made->window * ratio), hop = round((double)made->hop * ratio);
    size_t before = p->used;
    if (rate == made->sample_rate)
        return DV_OK;
    say(p, "--auto: for %" PRId64 " Hz in place of the configuration's %" PRId64 " Hz:", rate,
        made->sample_rate);
    if (!follows->window)
        DV_TRY(propose_size(p, "window", window, window / per_ms));
    if (!follows->hop)
        DV_TRY(propose_size(p, "hop", hop, hop / per_ms));
    if (!follows->n_fft)
        DV_TRY(propose_size(p, "n_fft", exp2(ceil(log2((double)made->n_fft * ratio) - 1e-9)), 0));
    if (made->fmax > 0)
        DV_TRY(propose_size(p, "fmax", made->fmax * ratio, 0));
    if (p->listed > 0)
        say(p, "\n");
    else
        p->text[p->used = before] = '\0';
    return DV_OK;
}

static dv_status propose(proposal *p, const dv_experiment *made)
{
    seen clips;
    int64_t rate;
    DV_TRY(see_data(made, &clips));
    DV_TRY(propose_rate(p, &clips, &rate));
    DV_TRY(propose_duration(p, &clips));
    return propose_sizes(p, made, rate);
}

/* Turns `features: NAME` into `features: {preset: NAME}`, to which keys can be added. */
static dv_status name_preset(dv_tree *settings)
{
    const dv_tree *section = dv_tree_get(settings, "features");
    dv_tree *name;
    if (section == NULL || section->kind != DV_TREE_SCALAR)
        return DV_OK;
    DV_TRY(dv_tree_copy(section, &name));
    dv_tree *map;
    dv_status status = dv_tree_new(DV_TREE_MAP, NULL, 0, &map);
    if (status == DV_OK)
        status = dv_tree_set(settings, "features", map);
    if (status != DV_OK) {
        dv_tree_free(name);
        return status;
    }
    return dv_tree_set(settings, "features.preset", name);
}

/* Removes everything but the preset from the section `features`. */
static dv_status keep_preset(dv_tree *settings)
{
    const dv_tree *preset = dv_tree_get(dv_tree_get(settings, "features"), "preset");
    dv_tree *section, *copy;
    DV_TRY(dv_tree_new(DV_TREE_MAP, NULL, 0, &section));
    if (preset != NULL) {
        dv_status status = dv_tree_copy(preset, &copy);
        if (status == DV_OK)
            status = dv_tree_set(section, "preset", copy);
        if (status != DV_OK) {
            dv_tree_free(section);
            return status;
        }
    }
    return dv_tree_set(settings, "features", section);
}

/* Reads the experiment with the front-end of the file or the preset alone, whose sizes fit its own
   rate. */
static dv_status read_made(const char *path, const dv_tree *settings, dv_experiment *out)
{
    dv_tree *others;
    DV_TRY(dv_tree_copy(settings, &others));
    dv_status status = keep_preset(others);
    if (status == DV_OK)
        status = dv_experiment_read(path, others, out);
    dv_tree_free(others);
    return status;
}

dv_status dv_proposal_read(const char *path, dv_tree *settings, char text[DV_PROPOSAL_SIZE],
                           dv_experiment *out)
{
    proposal p = {.settings = settings, .text = text};
    dv_experiment made;
    text[0] = '\0';
    memset(out, 0, sizeof *out);
    DV_TRY(name_preset(settings));
    DV_TRY(read_made(path, settings, &made));
    dv_status status = propose(&p, &made);
    dv_experiment_free(&made);
    return status == DV_OK ? dv_experiment_read(path, settings, out) : status;
}
