/*
 * Data sets: the places of the clips, their labels and speakers, and the part of each clip.
 *
 * A data set is a folder or a manifest. A folder has a layout, which is given or found by looking:
 * see dv_folder_layout. Its clips are all sound files below it of kinds that are read (wav, flac,
 * ogg, opus, mp3, aiff, au, caf, w64, ...), without dot-files and _background_noise_. If the
 * folders at its top are called train, validation and test (or training, val, valid, dev, testing,
 * eval, evaluation), they are the parts, and each of them has the layout. If it holds
 * testing_list.txt and validation_list.txt like Speech Commands, these lists give the parts.
 *
 * A manifest is a table with the header path,label[,speaker[,split]] in any order, separated by
 * commas, semicolons or tabs, or it is JSON lines, objects with these members. Paths are relative
 * to its folder. A split is empty or one of the words above. Usual other names of the columns are
 * understood (see manifest.c), and further columns are not read.
 *
 * Labels come from the data. They are sorted, numbers by value, and numbered from 0.
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
    DV_FOLDER_AUTO,          /* found by looking; DV_EFORMAT names both layouts if two fit */
    DV_FOLDER_NAME,          /* files named {label}_{speaker}_{index}; the label has no '_' */
    DV_FOLDER_LONG_NAME,     /* files named {label}_{speaker}_{index}; the speaker has no '_' */
    DV_FOLDER_CLASS,         /* a folder per class; the speaker is the part of a file's name before
                                "_nohash_" or the first '_', or unknown */
    DV_FOLDER_CLASS_SPEAKER, /* a folder per class, in it a folder per speaker */
    DV_FOLDER_SPEAKER_CLASS, /* a folder per speaker, in it a folder per class */
    DV_FOLDER_SPEAKER        /* a folder per speaker; the label is the part of a file's name before
                                the first '_' */
} dv_folder_layout;
extern const char *const dv_folder_layout_names[]; /* NULL-terminated */

typedef enum dv_split_kind {
    DV_SPLIT_AUTO,          /* official if the data give any clip its part, else random */
    DV_SPLIT_OFFICIAL,      /* the parts that the data give, train for clips without one; if they
                               give none, FSDD's test part, which is index < 5 */
    DV_SPLIT_RANDOM,        /* seeded, stratified by label; the test clips are those with the
                               smallest hashes of names, so that few clips change their part when
                               others come or go */
    DV_SPLIT_SPEAKER,       /* seeded; whole speakers, those with the smallest hashes of names, at
                               least one and never all */
    DV_SPLIT_TRAIN,         /* no test part */
    DV_SPLIT_FOLD,          /* seeded; the I-th of K parts, stratified by label and speaker */
    DV_SPLIT_LEAVE_ONE_OUT, /* one named speaker */
} dv_split_kind;

typedef struct dv_data_config {
    char path[DV_STRING_SIZE];    /* folder or manifest */
    int layout;                   /* dv_folder_layout of a folder */
    char split[DV_STRING_SIZE];   /* auto | official | random | speaker | train | fold:I/K |
                                     leave_one_out:NAME */
    double test;                  /* share of clips (random) or speakers (speaker), 0..0.9 */
    double validation;            /* share of the clips outside test, 0..0.5, for early stopping;
                                     `speaker` draws whole speakers if at least 3 are left, all
                                     others draw clips stratified by label and speaker; nothing is
                                     drawn if `official` finds validation clips */
    int64_t seed;                 /* seed of the split alone */
    char exclude[DV_STRING_SIZE]; /* see dv_dataset_exclude; "" for none */
    double max_seconds;           /* longer files are left out */
    const dv_tree *labels;        /* list of the words that are kept; NULL for all */
    double unknown;               /* clips of the class _unknown_ in each part, drawn from the other
                                     words, as a share of the mean number of clips of a kept word */
    double silence;               /* the same share for stretches of 1 s of the class _silence_,
                                     from the folder _background_noise_ of data.path; each part has
                                     its own section of each recording */
    const dv_tree *more;          /* see dv_dataset_extend; NULL for none */
} dv_data_config;

extern const dv_field dv_data_fields[]; /* section `data` */

typedef struct dv_clip {
    char *path;
    double start, length; /* s, the stretch of the file; length 0 stands for the whole file */
    char *speaker;        /* "" if unknown */
    int label;            /* index into the data set's labels */
    int64_t index;        /* number in a name of FSDD, or -1 */
    dv_part part;         /* set by dv_dataset_split */
    bool part_given;      /* the data give the part */
    float *samples;       /* (count), prepared by the front-end; NULL before loading */
    int64_t count;
    dv_audio_facts sound; /* facts of the file; zeros before loading */
    uint64_t content;     /* hash of the bytes of a whole file; 0 if not known or unreadable */
    int64_t center;       /* see dv_frontend_prepare */
    const dv_noise_file *noise; /* for dv_dataset_load_noisy, borrowed; NULL for none */
} dv_clip;

/* Numbers of clips that the data hold and the data set does not, by the reason. */
typedef struct dv_removed_clips {
    size_t excluded;     /* named by `exclude` */
    size_t other_words;  /* their word is not kept */
    size_t test_of_more; /* kept for testing by the split of further data */
    size_t tested_later; /* removed by dv_dataset_leave_out_tested */
} dv_removed_clips;

typedef struct dv_dataset {
    dv_clip *clips; /* (count), in order of path */
    size_t count;
    char **labels; /* (label_count) */
    size_t label_count;
    size_t skipped;                   /* unreadable files that dv_dataset_load has left out */
    size_t skipped_of[DV_PART_COUNT]; /* the same for each part */
    char **problems;                  /* (skipped), why each was left out, with its name; owned */
    char **notes;                     /* (note_count), remarks for the user on how the data were
                                         read, a sentence each; owned */
    size_t note_count, note_capacity;
    dv_file_kinds left_out; /* files of a folder that are no sounds */
    dv_removed_clips removed;
    float *class_weights; /* (label_count), factors of the targets in training; NULL for 1 */
} dv_dataset;

/* Lists the clips; reads no sound. DV_EIO. DV_EFORMAT for data without a clip, a name that does not
   fit the layout, a folder with two layouts and a faulty manifest (with file and line; a fault is
   also a clip with two labels, speakers or parts). DV_EARG for an empty path and that of a sound
   file. The caller frees *dataset with dv_dataset_free. */
dv_status dv_dataset_open_as(const char *path, dv_folder_layout layout, dv_dataset *dataset);
dv_status dv_dataset_open(const char *path, dv_dataset *dataset); /* DV_FOLDER_AUTO */

/*
 * Leaves out the clips that a CSV file names in its first column, by the names of their files or
 * the ends of their paths. DV_EIO, DV_EFORMAT. DV_ECONFIG if the file names no clip of the data set
 * or all clips.
 */
dv_status dv_dataset_exclude(dv_dataset *dataset, const char *path);

/* Gives each clip its part. DV_ECONFIG for an unknown split (names the nearest), an unknown speaker
   (names the known ones), `official` on data without parts, and `speaker` and `leave_one_out` on
   clips without a speaker. */
dv_status dv_dataset_split(dv_dataset *dataset, const dv_data_config *config);

/*
 * Adds the training and validation parts of further data sets to one that is split. config->more is
 * a list of maps with path, layout, split (default train), test, validation (default 0), seed and
 * exclude. Each further set is split by itself, and its test part is left out. DV_ECONFIG, with the
 * place in the file, also for a path that is listed twice, and for labels that the data set does
 * not have unless config->labels says which are kept.
 */
dv_status dv_dataset_extend(dv_dataset *dataset, const dv_data_config *config);

/* Opens and splits the data set, leaves out excluded clips and keeps the words that are asked for.
   An evaluation needs this before the sound. DV_ECONFIG if the data do not have a word (names the
   nearest), or if no recording of noise is long enough. */
dv_status dv_dataset_open_parts(const dv_data_config *config, dv_dataset *dataset);

/* dv_dataset_open_parts and dv_dataset_extend, for a training. DV_ECONFIG if no clip is left for
   training, or if a moment of one file, under whatever names, is in two parts. DV_EFORMAT if all
   clips are of one class. */
dv_status dv_dataset_prepare(const dv_data_config *config, dv_dataset *dataset);

/* Removes the clips whose files are in the validation or test part of `other`, so that pretraining
   never sees them. *removed becomes their number. DV_ECONFIG if no clip is left for training. */
dv_status dv_dataset_leave_out_tested(dv_dataset *dataset, const dv_dataset *other,
                                      size_t *removed);

/* A hash of the clips' labels, speakers, file names and parts. Neither their sound nor the folder
   counts. */
uint64_t dv_dataset_fingerprint(const dv_dataset *dataset);

/* A hash of the contents of the clips' files and of the files that `noise_paths` lists
   (dv_noise_list; "" for none). `threads` threads read them. Names and times do not count, and a
   file that cannot be read counts as empty. Fails as dv_noise_list does. */
dv_status dv_dataset_sound_fingerprint(const dv_dataset *dataset, const char *noise_paths,
                                       int threads, uint64_t *out);

/* Lists the speakers in natural order; *count is 0 if no clip has one. The caller owns *names
   (*count), the data set owns the texts. DV_ECONFIG if some clips have a speaker and others do
   not. */
dv_status dv_dataset_speakers(const dv_dataset *dataset, const char ***names, size_t *count);

/* Reads, prepares and keeps the sound of all clips, in parallel. The notes are logged as warnings.
   Files that cannot be read are counted and left out, with a warning each. For each kind of
   dv_audio_remark one warning has the number of clips. DV_EFORMAT if no clip is left. DV_ESYSTEM if
   the system cannot read a file (too many open files, a failing disk). */
dv_status dv_dataset_load(dv_dataset *dataset, const dv_frontend *frontend, double max_seconds,
                          const dv_log *log);

/* The mixture of clip and noise; see frontends/noise/noise.h. */
typedef struct dv_noise_mix {
    double snr; /* dB */
    uint64_t seed;
} dv_noise_mix;

/* Deals the noises (borrowed, at least one) out evenly to the clips `indices` (count). Every other
   clip has none afterwards. */
dv_status dv_dataset_give_noises(dv_dataset *dataset, const int64_t *indices, int64_t count,
                                 const dv_noise_files *noises, uint64_t seed);

/* Loads the clips that have a noise again, as dv_dataset_load does, and adds it. The other clips
   stay as they are. A file that can no longer be read is left out. With a NULL `mix` this is
   dv_dataset_load. */
dv_status dv_dataset_load_noisy(dv_dataset *dataset, const dv_frontend *frontend,
                                double max_seconds, const dv_noise_mix *mix, const dv_log *log);

/* dv_fields_shorten_paths for the section `data` and the entries of its `more`. */
void dv_dataset_shorten_paths(dv_tree *data);

/* Whether there are clips in this part. */
bool dv_dataset_has(const dv_dataset *dataset, dv_part part);

/* Counts the clips of each label and part: *counts (label_count, DV_PART_COUNT), owned by the
   caller. */
dv_status dv_dataset_count(const dv_dataset *dataset, size_t **counts);

/* The indices of the clips of one part, in order. The caller owns *indices (*count). */
dv_status dv_dataset_part(const dv_dataset *dataset, dv_part part, int64_t **indices,
                          int64_t *count);

/*
 * Sets class_weights. NULL or `none` stands for no weights. `balanced` makes the weight of a label
 * proportional to the inverse of its number of training clips, with a mean of 1 over these clips;
 * labels without training clips get 1. A list has a weight for each label, in their order, and is
 * scaled to a mean of 1 over the training clips. DV_ECONFIG for anything else, for a list of
 * another length, and for a weight that is not above 0.
 */
dv_status dv_dataset_weigh(dv_dataset *dataset, const dv_tree *weights);

void dv_dataset_free(dv_dataset *dataset);

/* Calls `take` with the path of each clip of a manifest, in its order. The manifest may have no
   labels. The first failure of `take` ends the loop and is returned. DV_EIO. DV_EFORMAT with file
   and line. */
typedef dv_status (*dv_take_path)(void *user, const char *path);
dv_status dv_manifest_paths(const char *path, dv_take_path take, void *user);

#endif
