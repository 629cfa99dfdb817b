/* Shared by the files of this folder: the list of clips before labels have numbers. */
#ifndef DV_FRONTENDS_DATASET_INTERNAL_H
#define DV_FRONTENDS_DATASET_INTERNAL_H

#include "frontends/dataset/dataset.h"

typedef struct dv__entry {
    char *path;
    char *label;
    char *speaker; /* "" where unknown */
    int64_t index; /* of FSDD's names, else -1 */
    dv_part part;
    bool part_given;
} dv__entry;

typedef struct dv__listing {
    dv__entry *entries; /* (count), owned with their texts */
    size_t count;
    size_t capacity;
} dv__listing;

/* Appends a copy of `entry`, whose texts need not be owned. */
dv_status dv__listing_add(dv__listing *listing, const dv__entry *entry);
void dv__listing_free(dv__listing *listing);

/* Adds the clips of a folder (both folder forms) or of a manifest. */
dv_status dv__scan_folder(const char *path, dv__listing *listing);
dv_status dv__read_manifest(const char *path, dv__listing *listing);

/* Whether the name ends in .wav, .flac, .ogg or .mp3, in any case. */
bool dv__is_sound_name(const char *name);

/* Order of names: bytes, but runs of digits by value; equal only where strcmp is. */
int dv__natural_order(const char *a, const char *b);

/* FNV-1a, 64 bits (Fowler, Noll and Vo), of `text` behind what `value` is the hash of;
   DV__HASH_EMPTY: of nothing. */
#define DV__HASH_EMPTY 0xCBF29CE484222325U
uint64_t dv__hash(uint64_t value, const char *text);

/* "folder/name", owned by the caller; `folder` "" gives the name alone. */
dv_status dv__join(const char *folder, const char *name, char **out);

/* Frees what the clip owns. */
void dv__clip_free(dv_clip *clip);

/* Makes room for one more element in an owned array that doubles. */
dv_status dv__grow(size_t count, size_t size, size_t *capacity, void *array /* T ** */);

#endif
