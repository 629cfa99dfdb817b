/*
 * Splits. Every clip and every speaker has a key, the hash of its names, seed and draw, that no
 * other one changes. How many clips of a stratum are drawn is systematic sampling: the strata are
 * walked with a random start in steps of 1 / share, so that each gives its share to within one
 * clip, and so does the whole, however small the strata are. Which ones are drawn, the smallest
 * keys, hardly changes where clips come or go: what was trained on does not become the test.
 */
#include "engine/core/rng.h"
#include "frontends/dataset/internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Steps of DV_RNG_SPLIT: one stream for each thing that is drawn. */
enum { DRAW_TEST, DRAW_VALIDATION, DRAW_SPEAKER_ORDER, DRAW_FOLD };

static const int64_t official_test_below = 5; /* FSDD's split: indices 0 to 4 of each are test */
static const int64_t speakers_to_hold_out = 3;

typedef struct speaker_list {
    const char **names; /* (count) distinct, in order, borrowed */
    int64_t count;
    int64_t *of_clip; /* (clips) index into names */
} speaker_list;

typedef struct candidate {
    int64_t stratum[2]; /* label; the speaker's place, or 0 */
    uint64_t key;
    uint64_t tie; /* between clips of one name, in several folders */
    size_t clip;
} candidate;

static int by_name(const void *a, const void *b)
{
    return dv__natural_order(*(const char *const *)a, *(const char *const *)b);
}

static void speakers_free(speaker_list *speakers)
{
    free(speakers->names);
    free(speakers->of_clip);
}

static dv_status list_speakers(const dv_dataset *dataset, speaker_list *speakers)
{
    dv_status status;
    *speakers = (speaker_list){0};
    DV_TRY_GOTO(dv__calloc(dataset->count, sizeof *speakers->names, &speakers->names));
    DV_TRY_GOTO(dv__calloc(dataset->count, sizeof *speakers->of_clip, &speakers->of_clip));
    for (size_t i = 0; i < dataset->count; i++)
        speakers->names[i] = dataset->clips[i].speaker;
    qsort(speakers->names, dataset->count, sizeof *speakers->names, by_name);
    for (size_t i = 0; i < dataset->count; i++) {
        if (i == 0 || strcmp(speakers->names[i], speakers->names[speakers->count - 1]) != 0)
            speakers->names[speakers->count++] = speakers->names[i];
    }
    for (size_t i = 0; i < dataset->count; i++) {
        const char *name = dataset->clips[i].speaker;
        const char **found = bsearch(&name, speakers->names, (size_t)speakers->count,
                                     sizeof *speakers->names, by_name);
        DV_ASSERT(found != NULL);
        speakers->of_clip[i] = found - speakers->names;
    }
    return DV_OK;
fail:
    speakers_free(speakers);
    return status;
}

static dv_rng split_rng(const dv_data_config *config, uint64_t draw)
{
    return (dv_rng){.seed = (uint64_t)config->seed, .use = DV_RNG_SPLIT, .step = draw};
}

/* 0 .. count-1 shuffled; owned by the caller. */
static dv_status shuffled(const dv_rng *rng, int64_t count, int64_t **order)
{
    DV_TRY(dv__calloc((size_t)count, sizeof **order, order));
    for (int64_t i = 0; i < count; i++)
        (*order)[i] = i;
    dv_rng_shuffle(rng, *order, count);
    return DV_OK;
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
   generators", OOPSLA 2014). */
static uint64_t mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

/* The place in a draw of what has this hash. */
static uint64_t key_of(uint64_t hash, const dv_data_config *config, uint64_t draw)
{
    return mix(hash ^ mix(mix((uint64_t)config->seed) ^ draw));
}

static int by_stratum(const void *a, const void *b)
{
    const candidate *x = a;
    const candidate *y = b;
    for (int i = 0; i < 2; i++) {
        if (x->stratum[i] != y->stratum[i])
            return x->stratum[i] < y->stratum[i] ? -1 : 1;
    }
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->tie != y->tie)
        return x->tie < y->tie ? -1 : 1;
    return (x->clip > y->clip) - (x->clip < y->clip);
}

/* All training clips, ordered by label, by the speaker's `rank` where it is given, and by their
   keys in the draw; *candidates (*count) owned by the caller. */
static dv_status order_clips(const dv_dataset *dataset, const speaker_list *speakers,
                             const int64_t *rank, const dv_data_config *config, uint64_t draw,
                             candidate **candidates, int64_t *count)
{
    *count = 0;
    DV_TRY(dv__calloc(dataset->count, sizeof **candidates, candidates));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        if (clip->part != DV_TRAIN)
            continue;
        uint64_t key = key_of(dv__clip_hash(dataset, clip), config, draw);
        (*candidates)[(*count)++] = (candidate){
            .stratum = {clip->label, rank != NULL ? rank[speakers->of_clip[i]] : 0},
            .key = key,
            .tie = mix(key ^ i),
            .clip = i,
        };
    }
    qsort(*candidates, (size_t)*count, sizeof **candidates, by_stratum);
    return DV_OK;
}

static bool same_stratum(const candidate *a, const candidate *b)
{
    return a->stratum[0] == b->stratum[0] && a->stratum[1] == b->stratum[1];
}

/* Walks the ordered candidates, stratum by stratum, and moves `share` of them to part `to`: at
   least one, never all. start: 0..1, where the walk begins. */
static void move_share(dv_dataset *dataset, const candidate *candidates, int64_t count,
                       double share, double start, dv_part to)
{
    int64_t moved = 0, first = 0;
    while (first < count) {
        int64_t end = first + 1;
        while (end < count && same_stratum(&candidates[end], &candidates[first]))
            end++;
        double drawn = floor(share * (double)end + start) - floor(share * (double)first + start);
        for (int64_t i = first; i < first + (int64_t)drawn && moved + 1 < count; i++, moved++)
            dataset->clips[candidates[i].clip].part = to;
        first = end;
    }
    if (moved == 0 && count > 1)
        dataset->clips[candidates[0].clip].part = to;
}

/* Moves `share` of the training clips to part `to`, stratified by label and, where `rank` is
   given, by speaker. rank (speakers): random places, lest the first names be always drawn. */
static dv_status draw_clips(dv_dataset *dataset, const speaker_list *speakers, const int64_t *rank,
                            double share, const dv_data_config *config, uint64_t draw, dv_part to)
{
    if (share <= 0.0)
        return DV_OK;
    dv_rng rng = split_rng(config, draw);
    uint32_t words[4];
    dv_rng_words(&rng, 0, words);
    candidate *candidates;
    int64_t count;
    DV_TRY(order_clips(dataset, speakers, rank, config, draw, &candidates, &count));
    move_share(dataset, candidates, count, share, ((double)words[0] + 0.5) / 4294967296.0, to);
    free(candidates);
    return DV_OK;
}

/* ---- Whole speakers ---- */

typedef struct keyed_speaker {
    uint64_t key;
    int64_t speaker;
} keyed_speaker;

static int by_key(const void *a, const void *b)
{
    const keyed_speaker *x = a;
    const keyed_speaker *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->speaker > y->speaker) - (x->speaker < y->speaker);
}

/* Moves all clips of `share` of the speakers that are in training to part `to`: those with the
   smallest keys. present (speakers): who is in training. */
static dv_status draw_speakers(dv_dataset *dataset, const speaker_list *speakers, bool *present,
                               int64_t present_count, double share, const dv_data_config *config,
                               uint64_t draw, dv_part to)
{
    int64_t wanted = (int64_t)floor(share * (double)present_count + 0.5);
    wanted = wanted < 1 ? 1 : wanted;
    wanted = wanted > present_count - 1 ? present_count - 1 : wanted;
    keyed_speaker *keyed;
    int64_t count = 0;
    DV_TRY(dv__calloc((size_t)speakers->count, sizeof *keyed, &keyed));
    for (int64_t i = 0; i < speakers->count; i++) {
        if (present[i])
            keyed[count++] = (keyed_speaker){
                key_of(dv__hash(DV__HASH_EMPTY, speakers->names[i]), config, draw), i};
    }
    qsort(keyed, (size_t)count, sizeof *keyed, by_key);
    for (int64_t i = 0; i < wanted; i++)
        present[keyed[i].speaker] = false;
    free(keyed);
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (clip->part == DV_TRAIN && !present[speakers->of_clip[i]])
            clip->part = to;
    }
    return DV_OK;
}

static int64_t find_present(const dv_dataset *dataset, const speaker_list *speakers, bool *present)
{
    int64_t count = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        int64_t speaker = speakers->of_clip[i];
        if (dataset->clips[i].part != DV_TRAIN || present[speaker])
            continue;
        present[speaker] = true;
        count++;
    }
    return count;
}

static dv_status split_official(dv_dataset *dataset)
{
    bool given = false;
    bool below = false;
    for (size_t i = 0; i < dataset->count; i++)
        given = given || dataset->clips[i].part_given;
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (given) {
            clip->part = clip->part_given ? clip->part : DV_TRAIN;
            continue;
        }
        if (clip->index < 0)
            return DV_FAIL(DV_ECONFIG,
                           "data.split: official: the clip '%s' has no FSDD index, and no clip's "
                           "part is given by a column split",
                           clip->path);
        clip->part = clip->index < official_test_below ? DV_TEST : DV_TRAIN;
        below = below || clip->part == DV_TEST;
    }
    if (!given && !below)
        return DV_FAIL(DV_ECONFIG, "data.split: official: no clip has an index below %lld",
                       (long long)official_test_below);
    return DV_OK;
}

/* Clips of unknown voices could be of the very speakers that are kept for the test. */
static dv_status require_speakers(const dv_dataset *dataset, const char *split)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].speaker[0] == '\0')
            return DV_FAIL(DV_ECONFIG, "data.split: %s: the clip '%s' has no speaker", split,
                           dataset->clips[i].path);
    }
    return DV_OK;
}

static dv_status split_by_speaker(dv_dataset *dataset, const speaker_list *speakers,
                                  const dv_data_config *config)
{
    DV_TRY(require_speakers(dataset, "speaker"));
    if (config->test <= 0.0)
        return DV_OK;
    if (speakers->count < 2)
        return DV_FAIL(DV_ECONFIG, "data.split: speaker: there is one speaker, '%s'",
                       speakers->names[0]);
    bool *present;
    DV_TRY(dv__calloc((size_t)speakers->count, sizeof *present, &present));
    int64_t count = find_present(dataset, speakers, present);
    dv_status status =
        draw_speakers(dataset, speakers, present, count, config->test, config, DRAW_TEST, DV_TEST);
    free(present);
    return status;
}

/* "a, b, c and 4 more" */
static void write_names(const speaker_list *speakers, char *text, size_t size)
{
    enum { SHOWN = 12 };
    size_t used = 0;
    text[0] = '\0';
    for (int64_t i = 0; i < speakers->count && i < SHOWN && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s'%s'", i > 0 ? ", " : "",
                                 speakers->names[i]);
    if (speakers->count > SHOWN && used < size)
        snprintf(text + used, size - used, " and %lld more", (long long)speakers->count - SHOWN);
}

static dv_status split_leave_one_out(dv_dataset *dataset, const speaker_list *speakers,
                                     const char *name)
{
    bool found = false;
    for (size_t i = 0; i < dataset->count; i++) {
        if (strcmp(dataset->clips[i].speaker, name) != 0)
            continue;
        dataset->clips[i].part = DV_TEST;
        found = true;
    }
    if (found && name[0] != '\0')
        return require_speakers(dataset, "leave_one_out");
    char names[600];
    write_names(speakers, names, sizeof names);
    const char *nearest = dv_nearest(name, speakers->names, (size_t)speakers->count);
    return DV_FAIL(DV_ECONFIG,
                   "data.split: leave_one_out: unknown speaker '%s'%s%s%s; there are %s", name,
                   nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "'?" : "", names);
}

/* The speakers in an order of chance: *rank (speakers), owned by the caller. */
static dv_status rank_speakers(const speaker_list *speakers, const dv_data_config *config,
                               int64_t **rank)
{
    dv_rng rng = split_rng(config, DRAW_SPEAKER_ORDER);
    return shuffled(&rng, speakers->count, rank);
}

/* text: "I/K". */
static dv_status split_fold(dv_dataset *dataset, const speaker_list *speakers, const char *text,
                            const dv_data_config *config)
{
    char first[DV_STRING_SIZE];
    const char *slash = strchr(text, '/');
    int64_t fold = 0, folds = 0;
    snprintf(first, sizeof first, "%.*s", (int)strcspn(text, "/"), text);
    if (slash == NULL || !dv_parse_int(first, &fold) || !dv_parse_int(slash + 1, &folds) ||
        folds < 2 || fold < 1 || fold > folds)
        return DV_FAIL(DV_ECONFIG, "data.split: fold: '%s' is not I/K with I from 1 to K", text);
    if ((size_t)folds > dataset->count)
        return DV_FAIL(DV_ECONFIG, "data.split: fold: %lld folds of %zu clips", (long long)folds,
                       dataset->count);
    int64_t *rank, count;
    candidate *candidates;
    DV_TRY(rank_speakers(speakers, config, &rank));
    dv_status status = order_clips(dataset, speakers, rank, config, DRAW_FOLD, &candidates, &count);
    free(rank);
    if (status != DV_OK)
        return status;
    for (int64_t i = 0; i < count; i++) {
        if (i % folds == fold - 1)
            dataset->clips[candidates[i].clip].part = DV_TEST;
    }
    free(candidates);
    return DV_OK;
}

/* In the order of dv_split_kind. */
static const struct split_form {
    const char *word;
    const char *argument; /* what stands behind a colon; NULL: nothing */
} split_forms[] = {{"auto", NULL},  {"official", NULL}, {"random", NULL},         {"speaker", NULL},
                   {"train", NULL}, {"fold", "I/K"},    {"leave_one_out", "NAME"}};
enum { SPLIT_FORMS = sizeof split_forms / sizeof split_forms[0] };

static dv_status fail_unknown_split(const char *text, const char *word)
{
    const char *words[SPLIT_FORMS];
    for (int i = 0; i < SPLIT_FORMS; i++)
        words[i] = split_forms[i].word;
    const char *nearest = dv_nearest(word, words, SPLIT_FORMS);
    for (int i = 0; nearest != NULL && i < SPLIT_FORMS; i++) {
        const struct split_form *form = &split_forms[i];
        if (strcmp(nearest, form->word) == 0)
            return DV_FAIL(DV_ECONFIG, "data.split: unknown split '%s'; did you mean '%s%s%s'?",
                           text, nearest, form->argument != NULL ? ":" : "",
                           form->argument != NULL ? form->argument : "");
    }
    return DV_FAIL(
        DV_ECONFIG,
        "data.split: unknown split '%s'; known are auto, official, random, speaker, train, "
        "fold:I/K and leave_one_out:NAME",
        text);
}

/* Parts `text` into a kind and what stands behind a colon: *argument points into `text`. */
static dv_status parse_split(const char *text, dv_split_kind *kind, const char **argument)
{
    size_t length = strcspn(text, ":");
    char word[DV_STRING_SIZE];
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    *argument = NULL;
    if (text[length] == ':')
        *argument = text + length + 1 + strspn(text + length + 1, " ");
    for (int i = 0; i < SPLIT_FORMS; i++) {
        const struct split_form *form = &split_forms[i];
        if (strcmp(form->word, word) != 0)
            continue;
        *kind = (dv_split_kind)i;
        if ((*argument != NULL) == (form->argument != NULL))
            return DV_OK;
        return DV_FAIL(DV_ECONFIG, "data.split: '%s': write %s%s%s", text, form->word,
                       form->argument != NULL ? ":" : "",
                       form->argument != NULL ? form->argument : "");
    }
    return fail_unknown_split(text, word);
}

static dv_status split_test(dv_dataset *dataset, const speaker_list *speakers, dv_split_kind kind,
                            const char *argument, const dv_data_config *config)
{
    if (kind == DV_SPLIT_OFFICIAL)
        return split_official(dataset);
    for (size_t i = 0; i < dataset->count; i++)
        dataset->clips[i].part = DV_TRAIN;
    if (kind == DV_SPLIT_RANDOM)
        return draw_clips(dataset, speakers, NULL, config->test, config, DRAW_TEST, DV_TEST);
    if (kind == DV_SPLIT_SPEAKER)
        return split_by_speaker(dataset, speakers, config);
    if (kind == DV_SPLIT_FOLD)
        return split_fold(dataset, speakers, argument, config);
    if (kind == DV_SPLIT_LEAVE_ONE_OUT)
        return split_leave_one_out(dataset, speakers, argument);
    return DV_OK; /* train */
}

static dv_status split_validation(dv_dataset *dataset, const speaker_list *speakers,
                                  dv_split_kind kind, const dv_data_config *config)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part == DV_VALIDATION)
            return DV_OK; /* the manifest gave it */
    }
    if (config->validation <= 0.0)
        return DV_OK;
    dv_status status;
    bool *present = NULL;
    int64_t *rank = NULL;
    DV_TRY_GOTO(dv__calloc((size_t)speakers->count, sizeof *present, &present));
    DV_TRY_GOTO(rank_speakers(speakers, config, &rank));
    int64_t count = find_present(dataset, speakers, present);
    if (kind == DV_SPLIT_SPEAKER && count >= speakers_to_hold_out)
        status = draw_speakers(dataset, speakers, present, count, config->validation, config,
                               DRAW_VALIDATION, DV_VALIDATION);
    else
        status = draw_clips(dataset, speakers, rank, config->validation, config, DRAW_VALIDATION,
                            DV_VALIDATION);
fail:
    free(present);
    free(rank);
    return status;
}

/* What `auto` is for these data. Parts that the data bring and that are not asked for are told
   of. */
static dv_status choose_split(dv_dataset *dataset, const dv_data_config *config,
                              dv_split_kind *kind)
{
    bool given = false;
    for (size_t i = 0; i < dataset->count && !given; i++)
        given = dataset->clips[i].part_given;
    if (*kind == DV_SPLIT_AUTO) {
        *kind = given ? DV_SPLIT_OFFICIAL : DV_SPLIT_RANDOM;
        return DV_OK;
    }
    if (!given || *kind == DV_SPLIT_OFFICIAL)
        return DV_OK;
    return dv__note(dataset, "the parts that the data bring are not used: data.split is %s",
                    config->split);
}

dv_status dv_dataset_split(dv_dataset *dataset, const dv_data_config *config)
{
    dv_split_kind kind = DV_SPLIT_RANDOM;
    const char *argument;
    speaker_list speakers;
    DV_TRY(parse_split(config->split, &kind, &argument));
    DV_TRY(choose_split(dataset, config, &kind));
    DV_TRY(list_speakers(dataset, &speakers));
    dv_status status;
    DV_TRY_GOTO(split_test(dataset, &speakers, kind, argument, config));
    DV_TRY_GOTO(split_validation(dataset, &speakers, kind, config));
fail:
    speakers_free(&speakers);
    return status;
}

dv_status dv_dataset_speakers(const dv_dataset *dataset, const char ***names, size_t *count)
{
    speaker_list speakers;
    DV_TRY(list_speakers(dataset, &speakers));
    dv_status status = speakers.count > 1 ? require_speakers(dataset, "leave_one_out") : DV_OK;
    if (status != DV_OK) {
        speakers_free(&speakers);
        return status;
    }
    *count = 0;
    for (int64_t i = 0; i < speakers.count; i++) {
        if (speakers.names[i][0] != '\0')
            speakers.names[(*count)++] = speakers.names[i];
    }
    *names = speakers.names;
    free(speakers.of_clip);
    return DV_OK;
}
