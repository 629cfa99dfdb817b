/*
 * The class of silence, made of stretches of recorded noise. Each part has its own section of each
 * recording, as long as its share of the stretches, so that no moment is in two parts. The
 * stretches begin at random, but evenly, within the sections of a part laid end to end.
 */
#include "frontends/audio/audio.h"
#include "frontends/dataset/dataset_internal.h"
#include "frontends/dataset/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH = 1000 }; /* ms */

typedef struct recording {
    char *path;     /* owned */
    double seconds; /* length */
    int64_t first;  /* ms, where the first stretch of the current part may begin */
    int64_t starts; /* number of places, 1 ms apart, where a stretch may begin */
} recording;

typedef struct recordings {
    char *folder;     /* owned */
    recording *items; /* (count), owned */
    size_t count;
} recordings;

static void recordings_free(recordings *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->items[i].path);
    free(all->items);
    free(all->folder);
}

/* The caller frees *out with recordings_free, also after a failure. */
static dv_status find_recordings(const char *path, recordings *out)
{
    dv_sound_folder found = {0};
    *out = (recordings){.count = 0};
    DV_TRY(dv_join(path, DV_BACKGROUND_NOISE, &out->folder));
    dv_status status = dv_sound_folder_read(out->folder, &found);
    if (status == DV_OK)
        status = dv_calloc(found.sound_count, sizeof *out->items, &out->items);
    for (size_t i = 0; status == DV_OK && i < found.sound_count; i++) {
        recording *item = &out->items[out->count];
        status = dv_join(out->folder, found.sounds[i], &item->path);
        out->count += status == DV_OK;
        if (status == DV_OK)
            status = dv_audio_seconds(item->path, &item->seconds);
    }
    dv_sound_folder_free(&found);
    return status;
}

/* Lays the sections of a part, from the share `from` to the share `to` of each recording. Returns
   their number of starts. */
static int64_t lay_sections(const recordings *all, double from, double to)
{
    int64_t total = 0;
    for (size_t i = 0; i < all->count; i++) {
        recording *item = &all->items[i];
        item->first = (int64_t)ceil(from * item->seconds * 1000);
        int64_t end = (int64_t)floor(to * item->seconds * 1000);
        item->starts = end - item->first - STRETCH + 1;
        item->starts = item->starts > 0 ? item->starts : 0;
        total += item->starts;
    }
    return total;
}

/* Adds the stretch at this place in the sections. */
static dv_status add_stretch(dv_dataset *dataset, const recordings *all, dv_part part,
                             int64_t place)
{
    const recording *item = all->items;
    for (; place >= item->starts; item++)
        place -= item->starts;
    dv_clip *clip = &dataset->clips[dataset->count];
    *clip = (dv_clip){.start = (double)(item->first + place) / 1000,
                      .length = STRETCH / 1000.0,
                      .index = -1,
                      .part = part};
    while (strcmp(dataset->labels[clip->label], DV_SILENCE) != 0)
        clip->label++;
    dataset->count++;
    DV_TRY(dv_strdup(item->path, &clip->path));
    return dv_strdup("", &clip->speaker);
}

static dv_status add_part(dv_dataset *dataset, const recordings *all, dv_part part, int64_t wanted,
                          int64_t starts, int64_t seed)
{
    if (wanted > 0 && starts == 0)
        return DV_FAIL(DV_ECONFIG,
                       "data.silence: no recording in %s is long enough: the %s part needs %g s of "
                       "it; record longer ones, or leave data.silence 0",
                       all->folder, dv__part_names[part], STRETCH / 1000.0);
    for (int64_t i = 0; i < wanted; i++) {
        char name[64];
        snprintf(name, sizeof name, "%d/%lld", (int)part, (long long)i);
        uint64_t key = dv__draw_key(dv_hash(DV_HASH_EMPTY, name), seed, DV__DRAW_SILENCE);
        double within = ((double)i + (double)(key >> 11) * 0x1p-53) / (double)wanted;
        int64_t place = (int64_t)(within * (double)starts);
        DV_TRY(add_stretch(dataset, all, part, place < starts ? place : starts - 1));
    }
    return DV_OK;
}

static int by_place(const void *a, const void *b)
{
    const dv_clip *x = a;
    const dv_clip *y = b;
    int order = dv_natural_order(x->path, y->path);
    return order != 0 ? order : (x->start > y->start) - (x->start < y->start);
}

static dv_status add_stretches(dv_dataset *dataset, const recordings *all, const int64_t *wanted,
                               int64_t total, int64_t seed)
{
    int64_t before = 0;
    dv_clip *larger = realloc(dataset->clips, (dataset->count + (size_t)total) * sizeof *larger);
    if (larger == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %lld stretches", (long long)total);
    dataset->clips = larger;
    for (int part = 0; part < DV_PART_COUNT; part++) {
        int64_t starts = lay_sections(all, (double)before / (double)total,
                                      (double)(before + wanted[part]) / (double)total);
        DV_TRY(add_part(dataset, all, (dv_part)part, wanted[part], starts, seed));
        before += wanted[part];
    }
    qsort(dataset->clips, dataset->count, sizeof *dataset->clips, by_place);
    return DV_OK;
}

dv_status dv__add_silence(dv_dataset *dataset, const dv_data_config *config,
                          const double mean[DV_PART_COUNT])
{
    int64_t wanted[DV_PART_COUNT], total = 0;
    recordings all;
    for (int part = 0; part < DV_PART_COUNT; part++) {
        wanted[part] = llround(config->silence * mean[part]);
        total += wanted[part];
    }
    dv_status status = find_recordings(config->path, &all);
    if (status == DV_OK && total > 0)
        status = add_stretches(dataset, &all, wanted, total, config->seed);
    recordings_free(&all);
    return status == DV_EIO ? dv_fail_within(status, "data.silence") : status;
}
