/* Shared by the files that look at data. */
#ifndef DV_DATASET_LOOK_INTERNAL_H
#define DV_DATASET_LOOK_INTERNAL_H

#include "frontends/dataset/dataset_internal.h"
#include "frontends/dataset/look.h"

/* The input and the output of the functions that look. */
typedef struct dv__looker {
    const dv_dataset *dataset;
    const dv_look_config *config;
    dv_look *look;
} dv__looker;

/* Adds a finding without examples. */
dv_status dv__find(const dv__looker *looker, dv_finding_kind kind, size_t count, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* Writes "'a'", "'a' and 'b'" or "'a', 'b' and 3 more". `count` is the number of all names; only
   the first DV_FINDING_EXAMPLES are read. */
void dv__write_names(const char *const *names, size_t count, char *text, size_t size);

/* The number of clips, and the first of them. */
typedef struct dv__clip_list {
    size_t count;
    size_t first[DV_FINDING_EXAMPLES];
} dv__clip_list;
void dv__clip_list_add(dv__clip_list *list, size_t clip);

enum { DV__NAMES_SIZE = 700 };
/* dv__write_names for the paths of the clips. */
void dv__write_clips(const dv__looker *looker, const dv__clip_list *clips,
                     char text[DV__NAMES_SIZE]);

/* Sets the examples of the finding that was added last. */
void dv__set_examples(const dv__looker *looker, const dv__clip_list *clips);

/* Whether no sample of the file reaches -60 dB. */
bool dv__is_silent(const dv_clip *clip);

/*
 * A text that is the same for labels that look alike. The caller owns *key. Letters of ASCII become
 * small. Letters of Latin-1 and Latin Extended-A with a mark (U+00C0 to U+017F) are decomposed into
 * letter and combining mark, as by NFD. So 'Ja' and 'ja' are alike, and so are two forms of one
 * accented letter, but not a letter with and one without an accent. Capitals of other scripts and
 * of letters without a decomposition, such as the ligature U+00C6, stay different from their small
 * letters, and so do the two forms of letters beyond U+017F, such as Vietnamese and Hangul.
 */
dv_status dv__label_key(const char *label, char **key);

/* Find labels that are alike, and sounds that are there under several names. */
dv_status dv__find_alike(const dv__looker *looker);
dv_status dv__find_same(const dv__looker *looker);

#endif
