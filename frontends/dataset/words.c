/* Chooses the classes: the words that are kept, and one class of the other words. */
#include "frontends/dataset/draw.h"
#include "frontends/dataset/dataset_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct choice {
    dv_dataset *dataset;
    const dv_data_config *config;
    bool *kept; /* (labels), the words that are kept */
    size_t kept_count;
    bool *unknown;              /* (clips), clips drawn from the other words */
    double mean[DV_PART_COUNT]; /* mean number of clips of a kept word */
} choice;

/* ---- The words that are kept ---- */

static dv_status keep_word(choice *how, const dv_tree *item)
{
    const dv_dataset *dataset = how->dataset;
    const char *const *labels = (const char *const *)dataset->labels;
    size_t k = 0;
    if (item->kind != DV_TREE_SCALAR)
        return dv_tree_fail(item, "data: labels: expected a list of words such as [yes, no]");
    while (k < dataset->label_count && strcmp(labels[k], item->text) != 0)
        k++;
    const char *nearest = dv_nearest(item->text, labels, dataset->label_count);
    if (k == dataset->label_count)
        return dv_tree_fail(item, "data: labels: the data have no word '%s'%s%s%s", item->text,
                            nearest != NULL ? "; did you mean '" : "",
                            nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    if (how->kept[k])
        return dv_tree_fail(item, "data: labels: '%s' is there twice", item->text);
    how->kept[k] = true;
    how->kept_count++;
    return DV_OK;
}

static dv_status keep_words(choice *how)
{
    const dv_tree *words = dv__kept_words(how->config);
    if (words == NULL) {
        how->kept_count = how->dataset->label_count;
        memset(how->kept, true, how->kept_count * sizeof *how->kept);
        return DV_OK;
    }
    if (words->kind != DV_TREE_LIST || words->count == 0)
        return dv_tree_fail(words, "data: labels: expected a list of words such as [yes, no]");
    for (size_t i = 0; i < words->count; i++)
        DV_TRY(keep_word(how, words->children[i]));
    return DV_OK;
}

static void find_means(choice *how)
{
    for (size_t i = 0; i < how->dataset->count; i++) {
        const dv_clip *clip = &how->dataset->clips[i];
        if (how->kept[clip->label])
            how->mean[clip->part] += 1.0 / (double)how->kept_count;
    }
}

/* ---- Clips drawn from the other words ---- */

/* Marks the clips of other words in a part in from (clips), and returns their number. */
static size_t list_others(const choice *how, dv_part part, bool *from)
{
    size_t count = 0;
    for (size_t i = 0; i < how->dataset->count; i++) {
        const dv_clip *clip = &how->dataset->clips[i];
        from[i] = clip->part == part && !how->kept[clip->label];
        count += from[i];
    }
    return count;
}

/* Draws the clips of class _unknown_ for one part. If there are too few, all are taken and a note
   says so. */
static dv_status draw_unknown(choice *how, dv_part part, bool *from)
{
    dv_dataset *dataset = how->dataset;
    size_t others = list_others(how, part, from);
    size_t wanted = (size_t)llround(how->config->unknown * how->mean[part]);
    bool *drawn = from;
    if (wanted > 0 && wanted < others) {
        const dv__draw draw = {how->config->seed, DV__DRAW_UNKNOWN, from, NULL};
        DV_TRY(dv__draw_share(dataset, &draw, (double)wanted / (double)others, &drawn));
    }
    for (size_t i = 0; wanted > 0 && i < dataset->count; i++)
        how->unknown[i] = how->unknown[i] || drawn[i];
    if (drawn != from)
        free(drawn);
    if (wanted <= others)
        return DV_OK;
    return dv__note(dataset,
                    "data.unknown asks for %zu clips of the %s part, and the words that are not "
                    "kept have %zu there",
                    wanted, dv__part_names[part], others);
}

static dv_status draw_all_unknown(choice *how)
{
    bool *from;
    if (how->config->unknown <= 0)
        return DV_OK;
    if (how->kept_count == how->dataset->label_count)
        return DV_FAIL(DV_ECONFIG, "data.unknown needs other words, but every word is kept: name "
                                   "the words to keep in data.labels");
    DV_TRY(dv_calloc(how->dataset->count, sizeof *from, &from));
    dv_status status = DV_OK;
    for (int part = 0; status == DV_OK && part < DV_PART_COUNT; part++)
        status = draw_unknown(how, (dv_part)part, from);
    free(from);
    return status;
}

/* ---- The classes ---- */

static int number_of(const dv_dataset *dataset, const char *label)
{
    for (size_t k = 0; k < dataset->label_count; k++) {
        if (strcmp(dataset->labels[k], label) == 0)
            return (int)k;
    }
    return -1;
}

static dv_status add_label(dv_dataset *dataset, const char *label)
{
    if (number_of(dataset, label) >= 0)
        return DV_OK;
    DV_TRY(dv_strdup(label, &dataset->labels[dataset->label_count]));
    dataset->label_count++;
    return DV_OK;
}

/* Sets the labels to the kept words and the new classes. `before` gets the old labels, without
   clips; the caller frees it. */
static dv_status make_labels(choice *how, dv_dataset *before)
{
    dv_dataset *dataset = how->dataset;
    *before = (dv_dataset){.labels = dataset->labels, .label_count = dataset->label_count};
    dataset->labels = NULL;
    dataset->label_count = 0;
    DV_TRY(dv_calloc(before->label_count + 2, sizeof *dataset->labels, &dataset->labels));
    for (size_t k = 0; k < before->label_count; k++) {
        if (how->kept[k])
            DV_TRY(add_label(dataset, before->labels[k]));
    }
    if (how->config->unknown > 0)
        DV_TRY(add_label(dataset, DV_UNKNOWN));
    if (how->config->silence > 0)
        DV_TRY(add_label(dataset, DV_SILENCE));
    qsort(dataset->labels, dataset->label_count, sizeof *dataset->labels, dv_by_name);
    return DV_OK;
}

/* Gives the clips the numbers of their new labels, and drops clips without one. */
static dv_status number_clips(choice *how)
{
    dv_dataset *dataset = how->dataset, before;
    size_t left = 0;
    dv_status status = make_labels(how, &before);
    for (size_t i = 0; status == DV_OK && i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        bool kept = how->kept[clip->label];
        clip->label = number_of(dataset, kept ? before.labels[clip->label] : DV_UNKNOWN);
        if (kept || how->unknown[i])
            dataset->clips[left++] = *clip;
        else
            dv__clip_free(clip);
    }
    if (status == DV_OK) {
        dataset->removed.other_words += dataset->count - left;
        dataset->count = left;
    }
    dv_dataset_free(&before);
    return status;
}

dv_status dv__choose_words(dv_dataset *dataset, const dv_data_config *config)
{
    dv_status status;
    choice how = {.dataset = dataset, .config = config};
    if (dv__kept_words(config) == NULL && config->unknown <= 0 && config->silence <= 0)
        return DV_OK;
    DV_TRY_GOTO(dv_calloc(dataset->label_count, sizeof *how.kept, &how.kept));
    DV_TRY_GOTO(dv_calloc(dataset->count, sizeof *how.unknown, &how.unknown));
    DV_TRY_GOTO(keep_words(&how));
    find_means(&how);
    DV_TRY_GOTO(draw_all_unknown(&how));
    DV_TRY_GOTO(number_clips(&how));
    if (config->silence > 0)
        status = dv__add_silence(dataset, config, how.mean);
fail:
    free(how.kept);
    free(how.unknown);
    return status;
}

const dv_tree *dv__kept_words(const dv_data_config *config)
{
    const dv_tree *words = config->labels;
    return words != NULL && words->kind != DV_TREE_NULL ? words : NULL;
}
