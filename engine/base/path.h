/* Paths and the order of names. */
#ifndef DV_BASE_PATH_H
#define DV_BASE_PATH_H

#include "engine/base/status.h"

/* "folder/name", owned by the caller; `folder` "" gives the name alone. */
dv_status dv_join(const char *folder, const char *name, char **out);

/* Order of names: bytes, but runs of digits by value; equal only where strcmp is. */
int dv_natural_order(const char *a, const char *b);
int dv_by_name(const void *a, const void *b); /* the same of two char *, for qsort and bsearch */

#endif
