/* Reads a folder of recordings: parts, classes and speakers from its folders and file names. */
#include "frontends/dataset/dataset_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const dv_folder_layout_names[] = {
    "auto", "name", "long_name", "class", "class/speaker", "speaker/class", "speaker", NULL};

/* The way in which a folder is read. */
typedef struct reading {
    const char *path;
    const dv__survey *survey;
    dv_folder_layout layout;
    int first; /* number of the layout's first folder: 1 below folders of parts, else 0 */
} reading;

static int depth_of(const reading *how, const dv__found *clip)
{
    return clip->depth - how->first;
}

static const char *folder_of(const reading *how, const dv__found *clip, int i)
{
    return clip->folders[how->first + i];
}

/* ---- Names ---- */

/* A file's name without its ending. The caller owns *stem. */
static dv_status stem_of(const char *name, char **stem)
{
    DV_TRY(dv_strdup(name, stem));
    *strrchr(*stem, '.') = '\0';
    return DV_OK;
}

/* The number of parts between '_' of a name {...}_{...}_{index}, at least 3; 0 for other names. */
static int name_parts(const char *stem)
{
    int parts = 1;
    const char *part = stem;
    for (const char *mark; (mark = strchr(part, '_')) != NULL; part = mark + 1) {
        if (mark == part && (parts == 1 || strchr(mark + 1, '_') == NULL))
            return 0; /* no label, or no speaker */
        parts++;
    }
    size_t digits = strspn(part, "0123456789");
    bool numbered = digits > 0 && digits <= 18 && part[digits] == '\0';
    return numbered && parts >= 3 ? parts : 0;
}

/* Cuts {label}_{speaker}_{index} apart in place. The label ends at the first '_'; with a long label
   the speaker begins behind the last '_' before the index. False for other names. */
static bool cut_name(char *stem, bool long_label, dv__entry *entry)
{
    if (name_parts(stem) == 0)
        return false;
    char *last = strrchr(stem, '_');
    entry->index = strtoll(last + 1, NULL, 10);
    *last = '\0';
    char *mark = long_label ? strrchr(stem, '_') : strchr(stem, '_');
    *mark = '\0';
    entry->label = stem;
    entry->speaker = mark + 1;
    return true;
}

/* Cuts the speaker out of the name of a file in a class's folder, in place. Speech Commands has
   {speaker}_nohash_{index}. */
static char *cut_speaker(char *stem)
{
    char *end = strstr(stem, "_nohash_");
    if (end == NULL)
        end = strchr(stem, '_');
    if (end == NULL)
        return stem + strlen(stem);
    *end = '\0';
    return stem;
}

/* ---- Finding the layout ---- */

/* The names that data sets have for their parts. */
int dv__part_named(const char *name)
{
    static const struct {
        const char *name;
        dv_part part;
    } names[] = {{"train", DV_PART_TRAIN},
                 {"training", DV_PART_TRAIN},
                 {"validation", DV_PART_VALIDATION},
                 {"valid", DV_PART_VALIDATION},
                 {"val", DV_PART_VALIDATION},
                 {"dev", DV_PART_VALIDATION},
                 {"test", DV_PART_TEST},
                 {"testing", DV_PART_TEST},
                 {"eval", DV_PART_TEST},
                 {"evaluation", DV_PART_TEST}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(name, names[i].name) == 0)
            return (int)names[i].part;
    }
    return -1;
}

/* Whether all clips lie in folders with the names of parts, and training is among them. */
static bool has_parts(const dv__survey *survey)
{
    bool trains = false;
    for (size_t i = 0; i < survey->count; i++) {
        const dv__found *clip = &survey->clips[i];
        int part = clip->depth > 0 ? dv__part_named(clip->folders[0]) : -1;
        if (part < 0)
            return false;
        trains = trains || part == DV_PART_TRAIN;
    }
    return trains;
}

/* Describes label and speaker of a name that is read in one of two ways. */
static void tell_name(const char *name, bool long_label, char *text, size_t size)
{
    char *stem = NULL;
    dv__entry entry = {.index = -1};
    text[0] = '\0';
    if (stem_of(name, &stem) == DV_OK && cut_name(stem, long_label, &entry))
        snprintf(text, size, "'%.80s' by '%.80s' (data.layout %s)", entry.label, entry.speaker,
                 dv_folder_layout_names[long_label ? DV_FOLDER_LONG_NAME : DV_FOLDER_NAME]);
    free(stem);
}

static dv_status fail_name(const reading *how, const dv__found *clip)
{
    return DV_FAIL(DV_EFORMAT,
                   "%s/%s: the name is not {label}_{speaker}_{index}; name the files so, use one "
                   "folder per class, or write a manifest",
                   how->path, clip->name);
}

/* A name of three parts has one reading. A longer one has two, and fails. */
static dv_status decide_names(reading *how)
{
    for (size_t i = 0; i < how->survey->count; i++) {
        const dv__found *clip = &how->survey->clips[i];
        char *stem, one[256], other[256];
        DV_TRY(stem_of(clip->name, &stem));
        int parts = name_parts(stem);
        free(stem);
        if (parts == 0)
            return fail_name(how, clip);
        if (parts == 3)
            continue;
        tell_name(clip->name, false, one, sizeof one);
        tell_name(clip->name, true, other, sizeof other);
        return DV_FAIL(DV_EFORMAT, "%s: '%s' can mean %s or %s; data.layout chooses", how->path,
                       clip->name, one, other);
    }
    how->layout = DV_FOLDER_NAME;
    return DV_OK;
}

/* Whether every file name has its folder as the speaker, as in AudioMNIST's 01/7_01_3.wav. */
static bool names_repeat_folders(const reading *how)
{
    for (size_t i = 0; i < how->survey->count; i++) {
        const dv__found *clip = &how->survey->clips[i];
        const char *folder = folder_of(how, clip, 0);
        const char *mark = strchr(clip->name, '_');
        size_t length = strlen(folder);
        if (mark == NULL || mark == clip->name || strncmp(mark + 1, folder, length) != 0 ||
            mark[1 + length] != '_')
            return false;
    }
    return true;
}

/* Two folders on the way to a clip. */
typedef struct folder_pair {
    const char *outer, *inner;
} folder_pair;

static int by_inner(const void *a, const void *b)
{
    const folder_pair *x = a;
    const folder_pair *y = b;
    int order = strcmp(x->inner, y->inner);
    return order != 0 ? order : strcmp(x->outer, y->outer);
}

/* Whether the names of inner folders recur in different outer folders, as speakers do in
   classes. */
static dv_status inner_recur(const reading *how, bool *out)
{
    folder_pair *pairs; /* (count) */
    size_t count = how->survey->count, inner = 0, distinct = 0;
    DV_TRY(dv_calloc(count, sizeof *pairs, &pairs));
    for (size_t i = 0; i < count; i++) {
        const dv__found *clip = &how->survey->clips[i];
        pairs[i] = (folder_pair){folder_of(how, clip, 0), folder_of(how, clip, 1)};
    }
    qsort(pairs, count, sizeof *pairs, by_inner);
    for (size_t i = 0; i < count; i++) {
        bool first = i == 0 || strcmp(pairs[i].inner, pairs[i - 1].inner) != 0;
        inner += first;
        distinct += first || strcmp(pairs[i].outer, pairs[i - 1].outer) != 0;
    }
    free(pairs);
    *out = 2 * distinct >= 3 * inner;
    return DV_OK;
}

/* Decides on the layout of clips in folders. The paths of the clips have `least` to `most` folders,
   at least 1. */
static dv_status decide_folders(reading *how, int least, int most, dv_dataset *dataset)
{
    bool recur = false;
    if (most == 1 && names_repeat_folders(how)) {
        how->layout = DV_FOLDER_SPEAKER;
        return DV_OK;
    }
    how->layout = DV_FOLDER_CLASS;
    if (most == 1)
        return DV_OK;
    if (least > 1)
        DV_TRY(inner_recur(how, &recur));
    if (recur)
        how->layout = DV_FOLDER_CLASS_SPEAKER;
    return recur ? dv__note(dataset,
                            "%s: folders are read as CLASS/SPEAKER; data.layout speaker/class "
                            "reads them the other way round",
                            how->path)
                 : dv__note(dataset,
                            "%s: clips in folders below that of a class belong to the class; "
                            "data.layout class/speaker reads those folders as speakers",
                            how->path);
}

/* Decides by the number of folders above the clips. Fails if clips lie both at the top and in
   folders. */
static dv_status decide(reading *how, dv_dataset *dataset)
{
    int least = DV__MOST_DEPTH, most = 0;
    const dv__found *named = NULL, *filed = NULL;
    for (size_t i = 0; i < how->survey->count; i++) {
        const dv__found *clip = &how->survey->clips[i];
        int depth = depth_of(how, clip);
        least = depth < least ? depth : least;
        most = depth > most ? depth : most;
        if (depth == 0 && named == NULL)
            named = clip;
        if (depth > 0 && filed == NULL)
            filed = clip;
    }
    if (named != NULL && filed != NULL)
        return DV_FAIL(DV_EFORMAT,
                       "%s: holds both sound files ('%s') and folders with sound files ('%s'); "
                       "keep one kind, or set data.layout to say what they are",
                       how->path, named->path, filed->path);
    return named != NULL ? decide_names(how) : decide_folders(how, least, most, dataset);
}

/* ---- Clips ---- */

static dv_status fail_depth(const reading *how, const char *path)
{
    return DV_FAIL(DV_EFORMAT, "%s: lacks the folders above it that data.layout %s needs", path,
                   dv_folder_layout_names[how->layout]);
}

/* Sets label and speaker of the clip according to the layout. `stem` is its name and is cut. False
   if the path does not fit the layout. */
static bool read_clip(const reading *how, const dv__found *clip, char *stem, dv__entry *entry)
{
    bool inner = how->layout == DV_FOLDER_CLASS_SPEAKER || how->layout == DV_FOLDER_SPEAKER_CLASS;
    char *const *folders = clip->folders + how->first;
    if (depth_of(how, clip) < (inner ? 2 : 1))
        return false;
    switch (how->layout) {
    case DV_FOLDER_CLASS_SPEAKER:
        entry->label = folders[0];
        entry->speaker = folders[1];
        break;
    case DV_FOLDER_SPEAKER_CLASS:
        entry->label = folders[1];
        entry->speaker = folders[0];
        break;
    case DV_FOLDER_SPEAKER:
        stem[strcspn(stem, "_")] = '\0';
        entry->label = stem;
        entry->speaker = folders[0];
        break;
    default:
        entry->label = folders[0];
        entry->speaker = cut_speaker(stem);
        break;
    }
    return true;
}

/* Reads part, label and speaker of one clip from its path according to the layout, and adds it. */
static dv_status add_clip(const reading *how, const dv__found *clip, dv__listing *listing)
{
    dv_status status;
    char *stem = NULL;
    dv__entry entry = {.index = -1, .part = DV_PART_TRAIN};
    bool by_name = how->layout == DV_FOLDER_NAME || how->layout == DV_FOLDER_LONG_NAME;
    if (how->first > 0) {
        entry.part = (dv_part)dv__part_named(clip->folders[0]);
        entry.part_given = true;
    }
    DV_TRY_GOTO(dv_join(how->path, clip->path, &entry.path));
    DV_TRY_GOTO(stem_of(clip->name, &stem));
    if (by_name && !cut_name(stem, how->layout == DV_FOLDER_LONG_NAME, &entry))
        DV_TRY_GOTO(fail_name(how, clip));
    if (!by_name && !read_clip(how, clip, stem, &entry))
        DV_TRY_GOTO(fail_depth(how, entry.path));
    status = dv__listing_add(listing, &entry);
fail:
    free(entry.path);
    free(stem);
    return status;
}

/* Drops the speakers if they are the classes, as in yes/yes_1.wav. */
static dv_status forget_repeated(const reading *how, dv__listing *listing, dv_dataset *dataset)
{
    if (how->layout != DV_FOLDER_CLASS)
        return DV_OK;
    for (size_t i = 0; i < listing->count; i++) {
        if (strcmp(listing->entries[i].speaker, listing->entries[i].label) != 0)
            return DV_OK;
    }
    for (size_t i = 0; i < listing->count; i++)
        listing->entries[i].speaker[0] = '\0';
    return dv__note(dataset,
                    "%s: the names of the files begin with their class and tell no speaker",
                    how->path);
}

static dv_status add_clips(reading *how, dv_folder_layout layout, dv__listing *listing,
                           dv_dataset *dataset)
{
    how->first = has_parts(how->survey) ? 1 : 0;
    how->layout = layout;
    if (layout == DV_FOLDER_AUTO)
        DV_TRY(decide(how, dataset));
    for (size_t i = 0; i < how->survey->count; i++)
        DV_TRY(add_clip(how, &how->survey->clips[i], listing));
    if (how->first == 0)
        DV_TRY(dv__read_part_lists(how->path, listing));
    return forget_repeated(how, listing, dataset);
}

dv_status dv__list_folder(const char *path, dv_folder_layout layout, dv__listing *listing,
                          dv_dataset *dataset)
{
    dv__survey survey;
    dv_status status = dv__survey_read(path, &survey);
    reading how = {.path = path, .survey = &survey};
    if (status == DV_OK && survey.count > 0)
        status = add_clips(&how, layout, listing, dataset);
    dataset->left_out = survey.others;
    dv__survey_free(&survey);
    return status;
}
