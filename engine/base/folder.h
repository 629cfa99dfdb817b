/* Makes folders, and finds the user's cache folder. */
#ifndef DV_BASE_FOLDER_H
#define DV_BASE_FOLDER_H

#include "engine/base/status.h"

#include <stdbool.h>

/* Makes a folder and its parents if they are missing. Fails with DV_EIO. */
dv_status dv_make_folders(const char *path);

/* Makes a new folder and its missing parents. If `path` exists already, the first free name of
   path-2, path-3, ... is used and written to `path`, a buffer of `size` bytes. Fails with DV_EIO,
   or with DV_EARG if the name does not fit. */
dv_status dv_make_new_folder(char *path, size_t size);

/* Writes the path of the user's cache folder, $XDG_CACHE_HOME/decavox or ~/.cache/decavox. The
   folder may not exist yet. Returns false if neither XDG_CACHE_HOME nor HOME is an absolute path,
   or if the path does not fit `size` bytes. */
bool dv_cache_folder(char *path, size_t size);

#endif
