/* Computes an exported file in the runtime that it is for, where that is installed, and compares
   the answers with decavox's own. */
#ifndef DV_EXPORT_VERIFY_H
#define DV_EXPORT_VERIFY_H

#include "runner/export/export.h"

enum { DV_VERIFY_RUNTIME_SIZE = 64 };

typedef struct dv_verification {
    char runtime[DV_VERIFY_RUNTIME_SIZE]; /* "ONNX Runtime 1.32.0" */
    size_t sounds, same_word;
    double difference; /* largest of a probability */
} dv_verification;

/*
 * Answers sounds with the model and with the file that was exported from it with these options, by
 * a Python program that is started with `python` (a path, or a name that PATH finds). The sounds
 * are up to 100 of those in the folder `data`, or, where that is NULL, 20 noises of 0.1 to 2 s.
 *
 * DV_EUNSUPPORTED: Python has no such runtime. DV_ENUMERIC: a word is another one, or a probability
 * differs by more than 1e-3, with FP16 2e-2; *out then tells how many and how much. DV_EIO: Python
 * cannot be started, or the runtime refuses the file.
 */
dv_status dv_export_verify(dv_model *model, const dv_export_options *options, const char *path,
                           const char *python, const char *data, dv_verification *out);

#endif
