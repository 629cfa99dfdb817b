/*
 * Draws random configurations that the program accepts. The field tables are the only source, so a
 * new key of a table is drawn like all others. A case is a function of its seed.
 */
#ifndef DV_TESTS_FUZZ_DRAW_H
#define DV_TESTS_FUZZ_DRAW_H

#include "engine/core/tensor.h"
#include "runner/experiment/experiment.h"

/* Random numbers: SplitMix64 (Steele et al. 2014). */
typedef struct draw {
    uint64_t state;
} draw;

uint64_t draw_below(draw *numbers, uint64_t limit); /* 0 .. limit - 1 */
double draw_share(draw *numbers);                   /* uniform in [0, 1) */
bool draw_chance(draw *numbers, double probability);

/* Sizes that are related to the value. One whole number in four is one of these or near one. */
typedef struct draw_hints {
    int64_t values[32];
    size_t count;
} draw_hints;

/* Draws a value within the field's own range, mostly a small one. The caller owns it. NULL for a
   text or tree that draw_knows does not know. */
dv_tree *draw_value(draw *numbers, const dv_field *field, const draw_hints *hints);
bool draw_knows(const dv_field *field);

/* Draws a whole configuration within the limits below. The caller owns it. */
enum { FUZZ_CLASSES = 3 };
dv_tree *draw_case(uint64_t seed);

/* Limits of a case. The tables allow a million epochs and 60 s at 192 kHz, but a case must end
   within a second of a sanitized build. */
enum {
    FUZZ_MAX_SAMPLES = 40000,     /* samples of a window */
    FUZZ_MAX_CELLS = 20000,       /* values of a clip's features; all transforms may have 16 times
                                     as many */
    FUZZ_MAX_PARAMETERS = 300000, /* parameters of the model */
    FUZZ_MAX_VALUES = 200000,     /* values of all nodes for one clip */
    FUZZ_MAX_MACS = 6000000,      /* multiply-adds for one clip */
};

/* Whether the program accepts the sections features and model, and both stay within the limits for
   that number of classes. Nothing is computed. Unless `body` is NULL, *body is set to the shape of
   the input of the layer "tail". */
bool fuzz_affords(const dv_features_config *features, const dv_tree *model, int64_t classes,
                  dv_shape *body);

/* Ends the program with a message if the status is a failure of the fuzzer itself. */
void fuzz_must(dv_status status);

#endif
