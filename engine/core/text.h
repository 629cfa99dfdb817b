/* Lists that a user writes in one text: "a,b,c". */
#ifndef DV_CORE_TEXT_H
#define DV_CORE_TEXT_H

#include "engine/core/status.h"

/* Calls `item` with each part of `list` between its commas, in order, empty parts too, up to the
   first failure, which it returns. A part is a copy that `item` may change and not keep. */
dv_status dv__each_item(const char *list, dv_status (*item)(void *user, char *part), void *user);

#endif
