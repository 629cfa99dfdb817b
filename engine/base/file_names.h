/* The names of the files in some folders, to offer them when a name does not exist. */
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

/* Adds the names of the folders in `folder` that have the file `file` ("model.safetensors"), as
   dv_file_names_add does. */
dv_status dv_file_names_add_folders(const char *folder, const char *file, dv_file_names *names);

/* Writes "lightweight, mini". A longer text is cut. */
void dv_file_names_list(const dv_file_names *names, char text[DV_FILE_NAMES_SIZE]);

/* Writes "; did you mean 'mini'? There are lightweight, mini". The question is there only if a name
   is near `wrong`. Without names the text is "". */
void dv_file_names_offer(const dv_file_names *names, const char *wrong,
                         char text[DV_FILE_NAMES_SIZE]);

void dv_file_names_free(dv_file_names *names);

#endif
