/* Opens a data set: lists its clips, drops repeated ones and numbers the labels. The fields of the
   section `data` are here too. */
#include "engine/base/text.h"
#include "frontends/audio/audio.h"
#include "frontends/dataset/dataset_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
const dv_field dv_data_fields[] = {
    DV_PATH(dv_data_config, path, "", "folder of sound files, or manifest (CSV or JSON lines)"),
    DV_ENUM(dv_data_config, layout, "auto", dv_folder_layout_names,
        "meaning of the names of folders and files; auto finds it by looking"),
    DV_STRING(dv_data_config, split, "auto",
        "split into parts: auto (official if the data bring parts, else random), official, random, speaker, train, fold:I/K or leave_one_out:NAME"),
    DV_FLOAT(dv_data_config, test, "0.1", 0, 0.9,
        "share of the clips (random) or speakers (speaker) for testing"),
    DV_FLOAT(dv_data_config, validation, "0.1", 0, 0.5,
        "share of the rest for validation"),
    DV_INT(dv_data_config, seed, "0", 0, 4294967295.0, "random seed of the split"),
    DV_PATH(dv_data_config, exclude, "", "CSV file whose first column names clips to leave out"),
    DV_FLOAT(dv_data_config, max_seconds, "30", 0.1, 3600, "longest file that is used, s; longer ones are left out"),
    DV_TREE_FIELD(dv_data_config, labels,
        "words to keep, [yes, no, ...]; default: all"),
    DV_FLOAT(dv_data_config, unknown, "0", 0, 100,
        "size of the class _unknown_, drawn from the other words, as a multiple of a kept word's clips; 0 makes no such class"),
    DV_FLOAT(dv_data_config, silence, "0", 0, 100,
        "size of the class _silence_, stretches of _background_noise_, as a multiple of a kept word's clips; 0 makes no such class"),
    DV_TREE_FIELD(dv_data_config, more,
        "further data to train on: [{path: FOLDER, split: train, exclude: FILE}, ...]"),
    DV_END,
};
/* clang-format on */

uint64_t dv__hash_stretch(uint64_t value, const dv_clip *clip)
{
    char text[64];
    snprintf(text, sizeof text, "@%.3f+%.3f", clip->start, clip->length);
    return dv_hash(value, text);
}

uint64_t dv__clip_hash(const dv_dataset *dataset, const dv_clip *clip)
{
    const char *slash = strrchr(clip->path, '/');
    const char *texts[] = {dataset->labels[clip->label], "/", clip->speaker, "/",
                           slash != NULL ? slash + 1 : clip->path};
    uint64_t value = DV_HASH_EMPTY;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        value = dv_hash(value, texts[i]);
    return clip->length > 0 ? dv__hash_stretch(value, clip) : value;
}

dv_status dv__note(dv_dataset *dataset, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    DV_TRY(dv_grow(dataset->note_count, sizeof *dataset->notes, &dataset->note_capacity,
                   &dataset->notes));
    DV_TRY(dv_strdup(text, &dataset->notes[dataset->note_count]));
    dataset->note_count++;
    return DV_OK;
}

static void entry_free(dv__entry *entry)
{
    free(entry->path);
    free(entry->label);
    free(entry->speaker);
}

/* Labels and speakers are written into configurations, tables and onto terminals, so they must be
   clean. The path need not be. */
static dv_status check_name(const char *what, const char *name)
{
    size_t length = strlen(name);
    if (!dv_is_utf8(name))
        return DV_FAIL(DV_EFORMAT, "the %s '%s' is not UTF-8", what, name);
    if (dv_has_control_character(name))
        return DV_FAIL(DV_EFORMAT,
                       "the %s has a control character, or one that turns the direction of a line; "
                       "give it another name",
                       what);
    if (length > 0 && (name[0] == ' ' || name[length - 1] == ' '))
        return DV_FAIL(DV_EFORMAT, "the %s '%s' begins or ends with a blank; give it another name",
                       what, name);
    return DV_OK;
}

/* Checks the names before it copies anything. The message begins with the manifest's line or with
   the path of the clip. */
dv_status dv__listing_add(dv__listing *listing, const dv__entry *entry)
{
    dv_status status = check_name("label", entry->label);
    if (status == DV_OK)
        status = check_name("speaker", entry->speaker);
    if (status != DV_OK && listing->manifest != NULL)
        return dv_fail_within(status, "%s:%d", listing->manifest, entry->line);
    if (status != DV_OK)
        return dv_fail_within(status, "%s", entry->path);
    DV_TRY(
        dv_grow(listing->count, sizeof *listing->entries, &listing->capacity, &listing->entries));
    dv__entry copy = *entry;
    copy.path = copy.label = copy.speaker = NULL;
    DV_TRY_GOTO(dv_strdup(entry->path, &copy.path));
    DV_TRY_GOTO(dv_strdup(entry->label, &copy.label));
    DV_TRY_GOTO(dv_strdup(entry->speaker, &copy.speaker));
    listing->entries[listing->count++] = copy;
    return DV_OK;
fail:
    entry_free(&copy);
    return status;
}

void dv__listing_free(dv__listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        entry_free(&listing->entries[i]);
    free(listing->entries);
    *listing = (dv__listing){0};
}

static int by_path(const void *a, const void *b)
{
    const dv__entry *x = a;
    const dv__entry *y = b;
    int order = dv_natural_order(x->path, y->path);
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

/* Copies the distinct labels, in order, into the data set. */
static dv_status collect_labels(const dv__listing *listing, dv_dataset *dataset)
{
    char **all;
    DV_TRY(dv_calloc(listing->count, sizeof *all, &all));
    for (size_t i = 0; i < listing->count; i++)
        all[i] = listing->entries[i].label;
    qsort(all, listing->count, sizeof *all, dv_by_name);

    dv_status status = dv_calloc(listing->count, sizeof *dataset->labels, &dataset->labels);
    for (size_t i = 0; i < listing->count && status == DV_OK; i++) {
        if (i > 0 && strcmp(all[i], all[i - 1]) == 0)
            continue;
        status = dv_strdup(all[i], &dataset->labels[dataset->label_count]);
        dataset->label_count += status == DV_OK;
    }
    free(all);
    return status;
}

static int label_number(const dv_dataset *dataset, char *label)
{
    char **found =
        bsearch(&label, dataset->labels, dataset->label_count, sizeof *dataset->labels, dv_by_name);
    DV_ASSERT(found != NULL);
    return (int)(found - dataset->labels);
}

/* Moves the sorted entries into the data set. */
static dv_status make_clips(dv__listing *listing, dv_dataset *dataset)
{
    DV_TRY(collect_labels(listing, dataset));
    DV_TRY(dv_calloc(listing->count, sizeof *dataset->clips, &dataset->clips));
    for (size_t i = 0; i < listing->count; i++) {
        dv__entry *entry = &listing->entries[i];
        dataset->clips[i] = (dv_clip){
            .path = entry->path,
            .speaker = entry->speaker,
            .label = label_number(dataset, entry->label),
            .index = entry->index,
            .part = entry->part,
            .part_given = entry->part_given,
        };
        entry->path = entry->speaker = NULL;
    }
    dataset->count = listing->count;
    return DV_OK;
}

/* Fails, and says where a relative path begins, which is not beside the configuration. */
static dv_status fail_missing(const char *path, const char *reason)
{
    char folder[PATH_MAX];
    if (path[0] == '/' || getcwd(folder, sizeof folder) == NULL)
        return DV_FAIL(DV_EIO, "data: %s: %s", path, reason);
    return DV_FAIL(DV_EIO,
                   "data: %s: %s (a relative path begins in the working folder, which is %s)", path,
                   reason, folder);
}

/* Lists the clips of a folder or of a manifest. Fails for an empty path, for a sound file, and for
   data without a clip. */
static dv_status list_clips(const char *path, dv_folder_layout layout, dv__listing *listing,
                            dv_dataset *dataset)
{
    struct stat info;
    if (path[0] == '\0')
        return DV_FAIL(DV_EARG,
                       "data.path is not set: it must name a folder of sound files or a manifest");
    if (stat(path, &info) != 0)
        return fail_missing(path, strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        DV_TRY(dv__list_folder(path, layout, listing, dataset));
    } else if (dv_audio_kind(path) != DV_NO_SOUND) {
        return DV_FAIL(DV_EARG,
                       "%s: is a sound file; data must be a folder of sound files or a manifest",
                       path);
    } else {
        DV_TRY(dv__read_manifest(path, listing, dataset));
    }
    if (listing->count == 0)
        return DV_FAIL(DV_EFORMAT, "%s: holds no clip (%s)", path,
                       S_ISDIR(info.st_mode)
                           ? "no file whose name ends in .wav, .flac, .ogg, .mp3 or the like"
                           : "the manifest lists none");
    return DV_OK;
}

/* The kind of facts in which two lines about one clip differ, or NULL. */
static const char *difference(const dv__entry *a, const dv__entry *b)
{
    if (strcmp(a->label, b->label) != 0)
        return "labels";
    if (strcmp(a->speaker, b->speaker) != 0)
        return "speakers";
    return a->part != b->part || a->part_given != b->part_given ? "parts" : NULL;
}

/* A manifest may list a clip twice if both lines agree. The entries are sorted. */
static dv_status check_repeated(const dv__listing *listing)
{
    for (size_t i = 1; i < listing->count; i++) {
        const dv__entry *a = &listing->entries[i - 1];
        const dv__entry *b = &listing->entries[i];
        const char *what = strcmp(a->path, b->path) == 0 ? difference(a, b) : NULL;
        if (what != NULL)
            return DV_FAIL(
                DV_EFORMAT,
                "%s:%d: line %d names the same clip, and the two lines give it two %s: '%s'",
                listing->manifest, b->line, a->line, what, b->path);
    }
    return DV_OK;
}

/* Keeps the first entry of each clip. A note reports the others. */
static dv_status drop_repeated(dv__listing *listing, dv_dataset *dataset)
{
    size_t kept = 0, count = listing->count;
    int lines[2] = {0};
    DV_TRY(check_repeated(listing));
    for (size_t i = 0; i < count; i++) {
        dv__entry *entry = &listing->entries[i];
        if (kept == 0 || strcmp(entry->path, listing->entries[kept - 1].path) != 0) {
            listing->entries[kept++] = *entry;
            continue;
        }
        if (lines[0] == 0) {
            lines[0] = listing->entries[kept - 1].line;
            lines[1] = entry->line;
        }
        entry_free(entry);
    }
    listing->count = kept;
    if (kept == count)
        return DV_OK;
    return dv__note(dataset,
                    "%s: %zu line%s a clip, the first of them line %d that of line %d; "
                    "each clip counts once",
                    listing->manifest, count - kept, count - kept > 1 ? "s repeat" : " repeats",
                    lines[1], lines[0]);
}

dv_status dv_dataset_open(const char *path, dv_dataset *dataset)
{
    return dv_dataset_open_as(path, DV_FOLDER_AUTO, dataset);
}

dv_status dv_dataset_open_as(const char *path, dv_folder_layout layout, dv_dataset *dataset)
{
    dv_status status;
    dv__listing listing = {0};
    *dataset = (dv_dataset){0};
    DV_TRY_GOTO(list_clips(path, layout, &listing, dataset));
    qsort(listing.entries, listing.count, sizeof *listing.entries, by_path);
    DV_TRY_GOTO(drop_repeated(&listing, dataset));
    DV_TRY_GOTO(make_clips(&listing, dataset));
    dv__listing_free(&listing);
    return DV_OK;
fail:
    dv__listing_free(&listing);
    dv_dataset_free(dataset);
    return status;
}

bool dv_dataset_has(const dv_dataset *dataset, dv_part part)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part == part)
            return true;
    }
    return false;
}

dv_status dv_dataset_count(const dv_dataset *dataset, size_t **counts)
{
    DV_TRY(dv_calloc(dataset->label_count * DV_PART_COUNT, sizeof **counts, counts));
    for (size_t i = 0; i < dataset->count; i++) {
        const dv_clip *clip = &dataset->clips[i];
        (*counts)[(size_t)clip->label * DV_PART_COUNT + (size_t)clip->part]++;
    }
    return DV_OK;
}

dv_status dv_dataset_part(const dv_dataset *dataset, dv_part part, int64_t **indices,
                          int64_t *count)
{
    *count = 0;
    DV_TRY(dv_calloc(dataset->count, sizeof **indices, indices));
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part == part)
            (*indices)[(*count)++] = (int64_t)i;
    }
    return DV_OK;
}

void dv__clip_free(dv_clip *clip)
{
    free(clip->path);
    free(clip->speaker);
    free(clip->samples);
}

void dv_dataset_free(dv_dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++)
        dv__clip_free(&dataset->clips[i]);
    for (size_t i = 0; i < dataset->label_count; i++)
        free(dataset->labels[i]);
    free(dataset->clips);
    free(dataset->labels);
    for (size_t i = 0; i < dataset->note_count; i++)
        free(dataset->notes[i]);
    free(dataset->notes);
    for (size_t i = 0; i < dataset->skipped; i++)
        free(dataset->problems[i]);
    free(dataset->problems);
    free(dataset->class_weights);
    *dataset = (dv_dataset){0};
}
