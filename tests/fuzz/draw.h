/*
 * Random configurations that the program accepts, made of the field tables alone: a key that is new
 * in a table is drawn as all others are. A case is a function of its seed.
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
double draw_share(draw *numbers);                   /* [0, 1) */
bool draw_chance(draw *numbers, double probability);

/* Sizes that go with the value: a number is one of these, or near one, in one draw of four. */
typedef struct draw_hints {
    int64_t values[32];
    size_t count;
} draw_hints;

/* A value within the field's own range, mostly small; NULL for a text or tree of which nothing is
   known (draw_knows). *out owned by the caller. */
dv_tree *draw_value(draw *numbers, const dv_field *field, const draw_hints *hints);
bool draw_knows(const dv_field *field);

/* A whole configuration, owned by the caller, that can be afforded. */
enum { FUZZ_CLASSES = 3 };
dv_tree *draw_case(uint64_t seed);

/* What a case may cost. The tables allow epochs of a million and 60 s of 192 kHz; a case must end
   in a second of a sanitized build. */
enum {
    FUZZ_MAX_SAMPLES = 40000,     /* of a window */
    FUZZ_MAX_CELLS = 20000,       /* of a clip's features, and of all transforms 16 times that */
    FUZZ_MAX_PARAMETERS = 300000, /* of the model */
    FUZZ_MAX_VALUES = 200000,     /* of all nodes for one clip */
    FUZZ_MAX_MACS = 6000000,      /* for one clip */
};

/* Whether the program takes the configuration, and its features and its model for so many classes
   can be afforded; nothing is computed, and only the sections features and model are looked at.
   *body, unless NULL: the shape of what the layer "tail" takes. */
bool fuzz_affords(const dv_features_config *features, const dv_tree *model, int64_t classes,
                  dv_shape *body);

/* Ends the program where the fuzzer itself cannot go on. */
void fuzz_must(dv_status status);

#endif
