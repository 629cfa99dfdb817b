/* Runs an exported file in its runtime, if that is installed, and compares the answers with those
   of decavox. */
#ifndef DV_EXPORT_VERIFY_H
#define DV_EXPORT_VERIFY_H

#include "runner/export/export.h"

enum { DV_VERIFY_RUNTIME_SIZE = 64 };

/* The sounds of a verification. */
typedef struct dv_verify_sounds {
    char **paths; /* (count), owned; generated noises are used if there are none */
    size_t count, capacity;
} dv_verify_sounds;

/* Finds up to 100 sound files in a folder and the folders below it, evenly spaced over all of them.
   Links to folders are not followed. Returns DV_EIO if the folder cannot be read or has no sounds.
   Free *out with dv_verify_sounds_free, also after a failure. */
dv_status dv_verify_sounds_find(const char *folder, dv_verify_sounds *out);
void dv_verify_sounds_free(dv_verify_sounds *sounds);

typedef struct dv_verification {
    char runtime[DV_VERIFY_RUNTIME_SIZE]; /* "ONNX Runtime 1.32.0" */
    size_t sounds, same_word;
    size_t left_out;   /* files that cannot be read */
    double difference; /* largest difference of a probability */
} dv_verification;

/*
 * Answers sounds with the model and with the file `path`, which was exported from it as `wanted`
 * says. A Python program, started with `python` (a path, or a name in $PATH), runs the file.
 * Without sounds, 20 generated noises of 0.1 to 2 s are used.
 *
 * Returns DV_EUNSUPPORTED if Python lacks the runtime; DV_ENUMERIC if a word differs, or a
 * probability by more than 1e-3 (2e-2 in FP16), and *out then has the figures; DV_EIO if no sound
 * can be read, Python cannot be started, or the runtime refuses the file.
 */
dv_status dv_export_verify(dv_model *model, const dv_export_wanted *wanted, const char *path,
                           const char *python, const dv_verify_sounds *sounds,
                           dv_verification *out);

#endif
