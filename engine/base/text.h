/* Texts of users: lists "a,b,c", and what may be in a text at all. */
#ifndef DV_BASE_TEXT_H
#define DV_BASE_TEXT_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stdio.h>

/* Calls `item` with each part of `list` between its commas, in order, empty parts too, up to the
   first failure, which it returns. A part is a copy that `item` may change and not keep. */
dv_status dv_each_item(const char *list, dv_status (*item)(void *user, char *part), void *user);

/* What `write` writes, as a text of *size bytes and a NUL; *text is owned by the caller, and NULL
   on failure. DV_ENOMEM. */
dv_status dv_text_of(void (*write)(const void *user, FILE *out), const void *user, char **text,
                     size_t *size);

/* Whether there is something in `text`, and `ending` behind it, in capitals or not: "a.ONNX" and
   ".onnx". */
bool dv_ends_with(const char *text, const char *ending);

/* The end of a noun behind a number: "" for 1, else "s". */
const char *dv_plural(size_t count);

/* Whether a text is UTF-8 (RFC 3629, section 4), as YAML and JSON must be. Names of files may be
   anything. */
bool dv_is_utf8(const char *text);

/* A copy, owned by the caller, in which each byte that is no UTF-8 is written as \xNN. */
dv_status dv_utf8_of(const char *text, char **out);

/* Labels and names of layers go into messages, tables and onto terminals: control characters have
   no place in them (U+0000 to U+001F, U+007F to U+009F), nor have those that end a line or turn its
   direction (U+2028 to U+202E, U+2066 to U+2069). Bytes that are no UTF-8 are none of these. */
bool dv_has_control_character(const char *text);

/*
 * A text of a user's as people are shown it: one line that tells a terminal nothing. Each byte of a
 * control character, as above, and each that is no UTF-8 becomes \xNN. What does not fit is cut
 * off, no character in the middle. `text` and `shown` (size) do not overlap.
 */
void dv_text_show(const char *text, char *shown, size_t size);

/* The same for an argument of printf: `dv_show(path).text` lives as long as the statement. */
enum { DV_SHOWN_SIZE = 4096 };
typedef struct dv_shown {
    char text[DV_SHOWN_SIZE];
} dv_shown;
dv_shown dv_show(const char *text);

#endif
