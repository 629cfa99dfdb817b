/* Trains, saves and predicts with a configuration, on "cpu" and on "ref". */
#ifndef DV_TESTS_FUZZ_RUN_CASE_H
#define DV_TESTS_FUZZ_RUN_CASE_H

#include "engine/base/tree.h"

typedef enum case_outcome {
    CASE_PASSED,
    CASE_REFUSED,  /* refused with a status and a message */
    CASE_DIVERGED, /* trained to weights or answers that are not finite, and said so */
    CASE_FOUND,    /* a fault was found; `text` describes it */
    CASE_OUTCOMES
} case_outcome;

enum { CASE_TEXT_SIZE = 800 };

/*
 * Trains two steps on a few tones, writes a checkpoint into `folder` and predicts from it. `text`
 * says why the case was refused, or what was found. A crash is for the caller to notice.
 */
case_outcome run_case(const dv_tree *tree, const char *folder, char text[CASE_TEXT_SIZE]);

#endif
