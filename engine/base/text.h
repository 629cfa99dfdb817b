/* Texts of users: lists such as "a,b,c", UTF-8, and display without control characters. */
#ifndef DV_BASE_TEXT_H
#define DV_BASE_TEXT_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stdio.h>

/* Calls `item` with each comma-separated part of `list` in order, empty parts included. Returns the
   first failure. A part is a copy that `item` may change but not keep. */
dv_status dv_each_item(const char *list, dv_status (*item)(void *user, char *part), void *user);

/* Collects the output of `write` as a text of *size bytes and a NUL. The caller owns *text, which
   is NULL on failure. Fails with DV_ENOMEM. */
dv_status dv_text_of(void (*write)(const void *user, FILE *out), const void *user, char **text,
                     size_t *size);

/* Whether `text` ends with `ending`, in capitals or not, and has something before it, as "a.ONNX"
   does for ".onnx". */
bool dv_ends_with(const char *text, const char *ending);

/* The ending of a noun after a number: "" for 1, else "s". */
const char *dv_plural(size_t count);

/* Whether a text is UTF-8 (RFC 3629, section 4), as YAML and JSON must be. Names of files may be
   anything. */
bool dv_is_utf8(const char *text);

/* Makes a copy, owned by the caller, in which each byte that is not UTF-8 is written as \xNN. */
dv_status dv_utf8_of(const char *text, char **out);

/* Whether a text has a character that must not reach messages, tables and terminals: a control
   character (U+0000 to U+001F, U+007F to U+009F), or one that ends a line or changes its direction
   (U+2028 to U+202E, U+2066 to U+2069). Bytes that are not UTF-8 do not count. Labels and names of
   layers are checked with it. */
bool dv_has_control_character(const char *text);

/*
 * Makes a user's text safe to display: one line without commands to a terminal. Each byte of a
 * control character (see above), and each byte that is not UTF-8, becomes \xNN. A text that does
 * not fit is cut between characters. `text` and `shown` (size) do not overlap.
 */
void dv_text_show(const char *text, char *shown, size_t size);

/* The same as a value, for arguments of printf: `dv_show(path).text` lives until the end of the
   statement. */
enum { DV_SHOWN_SIZE = 4096 };
typedef struct dv_shown {
    char text[DV_SHOWN_SIZE];
} dv_shown;
dv_shown dv_show(const char *text);

#endif
