/* Leaves clips out of a data set, and adds further data to it. */
#include "frontends/dataset/dataset_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Leaving out ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

dv_status dv__names_read(const char *path, dv__names *out)
{
    dv_csv_row row;
    *out = (dv__names){.count = 0};
    DV_TRY(dv_csv_open(path, &out->csv));
    for (;;) {
        DV_TRY(dv_csv_read(&out->csv, &row));
        if (row.count == 0)
            break;
        DV_TRY(dv_grow(out->count, sizeof *out->list, &out->capacity, &out->list));
        out->list[out->count++] = row.fields[0];
    }
    if (out->count > 1)
        qsort(out->list, out->count, sizeof *out->list, by_text);
    return DV_OK;
}

void dv__names_free(dv__names *names)
{
    free(names->list);
    dv_csv_close(&names->csv);
}

bool dv__names_have(const dv__names *names, const char *path)
{
    const char *end = path + strlen(path);
    for (const char *c = end; c >= path; c--) {
        if (c != path && c[-1] != '/')
            continue;
        if (names->count > 0 &&
            bsearch(&c, names->list, names->count, sizeof *names->list, by_text) != NULL)
            return true;
    }
    return false;
}

/* A list that names none of the clips most likely belongs to other data, so it fails. */
dv_status dv_dataset_exclude(dv_dataset *dataset, const char *path)
{
    dv__names names;
    dv_status status = dv__names_read(path, &names);
    if (status != DV_OK)
        dv_fail_within(status, "data.exclude");
    size_t kept = 0;
    for (size_t i = 0; status == DV_OK && i < dataset->count; i++) {
        dv_clip *clip = &dataset->clips[i];
        if (dv__names_have(&names, clip->path))
            dv__clip_free(clip);
        else
            dataset->clips[kept++] = *clip;
    }
    if (status == DV_OK) {
        size_t before = dataset->count;
        dataset->count = kept;
        dataset->removed.excluded += before - kept;
        if (kept == before)
            status = DV_FAIL(DV_ECONFIG,
                             "data.exclude: %s names none of the %zu clips: its first column must "
                             "have names of files, or the ends of their paths",
                             path, before);
        else if (kept == 0)
            status =
                DV_FAIL(DV_ECONFIG, "data.exclude: %s names all %zu clips, so that none is left",
                        path, before);
    }
    dv__names_free(&names);
    return status;
}

/* ---- Adding ---- */

static const dv_field more_fields[] = {
    DV_PATH(dv_data_config, path, DV_REQUIRED,
            "folder of sound files, or manifest (CSV or JSON lines)"),
    DV_ENUM(dv_data_config, layout, "auto", dv_folder_layout_names, "like data.layout"),
    DV_STRING(dv_data_config, split, "train", "like data.split; the test part is left out"),
    DV_FLOAT(dv_data_config, test, "0.1", 0, 0.9,
             "share of the clips for testing, which is left out"),
    DV_FLOAT(dv_data_config, validation, "0", 0, 0.5, "share of the clips for validation"),
    DV_INT(dv_data_config, seed, "0", 0, 4294967295.0, "random seed of the split"),
    DV_PATH(dv_data_config, exclude, "", "CSV file whose first column names clips to leave out"),
    DV_END,
};

void dv_dataset_shorten_paths(dv_tree *data)
{
    dv_fields_shorten_paths(dv_data_fields, data);
    dv_tree *more = dv_tree_find(data, "more");
    for (size_t i = 0; more != NULL && i < more->count; i++)
        dv_fields_shorten_paths(more_fields, more->children[i]);
}

dv_status dv_dataset_open_parts(const dv_data_config *config, dv_dataset *dataset)
{
    DV_TRY(dv_dataset_open_as(config->path, (dv_folder_layout)config->layout, dataset));
    dv_status status = DV_OK;
    if (config->exclude[0] != '\0')
        status = dv_dataset_exclude(dataset, config->exclude);
    if (status == DV_OK)
        status = dv_dataset_split(dataset, config);
    if (status == DV_OK)
        status = dv__choose_words(dataset, config);
    if (status != DV_OK)
        dv_dataset_free(dataset);
    return status;
}

static dv_status require_training(const dv_dataset *dataset, const dv_data_config *config)
{
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->clips[i].part == DV_PART_TRAIN)
            return DV_OK;
    }
    return DV_FAIL(DV_ECONFIG, "data.split: %s: none of the %zu clips is left for training",
                   config->split, dataset->count);
}

/* If a folder at the top holds all clips and is a data set of several classes by itself, *out
   becomes its path, which the caller owns; else NULL. */
static dv_status find_below(const dv_dataset *dataset, const char *path, char **out)
{
    const char *below = dataset->clips[0].path;
    dv_dataset inner;
    *out = NULL;
    if (strncmp(below, path, strlen(path)) != 0) /* the clips come from a manifest */
        return DV_OK;
    below += strlen(path);
    below += strspn(below, "/");
    int length = (int)strcspn(below, "/");
    size_t size = strlen(path) + (size_t)length + 2;
    if (below[length] != '/')
        return DV_OK;
    DV_TRY(dv_calloc(size, 1, out));
    snprintf(*out, size, "%s/%.*s", path, length, below);
    bool several = dv_dataset_open(*out, &inner) == DV_OK && inner.label_count > 1;
    dv_dataset_free(&inner);
    if (!several) {
        free(*out);
        *out = NULL;
    }
    return DV_OK;
}

/* Fails for a single class. If all clips are in one folder, the path may be a folder too high. */
static dv_status require_classes(const dv_dataset *dataset, const char *path)
{
    char *below;
    if (dataset->label_count > 1)
        return DV_OK;
    DV_TRY(find_below(dataset, path, &below));
    dv_status status = DV_FAIL(DV_EFORMAT,
                               "%s: all clips are of one class, '%s', and at least two classes are "
                               "needed%s%s%s",
                               path, dataset->labels[0], below != NULL ? "; are the data '" : "",
                               below != NULL ? below : "", below != NULL ? "'?" : "");
    free(below);
    return status;
}

/* Sets *numbers (from->label_count) to the numbers of the labels of `from` in `to`, or -1. The
   caller owns it. */
static dv_status number_labels(const dv_dataset *from, const dv_dataset *to, int **numbers)
{
    DV_TRY(dv_calloc(from->label_count, sizeof **numbers, numbers));
    for (size_t i = 0; i < from->label_count; i++) {
        size_t k = 0;
        while (k < to->label_count && strcmp(from->labels[i], to->labels[k]) != 0)
            k++;
        (*numbers)[i] = k < to->label_count ? (int)k : -1;
    }
    return DV_OK;
}

static dv_status require_labels(const dv_dataset *from, const int *numbers)
{
    for (size_t i = 0; i < from->label_count; i++) {
        if (numbers[i] < 0)
            return DV_FAIL(DV_ECONFIG, "the data in data.path have no label '%s'", from->labels[i]);
    }
    return DV_OK;
}

/* Moves the clips outside the test part from `from` to the end of `to`. With `chosen` words that
   `to` does not have are dropped; without it they fail. */
static dv_status append(dv_dataset *from, dv_dataset *to, bool chosen)
{
    dv_status status = DV_OK;
    int *numbers;
    DV_TRY(number_labels(from, to, &numbers));
    if (!chosen)
        DV_TRY_GOTO(require_labels(from, numbers));
    dv_clip *larger = realloc(to->clips, (to->count + from->count) * sizeof *larger);
    if (larger == NULL)
        DV_TRY_GOTO(DV_FAIL(DV_ENOMEM, "out of memory: %zu clips", to->count + from->count));
    to->clips = larger;
    for (size_t i = 0; i < from->count; i++) {
        dv_clip *clip = &from->clips[i];
        if (clip->part == DV_PART_TEST || numbers[clip->label] < 0) {
            size_t *reason =
                clip->part == DV_PART_TEST ? &to->removed.test_of_more : &to->removed.other_words;
            (*reason)++;
            dv__clip_free(clip);
            continue;
        }
        clip->label = numbers[clip->label];
        to->clips[to->count++] = *clip;
    }
    from->count = 0;
    to->removed.excluded += from->removed.excluded;
fail:
    free(numbers);
    return status;
}

/* Adds the notes and the left-out files of `from` to those of `to`. */
static dv_status take_notes(const dv_dataset *from, dv_dataset *to)
{
    dv_add_file_kinds(&to->left_out, &from->left_out);
    for (size_t i = 0; i < from->note_count; i++)
        DV_TRY(dv__note(to, "%s", from->notes[i]));
    return DV_OK;
}

/* The data sets that were opened before. */
typedef struct opened {
    struct stat *sources; /* (count) */
    size_t count;
} opened;

/* Data that are opened twice, under whatever name, would bring test clips into the training. */
static dv_status check_new(const char *path, opened *before)
{
    struct stat *now = &before->sources[before->count];
    if (stat(path, now) != 0)
        return DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno));
    for (size_t i = 0; i < before->count; i++) {
        const struct stat *other = &before->sources[i];
        if (other->st_dev == now->st_dev && other->st_ino == now->st_ino)
            return DV_FAIL(DV_ECONFIG, "%s is named twice among data.path and data.more", path);
    }
    before->count++;
    return DV_OK;
}

static dv_status add_source(dv_dataset *dataset, const dv_tree *item, bool chosen, opened *before)
{
    dv_data_config config = {0};
    dv_dataset further;
    DV_TRY(dv_fields_read(more_fields, item, "data.more", &config));
    DV_TRY(check_new(config.path, before));
    DV_TRY(dv_dataset_open_parts(&config, &further));
    dv_status status = require_training(&further, &config);
    if (status == DV_OK)
        status = append(&further, dataset, chosen);
    if (status == DV_OK)
        status = take_notes(&further, dataset);
    dv_dataset_free(&further);
    return status;
}

dv_status dv_dataset_extend(dv_dataset *dataset, const dv_data_config *config)
{
    const dv_tree *more = config->more;
    if (more == NULL || more->kind == DV_TREE_NULL)
        return DV_OK;
    if (more->kind != DV_TREE_LIST)
        return dv_tree_fail(
            more, "data: more: expected a list of maps, each with the keys path, split, ...");
    opened before = {0};
    DV_TRY(dv_calloc(more->count + 1, sizeof *before.sources, &before.sources));
    dv_status status = check_new(config->path, &before);
    for (size_t i = 0; status == DV_OK && i < more->count; i++) {
        status = add_source(dataset, more->children[i], dv__kept_words(config) != NULL, &before);
        if (status != DV_OK)
            status = dv_fail_within(status, "data.more: item %zu", i + 1);
    }
    free(before.sources);
    return status;
}

dv_status dv_dataset_prepare(const dv_data_config *config, dv_dataset *dataset)
{
    DV_TRY(dv_dataset_open_parts(config, dataset));
    dv_status status = dv_dataset_extend(dataset, config);
    if (status == DV_OK)
        status = require_training(dataset, config);
    if (status == DV_OK)
        status = require_classes(dataset, config->path);
    if (status == DV_OK)
        status = dv__check_parts(dataset);
    if (status != DV_OK)
        dv_dataset_free(dataset);
    return status;
}
