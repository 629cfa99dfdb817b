/* Folders: made where they are missing, and where those of the user lie. */
#ifndef DV_BASE_FOLDER_H
#define DV_BASE_FOLDER_H

#include "engine/base/status.h"

#include <stdbool.h>

/* Makes a folder and its parents, where they are missing. DV_EIO. */
dv_status dv_make_folders(const char *path);

/* Makes a folder that was not there, and its parents: `path` (of `size` bytes) or, where the name
   is taken, the first free one of path-2, path-3, ..., which `path` becomes. DV_EIO, DV_EARG. */
dv_status dv_make_new_folder(char *path, size_t size);

/* The folder for what can be had again, $XDG_CACHE_HOME/decavox or ~/.cache/decavox, which need not
   be there. False: neither variable names one, or it does not fit `size` bytes. */
bool dv_cache_folder(char *path, size_t size);

#endif
