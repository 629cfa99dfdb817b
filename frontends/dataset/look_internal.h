/* Shared by the files that look at data. */
#ifndef DV_DATASET_LOOK_INTERNAL_H
#define DV_DATASET_LOOK_INTERNAL_H

#include "frontends/dataset/dataset_internal.h"
#include "frontends/dataset/look.h"

/* What a finding is made from. */
typedef struct dv__looker {
    const dv_dataset *dataset;
    const dv_look_config *config;
    dv_look *look;
} dv__looker;

/* Adds a finding without examples. */
dv_status dv__find(const dv__looker *looker, dv_finding_kind kind, size_t count, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* "'a'", "'a' and 'b'", "'a', 'b' and 3 more"; count: of all of them, of which the first ones are
   given. */
void dv__write_names(const char *const *names, size_t count, char *text, size_t size);

/* Clips, of which the first ones are kept. */
typedef struct dv__clip_list {
    size_t count;
    size_t first[DV_FINDING_EXAMPLES];
} dv__clip_list;
void dv__clip_list_add(dv__clip_list *list, size_t clip);

enum { DV__NAMES_SIZE = 700 };
/* The clips' paths as dv__write_names. */
void dv__write_clips(const dv__looker *looker, const dv__clip_list *clips,
                     char text[DV__NAMES_SIZE]);

/* Gives the finding that was added last its examples. */
void dv__set_examples(const dv__looker *looker, const dv__clip_list *clips);

/* Whether no sample of the file reaches -60 dB. */
bool dv__is_silent(const dv_clip *clip);

/*
 * A text that labels which look alike have in common, owned by the caller: in it letters of ASCII
 * are small, and the letters with a mark of Latin-1 and Latin Extended-A (U+00C0 to U+017F) are
 * decomposed into letter and combining mark, as by NFD. So 'Ja' and 'ja' are alike, and two forms
 * of one accented letter; a letter with and one without an accent are not. Not seen are the
 * capitals of other scripts and of letters that have no decomposition, as the ligature U+00C6, and
 * the two forms of letters beyond U+017F, as those of Vietnamese and of Hangul.
 */
dv_status dv__label_key(const char *label, char **key);

/* Findings of labels that are alike, and of sounds that are there under several names. */
dv_status dv__find_alike(const dv__looker *looker);
dv_status dv__find_same(const dv__looker *looker);

#endif
