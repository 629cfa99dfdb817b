/* The names that files in some folders have, for the message that there is none of a given name. */
#ifndef DV_BASE_FILE_NAMES_H
#define DV_BASE_FILE_NAMES_H

#include "engine/base/status.h"

typedef struct dv_file_names {
    char **list; /* (count) owned, in natural order, each once */
    size_t count, capacity;
} dv_file_names;

/* Adds the names of the files in `folder` that end in `ending` (".yaml"), without it. A folder that
   cannot be read adds none. On failure too, free with dv_file_names_free. */
dv_status dv_file_names_add(const char *folder, const char *ending, dv_file_names *names);

enum { DV_FILE_NAMES_SIZE = 800 };

/* "; did you mean 'mini'? There are: lightweight, mini", the question only where a name is near
   `wrong`; the empty text where there are no names. */
void dv_file_names_offer(const dv_file_names *names, const char *wrong,
                         char text[DV_FILE_NAMES_SIZE]);

void dv_file_names_free(dv_file_names *names);

#endif
