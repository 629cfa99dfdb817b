/* Shared by the files of this folder: the list of clips before labels have numbers. */
#ifndef DV_DATASET_INTERNAL_H
#define DV_DATASET_INTERNAL_H

#include "engine/base/csv.h"
#include "engine/base/hash.h"
#include "engine/base/path.h"
#include "frontends/audio/sound_folder.h"
#include "frontends/dataset/dataset.h"

typedef struct dv__entry {
    char *path;
    char *label;
    char *speaker; /* "" where unknown */
    int64_t index; /* of FSDD's names, else -1 */
    dv_part part;
    bool part_given;
    int line; /* of the manifest; 0: it is of a folder */
} dv__entry;

typedef struct dv__listing {
    dv__entry *entries; /* (count), owned with their texts */
    size_t count;
    size_t capacity;
    const char *manifest; /* where it was read, borrowed; NULL: it is of a folder */
} dv__listing;

/* Appends a copy of `entry`, whose texts need not be owned. DV_EFORMAT: label or speaker is not
   UTF-8. */
dv_status dv__listing_add(dv__listing *listing, const dv__entry *entry);
void dv__listing_free(dv__listing *listing);

/* Adds the clips of a folder, as the layout says, and notes and what is left out to the data
   set. */
dv_status dv__list_folder(const char *path, dv_folder_layout layout, dv__listing *listing,
                          dv_dataset *dataset);

/* Adds a note to the data set. */
dv_status dv__note(dv_dataset *dataset, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds the clips of a manifest, and notes to the data set. `path` must outlive the listing. */
dv_status dv__read_manifest(const char *path, dv__listing *listing, dv_dataset *dataset);

/* The part that a word says, in any case, or -1. */
int dv__part_named(const char *word);

/* Classes that are made. */
#define DV_UNKNOWN "_unknown_"
#define DV_SILENCE "_silence_"

/* By dv_part: "training", ... */
extern const char *const dv__part_names[DV_PART_COUNT];

/* A sound file somewhere below a folder. */
enum { DV__MOST_DEPTH = 8 };
typedef struct dv__found {
    char *path;                    /* below the folder; owned */
    char *text;                    /* the same, cut at the slashes; owned */
    char *folders[DV__MOST_DEPTH]; /* (depth) on the way to it, in the text */
    int depth;
    char *name; /* in the text */
} dv__found;

typedef struct dv__survey {
    dv__found *clips; /* (count) */
    size_t count, capacity;
    dv_file_kinds others; /* no sounds */
} dv__survey;

/* Lists the sound files at most DV__MOST_DEPTH folders below `path`. DV_EIO. Free with
   dv__survey_free, on failure too. */
dv_status dv__survey_read(const char *path, dv__survey *out);
void dv__survey_free(dv__survey *survey);

/* Of the stretch that the clip is, behind what `value` is the hash of. */
uint64_t dv__hash_stretch(uint64_t value, const dv_clip *clip);

/* Of label, speaker, the file's own name and the stretch of it: the same in another folder. */
uint64_t dv__clip_hash(const dv_dataset *dataset, const dv_clip *clip);

/* How the sounds of clips are read. */
typedef struct dv__loading {
    int64_t sample_rate; /* Hz, that they are brought to */
    double max_seconds;
    const dv_frontend *frontend; /* prepares the sounds; NULL: none is kept */
    const dv_noise_mix *mix;     /* of the clips that have a noise, and these alone; NULL: of all,
                                    without noise */
    bool contents;               /* dv_clip.content too */
} dv__loading;

/* dv_dataset_load, without a word of what is left out or not in order. */
dv_status dv__load(dv_dataset *dataset, const dv__loading *how, const dv_log *log);

/* Names the files that were left out, from the `from`-th on: one warning each. */
void dv__log_problems(const dv_dataset *dataset, size_t from, const dv_log *log);

/* The number of loaded clips with the remark; *first is set where there is one. */
size_t dv__remarked(const dv_dataset *dataset, dv_audio_remark remark, const dv_clip **first);

/* Of the number of clips, "s" or "", the first one's path and the remark's text. */
#define DV__REMARK_FORMAT "%zu clip%s, the first %s: %s"

/* See dv_clip.content. */
uint64_t dv__content_of(const char *path);

/* Keeps the words of config->labels, and makes the classes _unknown_ and _silence_, of a data set
   that is split. DV_ECONFIG. */
dv_status dv__choose_words(dv_dataset *dataset, const dv_data_config *config);

/* config->labels, or NULL where it says nothing. */
const dv_tree *dv__kept_words(const dv_data_config *config);

/* Adds stretches of the class _silence_, which the data set has; mean: clips of a kept word in each
   part. DV_EIO; DV_EFORMAT; DV_ECONFIG: the recordings are too short. */
dv_status dv__add_silence(dv_dataset *dataset, const dv_data_config *config,
                          const double mean[DV_PART_COUNT]);

/* Gives the clips of a folder their parts, where it has Speech Commands' lists. DV_EIO; DV_EFORMAT:
   a clip in two lists, a list of other clips. */
dv_status dv__read_part_lists(const char *folder, dv__listing *listing);

/* The first columns of a CSV file, in order. */
typedef struct dv__names {
    dv_csv csv;
    char **list; /* (count) in the file's text */
    size_t count, capacity;
} dv__names;

/* Free with dv__names_free, on failure too. */
dv_status dv__names_read(const char *path, dv__names *out);
void dv__names_free(dv__names *names);

/* Whether the path, or an end of it that begins behind a slash, is one of them. */
bool dv__names_have(const dv__names *names, const char *path);

/* DV_ECONFIG where a moment of one file, under whatever names, stands in two parts. */
dv_status dv__check_parts(const dv_dataset *dataset);

/* Frees what the clip owns. */
void dv__clip_free(dv_clip *clip);

#endif
