/* Texts of users: lists "a,b,c", and what may be in a text at all. */
#ifndef DV_CORE_TEXT_H
#define DV_CORE_TEXT_H

#include "engine/core/status.h"

#include <stdbool.h>

/* Calls `item` with each part of `list` between its commas, in order, empty parts too, up to the
   first failure, which it returns. A part is a copy that `item` may change and not keep. */
dv_status dv__each_item(const char *list, dv_status (*item)(void *user, char *part), void *user);

/* Whether a text is UTF-8 (RFC 3629, section 4), as YAML and JSON must be. Names of files may be
   anything. */
bool dv_is_utf8(const char *text);

/* Names and labels go into messages, tables and onto terminals: control characters (below 0x20, and
   0x7F) have no place in them. */
bool dv_has_control_character(const char *text);

#endif
