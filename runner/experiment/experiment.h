/* An experiment: a configuration file, read and checked, with all its sections. */
#ifndef DV_EXPERIMENT_H
#define DV_EXPERIMENT_H

#include "engine/train/trainer.h"
#include "frontends/augment/augment.h"
#include "frontends/dataset/look.h"

typedef struct dv_experiment {
    dv_data_config data;
    dv_features_config features;
    dv_augment_config augment;
    dv_train_config train;
    dv_tree *tree;           /* resolved configuration with every field of every section; owned */
    const dv_tree *model;    /* section `model` of `tree`: name and layers */
    const dv_tree *pretrain; /* section `pretrain` of `tree`, see dv_experiment_pretraining; NULL if
                                there is none */
    dv_features_resolved resolved; /* result of dv_features_resolve on the files; zero if there are
                                      no files */
    dv_tree *files; /* configuration as it was read, in which each node knows its file; owned; NULL
                       if the experiment was not read from files */
} dv_experiment;

/*
 * Reads the configuration `path` and applies `overrides`, which may be NULL. The key `base` of a
 * file names a file beside it, or a list of them; the file overrides these, and each file of a list
 * overrides those before it. `model` is a map with name and layers, or the name of a file
 * models/NAME.yaml beside the configuration or among decavox's own. Returns DV_EIO, or DV_ECONFIG
 * with file and line. Free the result with dv_experiment_free; it is zero on failure.
 */
dv_status dv_experiment_read(const char *path, const dv_tree *overrides, dv_experiment *out);

/* Like dv_experiment_read, from a resolved configuration, as a checkpoint holds it. */
dv_status dv_experiment_restore(const dv_tree *resolved, dv_experiment *out);

/* Reads the sections without the model, from settings that need not be a complete configuration. */
dv_status dv_experiment_without_model(const dv_tree *settings, dv_experiment *out);

/*
 * Makes the experiment of the pretraining: this one, overridden by the keys of data, augment and
 * train in the section `pretrain`. It does not inherit train.freeze or train.teacher. Free it with
 * dv_experiment_free.
 */
dv_status dv_experiment_pretraining(const dv_experiment *experiment, dv_experiment *out);

/* Sets train.init_from or train.teacher, also in the resolved configuration. Returns DV_EARG if
   `files` is too long. */
dv_status dv_experiment_set_files(dv_experiment *experiment, const char *key, const char *files);

/* Shortens every path of a resolved configuration to the name of its file or folder, so that an
   exported configuration does not reveal the folders of this machine. */
void dv_experiment_shorten_paths(dv_tree *resolved);

/* Copies a resolved configuration with its paths shortened. The caller owns *out. */
dv_status dv_experiment_copy_to_leave(const dv_tree *resolved, dv_tree **out);

/* The parameters for the checks of the experiment's data. */
dv_look_config dv_experiment_look(const dv_experiment *experiment);

void dv_experiment_free(dv_experiment *experiment);

/* The name of the model, or "model" if it has none. */
const char *dv_experiment_model_name(const dv_experiment *experiment);

/* The sections and their tables of fields. An entry with the name NULL ends the list. */
typedef struct dv_section {
    const char *name;
    const dv_field *fields;
    size_t offset; /* offset of the section's record in dv_experiment */
} dv_section;
extern const dv_section dv_sections[];

/* The keys of a configuration beside these sections: base, model, pretrain. For the help alone. */
extern const dv_field dv_experiment_keys[];

/* The field at a path such as "train.epochs" or "pretrain.train.epochs", or NULL if the sections
   have no such field. */
const dv_field *dv_experiment_field(const char *path);

#endif
