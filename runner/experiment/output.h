/*
 * The one place that decides whether a command may write the file that its command line names.
 *
 * An output never replaces a file that the command reads, a sound file, or the state of a run:
 * files of a run's folder (run_folder.h), any config.yaml, any checkpoint with a training's state.
 * Another existing file is replaced if it is a regular file that begins as this kind of output
 * does, so that a command can be repeated. Any other file needs --force.
 *
 * Sound files are written into folders. Their metadata name decavox, and no sound is written into a
 * folder that holds sounds without this mark.
 */
#ifndef DV_EXPERIMENT_OUTPUT_H
#define DV_EXPERIMENT_OUTPUT_H

#include "engine/base/field.h"
#include "frontends/audio/audio.h"

typedef enum dv_output_kind {
    DV_OUTPUT_JSON,
    DV_OUTPUT_HTML,
    DV_OUTPUT_SVG,
    DV_OUTPUT_CSV,      /* table of `compare` as CSV */
    DV_OUTPUT_TABLE,    /* table of `compare` as text */
    DV_OUTPUT_ADVICE,   /* recommendation of `recommend` as text */
    DV_OUTPUT_DOT,      /* graph of a model */
    DV_OUTPUT_STEP_DOT, /* recorded step of a device */
    DV_OUTPUT_WEIGHTS,  /* checkpoint without a training's state */
    DV_OUTPUT_PROGRAM,  /* model for another runtime */
    DV_OUTPUT_LABELS,   /* labels of a model, for sherpa-onnx */
    DV_OUTPUT_ROWS,     /* answers to files, one row per file */
    DV_OUTPUT_KINDS
} dv_output_kind;

/* One output. The texts are borrowed. */
typedef struct dv_output {
    const char *option; /* for messages, for example "--out" */
    const char *path;   /* empty if the output is not wanted */
    dv_output_kind kind;
} dv_output;

typedef struct dv_outputs {
    dv_output list[2];
    size_t count;
    bool force;               /* --force was given */
    const char *force_option; /* name of this option in messages; NULL is "--force" */
    const char *run;          /* folder of the run that the command makes; NULL or empty if none */
    bool reports; /* the report.html of a run may be replaced, for it is a report, too */
} dv_outputs;

/* The folder of all entries in the archive of a DV_OUTPUT_PROGRAM. */
#define DV_OUTPUT_ARCHIVE "decavox/"

/* The option --force of all commands that write such files. */
#define DV_OUTPUT_FORCE(type)                                                                      \
    DV_BOOL(type, force, "false",                                                                  \
            "replace a file that decavox did not write as this output; inputs, sound files and a " \
            "run's state are never replaced")

/* Whether two existing paths lead to the same file or folder, for example through a link. */
bool dv_same_file(const char *path, const char *other);

/* Whether the file begins as an output of this kind does. An empty file counts as rows. */
bool dv_output_is_ours(const char *path, dv_output_kind kind);

/* Checks the paths of the outputs before the work begins. Returns DV_EARG if a path is part of a
   run's state or a sound file, or if two outputs share a file; DV_EIO if the file is not replaced,
   or only with --force. */
dv_status dv_outputs_check(const dv_outputs *outputs);

/* Returns DV_EARG if an output would replace an input. `text` names a file, or several separated by
   commas, each of them possibly behind a prefix and '='. `what` describes the input in the message,
   for example "the checkpoint". */
dv_status dv_outputs_spare(const dv_outputs *outputs, const char *what, const char *text);

/* Like dv_outputs_spare, for all files that a configuration was read from and that its values name.
   `tree` may be NULL. */
dv_status dv_outputs_spare_tree(const dv_outputs *outputs, const dv_tree *tree);

/* Checks that sounds may be written into the folder, which need not exist. Returns DV_EARG if the
   folder or a folder in it holds a sound file that decavox did not make, and names the file; DV_EIO
   if the folder cannot be read. */
dv_status dv_output_check_sounds(const char *folder);

/* Writes a WAV file with decavox's mark, completely or not at all. Returns DV_EARG or DV_EIO, as
   dv_audio_write_wav does. */
dv_status dv_output_write_sound(const char *path, const dv_audio *audio);

#endif
