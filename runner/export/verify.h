/* Computes an exported file in the runtime that it is for, where that is installed, and compares
   the answers with decavox's own. */
#ifndef DV_EXPORT_VERIFY_H
#define DV_EXPORT_VERIFY_H

#include "runner/export/export.h"

enum { DV_VERIFY_RUNTIME_SIZE = 64 };

/* Sounds to verify with. */
typedef struct dv_verify_sounds {
    char **paths; /* (count), owned; none: noises are made */
    size_t count, capacity;
} dv_verify_sounds;

/* Up to 100 of the sound files in a folder and in those below it, evenly over all. Links to folders
   are not followed. DV_EIO: it cannot be read, or there are none. Free with dv_verify_sounds_free,
   on failure too. */
dv_status dv_verify_sounds_find(const char *folder, dv_verify_sounds *out);
void dv_verify_sounds_free(dv_verify_sounds *sounds);

typedef struct dv_verification {
    char runtime[DV_VERIFY_RUNTIME_SIZE]; /* "ONNX Runtime 1.32.0" */
    size_t sounds, same_word;
    size_t left_out;   /* files that cannot be read */
    double difference; /* largest of a probability */
} dv_verification;

/*
 * Answers sounds with the model and with the file that was exported from it as `wanted` says, by
 * a Python program that is started with `python` (a path, or a name that PATH finds). Without
 * sounds it answers 20 noises of 0.1 to 2 s.
 *
 * DV_EUNSUPPORTED: Python has no such runtime. DV_ENUMERIC: a word is another one, or a probability
 * differs by more than 1e-3, with FP16 2e-2; *out then tells how many and how much. DV_EIO: no
 * sound can be read, Python cannot be started, or the runtime refuses the file.
 */
dv_status dv_export_verify(dv_model *model, const dv_export_wanted *wanted, const char *path,
                           const char *python, const dv_verify_sounds *sounds,
                           dv_verification *out);

#endif
