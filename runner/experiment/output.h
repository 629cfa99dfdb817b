/*
 * Whether a command may write the file that its command line names: the one place that decides it.
 *
 * An output never replaces a file that the command reads, a sound file, or the state of a run:
 * files of a run's folder (run_folder.h), any config.yaml, any checkpoint that a training can go on
 * from. Any other file that exists is replaced where it is a regular file that begins as this
 * output begins, so that a command may be given again. All else needs --force.
 *
 * Sound files are written into folders. Those that are written here say so in their own metadata;
 * no sound is written into a folder that holds others.
 */
#ifndef DV_EXPERIMENT_OUTPUT_H
#define DV_EXPERIMENT_OUTPUT_H

#include "engine/base/field.h"
#include "frontends/audio/audio.h"

typedef enum dv_output_kind {
    DV_OUTPUT_JSON,
    DV_OUTPUT_HTML,
    DV_OUTPUT_SVG,
    DV_OUTPUT_CSV,      /* of `compare` */
    DV_OUTPUT_TABLE,    /* of `compare` */
    DV_OUTPUT_ADVICE,   /* of `recommend`, as text */
    DV_OUTPUT_DOT,      /* the graph of a model */
    DV_OUTPUT_STEP_DOT, /* the recorded step of a device */
    DV_OUTPUT_WEIGHTS,  /* a checkpoint without a training's state */
    DV_OUTPUT_PROGRAM,  /* a model for another runtime */
    DV_OUTPUT_LABELS,   /* the words of a model, for sherpa-onnx */
    DV_OUTPUT_ROWS,     /* answers to files, a row each */
    DV_OUTPUT_KINDS
} dv_output_kind;

/* All borrowed. */
typedef struct dv_output {
    const char *option; /* "--out" */
    const char *path;   /* "": is not asked for */
    dv_output_kind kind;
} dv_output;

typedef struct dv_outputs {
    dv_output list[2];
    size_t count;
    bool force;               /* may replace what is neither an input nor a run's state */
    const char *force_option; /* what a message calls that; NULL: "--force" */
    const char *run;          /* folder of the run that the command makes; NULL or "": none */
} dv_outputs;

/* The folder that all entries of the archives of a DV_OUTPUT_PROGRAM lie in. */
#define DV_OUTPUT_ARCHIVE "decavox/"

/* The option of all commands that write such files. */
#define DV_OUTPUT_FORCE(type)                                                                      \
    DV_BOOL(type, force, "false",                                                                  \
            "replace a file that decavox did not write as this output; inputs, sound files and a " \
            "run's state are never replaced")

/* Whether two paths that are there lead to one file or folder: a link, a path with dots. */
bool dv_same_file(const char *path, const char *other);

/* Whether the file begins as an output of this kind; of rows there may be none. */
bool dv_output_is_ours(const char *path, dv_output_kind kind);

/* Looks at what is there under the outputs' names, before the work. DV_EARG: a run's state, or one
   file for two outputs. DV_EIO: a file that is not replaced, or only with --force. */
dv_status dv_outputs_check(const dv_outputs *outputs);

/* DV_EARG where an output would replace an input: the file that `text` names, or one of several
   with commas between, also behind a prefix and '='. `what` is said of it: "the checkpoint". */
dv_status dv_outputs_spare(const dv_outputs *outputs, const char *what, const char *text);

/* The same of all files that a configuration was read from, and that its texts name; NULL is
   allowed. */
dv_status dv_outputs_spare_tree(const dv_outputs *outputs, const dv_tree *tree);

/* Whether sounds may be written into the folder, which need not be there. DV_EARG: it, or a folder
   in it, holds a sound file that decavox did not make, named. DV_EIO: it cannot be read. */
dv_status dv_output_check_sounds(const char *folder);

/* Writes a WAV file, whole or not at all, that dv_output_check_sounds knows again. DV_EARG, DV_EIO
   as dv_audio_write_wav. */
dv_status dv_output_write_sound(const char *path, const dv_audio *audio);

#endif
