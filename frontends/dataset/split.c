/* Splits a data set into parts. It draws the clips (draw.h) and speakers with the smallest keys. */
#include "frontends/dataset/draw.h"
#include "frontends/dataset/dataset_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t official_test_below = 5; /* FSDD's test part has the indices 0 to 4 */
static const int64_t speakers_to_hold_out = 3;

typedef struct speaker_list {
    const char **names; /* (count), distinct and in order; the texts are borrowed */
    int64_t count;
    int64_t *of_clip; /* (clips), index into `names` */
} speaker_list;

static void speakers_free(speaker_list *speakers)
{
    free(speakers->names);
    free(speakers->of_clip);
}

/* Lists the distinct speakers in natural order, and finds the speaker of each clip among them. */
static dv_status list_speakers(const dv_dataset *dataset, speaker_list *speakers)
{
    dv_status status;
    *speakers = (speaker_list){0};
    DV_TRY_GOTO(dv_calloc(dataset->count, sizeof *speakers->names, &speakers->names));
    DV_TRY_GOTO(dv_calloc(dataset->count, sizeof *speakers->of_clip, &speakers->of_clip));
    for (size_t i = 0; i < dataset->count; i++)
        speakers->names[i] = dataset->clips[i].speaker;
    qsort(speakers->names, dataset->count, sizeof *speakers->names, dv_by_name);
    for (size_t i = 0; i < dataset->count; i++) {
        if (i == 0 || strcmp(speakers->names[i], speakers->names[speakers->count - 1]) != 0)
            speakers->names[speakers->count++] = speakers->names[i];
    }
    for (size_t i = 0; i < dataset->count; i++) {
        const char *name = dataset->clips[i].speaker;
        const char **found = bsearch(&name, speakers->names, (size_t)speakers->count,
                                     sizeof *speakers->names, dv_by_name);
        DV_ASSERT(found != NULL);
        speakers->of_clip[i] = found - speakers->names;
    }
    return DV_OK;
fail:
    speakers_free(speakers);
    return status;
}

/* Shuffles 0 .. count-1. The caller owns *order. */
static dv_status shuffled(const dv_rng *rng, int64_t count, int64_t **order)
{
    DV_TRY(dv_calloc((size_t)count, sizeof **order, order));
    for (int64_t i = 0; i < count; i++)
        (*order)[i] = i;
    dv_rng_shuffle(rng, *order, count);
    return DV_OK;
}

/* Lists the training clips as candidates in *from (clips). With the speakers' places `rank` their
   strata are in *strata (clips). The caller owns both, also after a failure. */
static dv_status list_training(const dv_dataset *dataset, const speaker_list *speakers,
                               const int64_t *rank, bool **from, int64_t **strata)
{
    *strata = NULL;
    DV_TRY(dv_calloc(dataset->count, sizeof **from, from));
    if (rank != NULL)
        DV_TRY(dv_calloc(dataset->count, sizeof **strata, strata));
    for (size_t i = 0; i < dataset->count; i++) {
        (*from)[i] = dataset->clips[i].part == DV_PART_TRAIN;
        if (rank != NULL)
            (*strata)[i] = rank[speakers->of_clip[i]];
    }
    return DV_OK;
}

/* Moves `share` of the training clips to part `to`, stratified by label and, with `rank`, by
   speaker. rank (speakers) has random places, so that the first names are not drawn always. */
static dv_status draw_clips(dv_dataset *dataset, const speaker_list *speakers, const int64_t *rank,
                            double share, const dv_data_config *config, dv__draw_use use,
                            dv_part to)
{
    dv_status status;
    bool *from = NULL, *drawn = NULL;
    int64_t *strata = NULL;
    if (share <= 0.0)
        return DV_OK;
    DV_TRY_GOTO(list_training(dataset, speakers, rank, &from, &strata));
    const dv__draw draw = {config->seed, use, from, strata};
    DV_TRY_GOTO(dv__draw_share(dataset, &draw, share, &drawn));
    for (size_t i = 0; i < dataset->count; i++) {
        if (drawn[i])
            dataset->clips[i].part = to;
    }
fail:
    free(from);
    free(strata);
    free(drawn);
    return status;
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

/* Moves all clips of `share` of the training speakers to part `to`. Speakers with the smallest keys
   are moved. present (speakers) tells who is in training. */
static dv_status draw_speakers(dv_dataset *dataset, const speaker_list *speakers, bool *present,
                               int64_t present_count, double share, const dv_data_config *config,
                               dv__draw_use use, dv_part to)
{
    int64_t wanted = (int64_t)floor(share * (double)present_count + 0.5);
    wanted = wanted < 1 ? 1 : wanted;
    wanted = wanted > present_count - 1 ? present_count - 1 : wanted;
    keyed_speaker *keyed;
    int64_t count = 0;
    DV_TRY(dv_calloc((size_t)speakers->count, sizeof *keyed, &keyed));
    for (int64_t i = 0; i < speakers->count; i++) {
        if (present[i])
            keyed[count++] = (keyed_speaker){
                dv__draw_key(dv_hash(DV_HASH_EMPTY, speakers->names[i]), config->seed, use), i};
    }
    qsort(keyed, (size_t)count, sizeof *keyed, by_key);
    for (int64_t i = 0; i < wanted; i++)
        present[keyed[i].speaker] = false;
    free(keyed);
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (clip->part == DV_PART_TRAIN && !present[speakers->of_clip[i]])
            clip->part = to;
    }
    return DV_OK;
}

static int64_t find_present(const dv_dataset *dataset, const speaker_list *speakers, bool *present)
{
    int64_t count = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        int64_t speaker = speakers->of_clip[i];
        if (dataset->clips[i].part != DV_PART_TRAIN || present[speaker])
            continue;
        present[speaker] = true;
        count++;
    }
    return count;
}

/* Takes the parts that the data give. If they give none, the indices of FSDD's names tell the test
   clips. */
static dv_status split_official(dv_dataset *dataset)
{
    bool given = false;
    bool below = false;
    for (size_t i = 0; i < dataset->count; i++)
        given = given || dataset->clips[i].part_given;
    for (size_t i = 0; i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (given) {
            clip->part = clip->part_given ? clip->part : DV_PART_TRAIN;
            continue;
        }
        if (clip->index < 0)
            return DV_FAIL(DV_ECONFIG,
                           "data.split: official: these data bring no split: there are no folders "
                           "train and test, no column split and no lists of clips, and the name of "
                           "'%s' does not end in a number as in FSDD; random, speaker, train, "
                           "fold:I/K and leave_one_out:NAME draw a split",
                           clip->path);
        clip->part = clip->index < official_test_below ? DV_PART_TEST : DV_PART_TRAIN;
        below = below || clip->part == DV_PART_TEST;
    }
    if (!given && !below)
        return DV_FAIL(DV_ECONFIG,
                       "data.split: official: no clip is for the test: no name ends in a number "
                       "below %lld, as in FSDD; random and speaker draw a test part",
                       (long long)official_test_below);
    return DV_OK;
}

/* The first clip without a speaker, or NULL. Noise is nobody's. */
static const dv_clip *find_nameless(const dv_dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        if (clip->speaker[0] == '\0' && clip->length == 0)
            return clip;
    }
    return NULL;
}

/* Clips without a speaker fail, since they could be of the speakers in the test part. */
static dv_status require_speakers(const dv_dataset *dataset, const char *split)
{
    const dv_clip *clip = find_nameless(dataset);
    if (clip == NULL)
        return DV_OK;
    return DV_FAIL(DV_ECONFIG,
                   "data.split: %s: the clip '%s' has no speaker; random draws clips without them",
                   split, clip->path);
}

static dv_status split_by_speaker(dv_dataset *dataset, const speaker_list *speakers,
                                  const dv_data_config *config)
{
    DV_TRY(require_speakers(dataset, "speaker"));
    if (config->test <= 0.0)
        return DV_OK;
    if (speakers->count < 2)
        return DV_FAIL(DV_ECONFIG,
                       "data.split: speaker: there is only one speaker, '%s', and at least two are "
                       "needed; random draws clips",
                       speakers->names[0]);
    bool *present;
    DV_TRY(dv_calloc((size_t)speakers->count, sizeof *present, &present));
    int64_t count = find_present(dataset, speakers, present);
    dv_status status = draw_speakers(dataset, speakers, present, count, config->test, config,
                                     DV__DRAW_TEST, DV_PART_TEST);
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

/* Keeps the clips of the named speaker for the test. Without such a speaker the message has the
   nearest name and the others. */
static dv_status split_leave_one_out(dv_dataset *dataset, const speaker_list *speakers,
                                     const char *name)
{
    bool found = false;
    for (size_t i = 0; i < dataset->count; i++) {
        if (strcmp(dataset->clips[i].speaker, name) != 0)
            continue;
        dataset->clips[i].part = DV_PART_TEST;
        found = true;
    }
    if (found && name[0] != '\0')
        return require_speakers(dataset, "leave_one_out");
    char names[600];
    write_names(speakers, names, sizeof names);
    const char *nearest = dv_nearest(name, speakers->names, (size_t)speakers->count);
    if (nearest != NULL)
        return DV_FAIL(DV_ECONFIG,
                       "data.split: leave_one_out: unknown speaker '%s'; did you mean '%s'? The "
                       "speakers are %s",
                       name, nearest, names);
    return DV_FAIL(DV_ECONFIG,
                   "data.split: leave_one_out: unknown speaker '%s'; the speakers are %s", name,
                   names[0] != '\0' ? names : "not known");
}

/* Puts the speakers into a random order. The caller owns *rank (speakers). */
static dv_status rank_speakers(const speaker_list *speakers, const dv_data_config *config,
                               int64_t **rank)
{
    dv_rng rng = dv__draw_rng(config->seed, DV__DRAW_SPEAKER_ORDER);
    return shuffled(&rng, speakers->count, rank);
}

/* Splits by `text`, "I/K". */
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
        return DV_FAIL(DV_ECONFIG, "data.split: fold: there are %lld folds for %zu clips",
                       (long long)folds, dataset->count);
    dv_status status;
    bool *from = NULL;
    int64_t *rank = NULL, *strata = NULL;
    size_t *order = NULL, count = 0;
    DV_TRY_GOTO(rank_speakers(speakers, config, &rank));
    DV_TRY_GOTO(list_training(dataset, speakers, rank, &from, &strata));
    const dv__draw draw = {config->seed, DV__DRAW_FOLD, from, strata};
    DV_TRY_GOTO(dv__draw_order(dataset, &draw, &order, &count));
    for (size_t i = 0; i < count; i++) {
        if ((int64_t)i % folds == fold - 1)
            dataset->clips[order[i]].part = DV_PART_TEST;
    }
fail:
    free(rank);
    free(from);
    free(strata);
    free(order);
    return status;
}

/* The forms of data.split, in the order of dv_split_kind. */
static const struct split_form {
    const char *word;
    const char *argument; /* the form of the text behind a colon; NULL for none */
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

/* Divides `text` into a kind and the argument behind a colon. *argument points into `text`, or is
   NULL without a colon. */
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
        return DV_FAIL(DV_ECONFIG, "data.split: '%s' is not valid: write %s%s%s", text, form->word,
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
        dataset->clips[i].part = DV_PART_TRAIN;
    if (kind == DV_SPLIT_RANDOM)
        return draw_clips(dataset, speakers, NULL, config->test, config, DV__DRAW_TEST,
                          DV_PART_TEST);
    if (kind == DV_SPLIT_SPEAKER)
        return split_by_speaker(dataset, speakers, config);
    if (kind == DV_SPLIT_FOLD)
        return split_fold(dataset, speakers, argument, config);
    if (kind == DV_SPLIT_LEAVE_ONE_OUT)
        return split_leave_one_out(dataset, speakers, argument);
    return DV_OK; /* train */
}

/* Moves clips from training to validation, unless there are validation clips already. The split by
   speaker moves whole speakers if enough are left. */
static dv_status split_validation(dv_dataset *dataset, const speaker_list *speakers,
                                  dv_split_kind kind, const dv_data_config *config)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part == DV_PART_VALIDATION)
            return DV_OK; /* the data gave it */
    }
    if (config->validation <= 0.0)
        return DV_OK;
    dv_status status;
    bool *present = NULL;
    int64_t *rank = NULL;
    DV_TRY_GOTO(dv_calloc((size_t)speakers->count, sizeof *present, &present));
    DV_TRY_GOTO(rank_speakers(speakers, config, &rank));
    int64_t count = find_present(dataset, speakers, present);
    if (kind == DV_SPLIT_SPEAKER && count >= speakers_to_hold_out)
        status = draw_speakers(dataset, speakers, present, count, config->validation, config,
                               DV__DRAW_VALIDATION, DV_PART_VALIDATION);
    else
        status = draw_clips(dataset, speakers, rank, config->validation, config,
                            DV__DRAW_VALIDATION, DV_PART_VALIDATION);
fail:
    free(present);
    free(rank);
    return status;
}

/* Resolves `auto` for these data. A note reports parts of the data that are not used. */
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
    return dv__note(dataset, "the parts that the data bring are not used, since data.split is %s",
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
    const dv_clip *nameless = speakers.count > 1 ? find_nameless(dataset) : NULL;
    if (nameless != NULL) {
        speakers_free(&speakers);
        return DV_FAIL(DV_ECONFIG, "the clip '%s' has no speaker", nameless->path);
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
