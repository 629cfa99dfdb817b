/* Resolves sizes of the front-end that are given in time, and n_fft: auto. */
#include "frontends/features/features.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t usual_rate = 8000; /* Hz; the defaults in samples are for this rate */

/* The sizes that may be given in time. */
static const char *const sizes[] = {"window", "hop", "n_fft"};
enum { SIZES = sizeof sizes / sizeof sizes[0], TEXT_SIZE = 32 };

static dv_status set_samples(dv_tree *section, const dv_tree *at, int64_t samples)
{
    char text[TEXT_SIZE];
    dv_tree *node;
    snprintf(text, sizeof text, "%lld", (long long)samples);
    DV_TRY(dv_tree_new_scalar(text, at->source, at->line, &node));
    return dv_tree_set(section, at->key, node);
}

/* Whether the text is a number of milliseconds, "16 ms" or "16ms". */
static bool parse_time(const char *text, double *milliseconds)
{
    char number[TEXT_SIZE];
    size_t length = strcspn(text, "m");
    if (strcmp(text + length, "ms") != 0 || length >= sizeof number)
        return false;
    while (length > 0 && text[length - 1] == ' ')
        length--;
    snprintf(number, sizeof number, "%.*s", (int)length, text);
    return dv_parse_float(number, milliseconds) && *milliseconds > 0 && *milliseconds < 1e6;
}

/* Replaces a size in time by one in samples. Anything else stays, and the fields' reader checks
   it. */
static dv_status resolve_size(dv_tree *section, const dv_tree *node, int64_t rate, bool *in_time)
{
    double milliseconds;
    if (node->kind != DV_TREE_SCALAR || !parse_time(node->text, &milliseconds))
        return DV_OK;
    int64_t samples = llround(milliseconds * (double)rate / 1000);
    if (samples < 1)
        return dv_tree_fail(node, "features: %s: %s is shorter than one sample at %lld Hz",
                            node->key, node->text, (long long)rate);
    *in_time = true;
    return set_samples(section, node, samples);
}

/* Replaces `auto` by the least power of two that holds the window. */
static dv_status resolve_auto(dv_tree *section, bool *is_auto)
{
    dv_tree *n_fft = dv_tree_find(section, "n_fft"), *window = dv_tree_find(section, "window");
    int64_t samples, points = (int64_t)dv_fields_find(dv_features_fields, "n_fft")->minimum;
    if (n_fft == NULL || n_fft->kind != DV_TREE_SCALAR || strcmp(n_fft->text, "auto") != 0)
        return DV_OK;
    const char *text = window != NULL && window->kind == DV_TREE_SCALAR
                           ? window->text
                           : dv_fields_find(dv_features_fields, "window")->fallback;
    if (!dv_parse_int(text, &samples))
        return DV_OK; /* the fields' reader reports it */
    while (points < samples && points < INT32_MAX)
        points *= 2;
    *is_auto = true;
    return set_samples(section, n_fft, points);
}

static int64_t rate_of(dv_tree *section)
{
    int64_t rate;
    dv_tree *node = dv_tree_find(section, "sample_rate");
    bool given = node != NULL && node->kind == DV_TREE_SCALAR && dv_parse_int(node->text, &rate);
    return given ? rate : usual_rate;
}

/* Sizes in time come first, since `n_fft: auto` needs the window in samples. */
dv_status dv_features_resolve(dv_tree *section, dv_features_resolved *out)
{
    *out = (dv_features_resolved){.note = ""};
    if (section == NULL || section->kind != DV_TREE_MAP)
        return DV_OK;
    int64_t rate = rate_of(section);
    bool *const in_time[SIZES] = {&out->window, &out->hop, &out->n_fft};
    const char *unset = NULL;
    for (int i = 0; i < SIZES; i++) {
        dv_tree *node = dv_tree_find(section, sizes[i]);
        if (node == NULL && strcmp(sizes[i], "n_fft") != 0)
            unset = sizes[i];
        if (node != NULL)
            DV_TRY(resolve_size(section, node, rate, in_time[i]));
    }
    if (unset != NULL && rate != usual_rate)
        snprintf(out->note, sizeof out->note,
                 "features.%s has its default in samples, which is made for %lld Hz, and "
                 "sample_rate is %lld Hz: give it, in samples or in time, as in '%s: 32 ms'",
                 unset, (long long)usual_rate, (long long)rate, unset);
    return resolve_auto(section, &out->n_fft);
}
