/* Shared by the files of this folder. It has the list of clips before labels have numbers. */
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
    char *speaker; /* "" if unknown */
    int64_t index; /* number in a name of FSDD, or -1 */
    dv_part part;
    bool part_given;
    int line; /* line of the manifest; 0 for a clip of a folder */
} dv__entry;

typedef struct dv__listing {
    dv__entry *entries; /* (count), owned with their texts */
    size_t count;
    size_t capacity;
    const char *manifest; /* path of the manifest, borrowed; NULL for a folder */
} dv__listing;

/* Appends a copy of `entry` and of its texts. DV_EFORMAT if label or speaker is not UTF-8, has a
   control character, or begins or ends with a blank. */
dv_status dv__listing_add(dv__listing *listing, const dv__entry *entry);
void dv__listing_free(dv__listing *listing);

/* Adds the clips of a folder according to its layout to the listing, and notes and left_out to the
   data set. */
dv_status dv__list_folder(const char *path, dv_folder_layout layout, dv__listing *listing,
                          dv_dataset *dataset);

/* Adds a note to the data set. */
dv_status dv__note(dv_dataset *dataset, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds the clips of a manifest to the listing, and notes to the data set. `path` must outlive the
   listing. */
dv_status dv__read_manifest(const char *path, dv__listing *listing, dv_dataset *dataset);

/* The part that has this name, in upper or lower case, or -1. */
int dv__part_named(const char *word);

/* Classes that are made from other words and from noise. */
#define DV_UNKNOWN "_unknown_"
#define DV_SILENCE "_silence_"

/* Names indexed by dv_part: "training", ... */
extern const char *const dv__part_names[DV_PART_COUNT];

/* A sound file somewhere below a folder. */
enum { DV__MOST_DEPTH = 8 };
typedef struct dv__found {
    char *path;                    /* relative to the folder; owned */
    char *text;                    /* the same path, cut at the slashes; owned */
    char *folders[DV__MOST_DEPTH]; /* (depth), the folders of the path; they point into `text` */
    int depth;
    char *name; /* file name; points into `text` */
} dv__found;

typedef struct dv__survey {
    dv__found *clips; /* (count) */
    size_t count, capacity;
    dv_file_kinds others; /* files that are no sounds */
} dv__survey;

/* Lists the sound files at most DV__MOST_DEPTH folders below `path`. DV_EIO. The caller frees *out
   with dv__survey_free, also after a failure. */
dv_status dv__survey_read(const char *path, dv__survey *out);
void dv__survey_free(dv__survey *survey);

/* Continues the hash `value` with the clip's stretch. */
uint64_t dv__hash_stretch(uint64_t value, const dv_clip *clip);

/* A hash of label, speaker, file name and stretch. It is the same in another folder. */
uint64_t dv__clip_hash(const dv_dataset *dataset, const dv_clip *clip);

/* Options for loading the sounds of clips. */
typedef struct dv__loading {
    int64_t sample_rate; /* Hz, of the loaded sounds */
    double max_seconds;
    const dv_frontend *frontend; /* prepares the sounds; NULL if none is to be kept */
    const dv_noise_mix *mix;     /* loads only the clips that have a noise, and adds it; NULL loads
                                    all clips without noise */
    bool contents;               /* also computes dv_clip.content */
} dv__loading;

/* dv_dataset_load without the warnings. */
dv_status dv__load(dv_dataset *dataset, const dv__loading *how, const dv_log *log);

/* Logs a warning for each file that was left out, from number `from` on. */
void dv__log_problems(const dv_dataset *dataset, size_t from, const dv_log *log);

/* The number of loaded clips with the remark. If there are any, *first becomes the first. */
size_t dv__remarked(const dv_dataset *dataset, dv_audio_remark remark, const dv_clip **first);

/* The format takes the number of clips, "s" or "", the path of the first and the remark's text. */
#define DV__REMARK_FORMAT "%zu clip%s, the first %s: %s"

/* See dv_clip.content. */
uint64_t dv__content_of(const char *path);

/* Keeps the words of config->labels in a data set that is split, and makes the classes _unknown_
   and _silence_. DV_ECONFIG. */
dv_status dv__choose_words(dv_dataset *dataset, const dv_data_config *config);

/* config->labels, or NULL if all words are kept. */
const dv_tree *dv__kept_words(const dv_data_config *config);

/* Adds stretches of the class _silence_, which the data set must have. `mean` is the mean number of
   clips of a kept word in each part. DV_EIO, DV_EFORMAT. DV_ECONFIG if the recordings are too
   short. */
dv_status dv__add_silence(dv_dataset *dataset, const dv_data_config *config,
                          const double mean[DV_PART_COUNT]);

/* Gives the clips of a folder their parts if it has the lists of Speech Commands. DV_EIO.
   DV_EFORMAT for a clip in two lists and for a list of other clips. */
dv_status dv__read_part_lists(const char *folder, dv__listing *listing);

/* The sorted first column of a CSV file. */
typedef struct dv__names {
    dv_csv csv;
    char **list; /* (count), pointers into the file's text */
    size_t count, capacity;
} dv__names;

/* The caller frees *out with dv__names_free, also after a failure. */
dv_status dv__names_read(const char *path, dv__names *out);
void dv__names_free(dv__names *names);

/* Whether the path, or an end of it that begins behind a slash, is one of the names. */
bool dv__names_have(const dv__names *names, const char *path);

/* DV_ECONFIG if a moment of one file, under whatever names, is in two parts. */
dv_status dv__check_parts(const dv_dataset *dataset);

/* Frees the texts and samples of a clip. */
void dv__clip_free(dv_clip *clip);

#endif
