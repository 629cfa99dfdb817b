/* An experiment: a configuration file with all its sections, read and checked. */
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
    dv_tree *tree;           /* the resolved configuration: every field of every section; owned */
    const dv_tree *model;    /* its section `model`: name and layers */
    const dv_tree *pretrain; /* its section `pretrain`, or NULL: see dv_experiment_pretraining */
    dv_features_resolved resolved; /* what its files say of the features; nothing where there are
                                      none */
    dv_tree *files; /* as it was read, each node with the file that it came from; owned; NULL: it
                       was read from none */
} dv_experiment;

/*
 * Reads `path` and lays `overrides` over it (NULL: none). A file with the key `base` is laid over
 * the file, or the files in their order, that this names, beside it. `model` is a map with name and
 * layers, or the name of a file models/NAME.yaml beside the configuration or among the installed
 * ones.
 * DV_EIO, DV_ECONFIG with file and line. Free with dv_experiment_free; zeroed on failure.
 */
dv_status dv_experiment_read(const char *path, const dv_tree *overrides, dv_experiment *out);

/* The same from a resolved configuration, as a checkpoint holds it. */
dv_status dv_experiment_restore(const dv_tree *resolved, dv_experiment *out);

/* The sections alone, of settings that need be no whole configuration: there is no model. */
dv_status dv_experiment_without_model(const dv_tree *settings, dv_experiment *out);

/*
 * The training that comes before: this one with what the section `pretrain` says of data, augment
 * and train laid over it. It freezes nothing, and has no teacher, unless it says so itself. Free
 * with dv_experiment_free.
 */
dv_status dv_experiment_pretraining(const dv_experiment *experiment, dv_experiment *out);

/* Sets train.init_from or train.teacher, in the resolved configuration too. DV_EARG: too long. */
dv_status dv_experiment_set_files(dv_experiment *experiment, const char *key, const char *files);

/* Shortens every path of a resolved configuration to the names of files and folders: what leaves
   the machine does not tell where its data lie there. */
void dv_experiment_shorten_paths(dv_tree *resolved);

/* A copy with shortened paths; *out is owned by the caller. */
dv_status dv_experiment_copy_to_leave(const dv_tree *resolved, dv_tree **out);

/* What the data of the experiment are looked at for. */
dv_look_config dv_experiment_look(const dv_experiment *experiment);

void dv_experiment_free(dv_experiment *experiment);

/* The model's name, "model" where it has none. */
const char *dv_experiment_model_name(const dv_experiment *experiment);

/* The sections and their tables; NULL ends the list. */
typedef struct dv_section {
    const char *name;
    const dv_field *fields;
    size_t offset; /* of the section's record in dv_experiment */
} dv_section;
extern const dv_section dv_sections[];

/* The keys of a configuration beside these sections: base, model, pretrain. For the help alone. */
extern const dv_field dv_experiment_keys[];

/* The field at a path, "train.epochs" or "pretrain.train.epochs", or NULL where the tables of the
   sections have none: for dv_options. */
const dv_field *dv_experiment_field(const char *path);

#endif
