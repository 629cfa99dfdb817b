/* Joins paths and orders names. */
#ifndef DV_BASE_PATH_H
#define DV_BASE_PATH_H

#include "engine/base/status.h"

/* Makes "folder/name", owned by the caller. An empty `folder` gives the name alone. */
dv_status dv_join(const char *folder, const char *name, char **out);

/* Compares names by bytes, but runs of digits by value. Returns 0 only if strcmp does. */
int dv_natural_order(const char *a, const char *b);
int dv_by_name(const void *a, const void *b); /* the same for char *, in qsort and bsearch */

#endif
