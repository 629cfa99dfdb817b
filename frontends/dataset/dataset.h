/*
 * Data sets: where the clips are, what they say, who speaks, and which part each belongs to.
 *
 * A data set is a folder or a manifest. How a folder is read, its layout, is seen by looking, or is
 * said: see dv_folder_layout. All sound files below it count that can be read (wav, flac, ogg,
 * opus, mp3, aiff, au, caf, w64, ...), but for dot-files and _background_noise_. Where the folders
 * at its top are called train, validation and test (or training, val, valid, dev, testing, eval,
 * evaluation), they are the parts, and what is in them has the layout. Where it holds
 * testing_list.txt and validation_list.txt, as Speech Commands has them, they tell the parts.
 *
 * A manifest is a table with the header path,label[,speaker[,split]], in any order, with commas,
 * semicolons or tabs, or JSON lines, objects with these members. Paths are relative to its folder;
 * split is empty or one of the words above. Usual other names of the columns are understood, see
 * manifest.c, and further columns are not read.
 *
 * Labels come from the data: sorted, numbers by value, and numbered from 0.
 */
#ifndef DV_DATASET_H
#define DV_DATASET_H

#include "engine/base/field.h"
#include "engine/base/log.h"
#include "frontends/audio/sound_folder.h"
#include "frontends/features/features.h"
#include "frontends/noise/noise.h"

typedef enum dv_part { DV_PART_TRAIN, DV_PART_VALIDATION, DV_PART_TEST, DV_PART_COUNT } dv_part;

typedef enum dv_folder_layout {
    DV_FOLDER_AUTO,          /* seen by looking; where two of them fit, DV_EFORMAT names both */
    DV_FOLDER_NAME,          /* files named {label}_{speaker}_{index}; the label has no '_' */
    DV_FOLDER_LONG_NAME,     /* likewise, but it is the speaker that has no '_' */
    DV_FOLDER_CLASS,         /* a folder per class; in it the speaker is the part of the file's name
                                before "_nohash_" or the first '_', or is not known */
    DV_FOLDER_CLASS_SPEAKER, /* a folder per class, in it one per speaker */
    DV_FOLDER_SPEAKER_CLASS, /* a folder per speaker, in it one per class */
    DV_FOLDER_SPEAKER        /* a folder per speaker; the label is what a file's name begins with,
                                up to the first '_' */
} dv_folder_layout;
extern const char *const dv_folder_layout_names[]; /* NULL-terminated */

typedef enum dv_split_kind {
    DV_SPLIT_AUTO, /* official where the data say of any clip which part it is in; else random */
    DV_SPLIT_OFFICIAL, /* FSDD's: index < 5 is test; a manifest's split column where it has
                          one (empty: train), which no other kind looks at */
    DV_SPLIT_RANDOM,   /* stratified by label, seeded: the clips whose names have the smallest
                          hashes, so that few change parts where others come or go */
    DV_SPLIT_SPEAKER,  /* whole speakers, at least one, never all: those whose names have the
                          smallest hashes, seeded */
    DV_SPLIT_TRAIN,    /* no test part */
    DV_SPLIT_FOLD,     /* test = the I-th of K parts, stratified by label and speaker, seeded */
    DV_SPLIT_LEAVE_ONE_OUT, /* test = one named speaker */
} dv_split_kind;

typedef struct dv_data_config {
    char path[DV_STRING_SIZE];    /* folder or manifest */
    int layout;                   /* dv_folder_layout, of a folder */
    char split[DV_STRING_SIZE];   /* auto | official | random | speaker | train | fold:I/K |
                                     leave_one_out:NAME */
    double test;                  /* share of clips (random) or speakers (speaker), 0..0.9 */
    double validation;            /* share of what is not test, 0..0.5, for early stopping: whole
                                     speakers for `speaker` where at least 3 are left, else clips
                                     stratified by label and speaker; not drawn where `official`
                                     finds validation clips in the manifest */
    int64_t seed;                 /* of the split; not of the training */
    char exclude[DV_STRING_SIZE]; /* see dv_dataset_exclude; "": none */
    double max_seconds;           /* longer files are left out */
    const dv_tree *labels;        /* list of the words that are kept; NULL: all are */
    double unknown; /* clips of the class _unknown_, drawn from the other words, as a share of the
                       mean number of a kept word's clips, in each part */
    double silence; /* likewise stretches of 1 s of the class _silence_, of the recordings in the
                       folder _background_noise_ of data.path; each part has its own section of each
                       recording */
    const dv_tree *more; /* see dv_dataset_extend; NULL: none */
} dv_data_config;

extern const dv_field dv_data_fields[]; /* section `data` */

typedef struct dv_clip {
    char *path;
    double start, length; /* s, the stretch of the file that it is; length 0: all of it */
    char *speaker;        /* "" where unknown */
    int label;            /* index into the data set's labels */
    int64_t index;        /* of FSDD's names, else -1 */
    dv_part part;         /* set by dv_dataset_split */
    bool part_given;      /* the data said so */
    float *samples;       /* (count) prepared by the front-end; NULL before loading */
    int64_t count;
    dv_audio_facts sound; /* of the file; zeros before loading */
    uint64_t content; /* hash of the bytes of a whole file; 0: not known, or it cannot be read */
    int64_t center;   /* see dv_frontend_prepare */
    const dv_noise_file *noise; /* borrowed: for dv_dataset_load_noisy; NULL: none */
} dv_clip;

/* Clips that the data hold and the data set does not, by the reason. */
typedef struct dv_removed_clips {
    size_t excluded;     /* named by `exclude` */
    size_t other_words;  /* of words that are not kept */
    size_t test_of_more; /* kept for testing by the split of further data */
    size_t tested_later; /* removed by dv_dataset_leave_out_tested */
} dv_removed_clips;

typedef struct dv_dataset {
    dv_clip *clips; /* (count), in order of path */
    size_t count;
    char **labels; /* (label_count) */
    size_t label_count;
    size_t skipped;                   /* unreadable files left out by dv_dataset_load, */
    size_t skipped_of[DV_PART_COUNT]; /* of each part, */
    char **problems;                  /* (skipped) and why, with the file's name; owned */
    char **notes; /* (note_count) what the user should know of how the data were read, a sentence
                     each; owned */
    size_t note_count, note_capacity;
    dv_file_kinds left_out; /* of a folder */
    dv_removed_clips removed;
    float *class_weights; /* (label_count) of the targets in training; NULL: all are 1 */
} dv_dataset;

/* Lists the clips; reads no sound. DV_EIO; DV_EFORMAT: no clip, a name that does not fit the
   layout, a folder with two layouts, a manifest (file and line; two that give one clip two
   labels, speakers or parts); DV_EARG: no path, or that of a
   sound file. Free with dv_dataset_free. */
dv_status dv_dataset_open_as(const char *path, dv_folder_layout layout, dv_dataset *dataset);
dv_status dv_dataset_open(const char *path, dv_dataset *dataset); /* DV_FOLDER_AUTO */

/*
 * Leaves out the clips that a CSV file names in its first column: names of files, or the ends of
 * their paths. DV_EIO, DV_EFORMAT; DV_ECONFIG for a file that names no clip of the data set, or
 * all.
 */
dv_status dv_dataset_exclude(dv_dataset *dataset, const char *path);

/* Gives each clip its part. DV_ECONFIG: unknown split (names the nearest), unknown speaker (names
   those there are), `official` on data without it, `speaker` and `leave_one_out` on clips without
   a speaker. */
dv_status dv_dataset_split(dv_dataset *dataset, const dv_data_config *config);

/*
 * Adds the training and validation parts of further data sets to one that is split. `more`: a list
 * of maps with path, split (default: train), test, validation (default: 0), seed and exclude, each
 * split by itself; what it keeps for testing is left out. DV_ECONFIG: names the place in the file;
 * also for a path that stands twice, and, unless config->labels says which are kept, for labels
 * that the data set does not have.
 */
dv_status dv_dataset_extend(dv_dataset *dataset, const dv_data_config *config);

/* Opens, excludes, splits, and keeps the words that are asked for: what an evaluation needs before
   the sound. DV_ECONFIG: a word that the data do not have (names the nearest), no recording of
   noise that is long enough. */
dv_status dv_dataset_open_parts(const dv_data_config *config, dv_dataset *dataset);

/* And what a training needs: extends too. DV_ECONFIG where nothing is left for training, and where
   one file, under whatever names, or one moment of it, is in two parts. */
dv_status dv_dataset_prepare(const dv_data_config *config, dv_dataset *dataset);

/* Removes the clips whose files are in the validation or test part of `other`: a training whose
   result goes on learning there must not hear them. *removed: how many. DV_ECONFIG: no clip is left
   for training. */
dv_status dv_dataset_leave_out_tested(dv_dataset *dataset, const dv_dataset *other,
                                      size_t *removed);

/* Of the clips' labels, speakers, own names and parts; not of their sound, nor of the folder. */
uint64_t dv_dataset_fingerprint(const dv_dataset *dataset);

/* Of the content of the clips' files, and of those that `noise_paths` lists (dv_noise_list; "":
   none), read by so many threads. Names and times do not count, and a file that cannot be read
   counts as one without content. Fails as dv_noise_list does. */
dv_status dv_dataset_sound_fingerprint(const dv_dataset *dataset, const char *noise_paths,
                                       int threads, uint64_t *out);

/* The speakers, in natural order: *names (*count, 0 where no clip has one) owned by the caller, the
   texts by the data set. DV_ECONFIG where clips with and without a speaker stand side by side. */
dv_status dv_dataset_speakers(const dv_dataset *dataset, const char ***names, size_t *count);

/* Reads, prepares and keeps the sound of all clips, in parallel. The notes are warnings. Files that
   cannot be read are named (one warning each), counted and left out; of those that are read and not
   in order, one warning for each kind says how many there are. DV_EFORMAT when none is left;
   DV_ESYSTEM where the system cannot read one (too many open files, a failing disk). */
dv_status dv_dataset_load(dv_dataset *dataset, const dv_frontend *frontend, double max_seconds,
                          const dv_log *log);

/* How noise is mixed: frontends/noise/noise.h. */
typedef struct dv_noise_mix {
    double snr; /* dB */
    uint64_t seed;
} dv_noise_mix;

/* Gives each of the clips `indices` (count) one of the noises (borrowed, at least one), evenly, and
   every other clip none. */
dv_status dv_dataset_give_noises(dv_dataset *dataset, const int64_t *indices, int64_t count,
                                 const dv_noise_files *noises, uint64_t seed);

/* dv_dataset_load of the clips that have a noise, with it added; the others stay as they are. A
   file that can no longer be read is left out as there. `mix` NULL: dv_dataset_load. */
dv_status dv_dataset_load_noisy(dv_dataset *dataset, const dv_frontend *frontend,
                                double max_seconds, const dv_noise_mix *mix, const dv_log *log);

/* dv_fields_shorten_paths of the section `data`, with what `more` lists. */
void dv_dataset_shorten_paths(dv_tree *data);

/* Whether there are clips in this part. */
bool dv_dataset_has(const dv_dataset *dataset, dv_part part);

/* The clips of each label and part: *counts (label_count, DV_PART_COUNT), owned by the caller. */
dv_status dv_dataset_count(const dv_dataset *dataset, size_t **counts);

/* Indices of the clips of one part, in order; *indices (*count) owned by the caller. */
dv_status dv_dataset_part(const dv_dataset *dataset, dv_part part, int64_t **indices,
                          int64_t *count);

/*
 * Sets class_weights. NULL or `none`: no weights. `balanced`: those of the labels that the training
 * part has are to each other as the inverse of their numbers of clips there, and 1 in the mean over
 * these clips; the others are 1. A list, in the order of the labels: scaled to a mean of 1 over
 * these clips. DV_ECONFIG for anything else, for a list of another length, and for a weight that is
 * not above 0.
 */
dv_status dv_dataset_weigh(dv_dataset *dataset, const dv_tree *weights);

void dv_dataset_free(dv_dataset *dataset);

/* Calls `take` with the path of each clip of a manifest, in its order; labels need not be there.
   The first failure ends it and is returned. DV_EIO, DV_EFORMAT: file and line. */
typedef dv_status (*dv_take_path)(void *user, const char *path);
dv_status dv_manifest_paths(const char *path, dv_take_path take, void *user);

#endif
