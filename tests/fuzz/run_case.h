/* A configuration put through all that a user does with it, on "cpu" and on "ref". */
#ifndef DV_TESTS_FUZZ_RUN_CASE_H
#define DV_TESTS_FUZZ_RUN_CASE_H

#include "engine/base/tree.h"

typedef enum case_outcome {
    CASE_PASSED,
    CASE_REFUSED,  /* a status and a message */
    CASE_DIVERGED, /* trained to weights or answers that are not finite, and said so */
    CASE_FOUND,    /* something is wrong: `text` says what */
    CASE_OUTCOMES
} case_outcome;

enum { CASE_TEXT_SIZE = 800 };

/*
 * Trains two steps on a few tones, writes a checkpoint into `folder` and predicts from it; `text`
 * says why it was refused, or what was found. Whatever kills the program is for the caller to see.
 */
case_outcome run_case(const dv_tree *tree, const char *folder, char text[CASE_TEXT_SIZE]);

#endif
