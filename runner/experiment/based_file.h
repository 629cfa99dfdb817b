/* A configuration file with its key `base`, the file or list of files that it is based on. */
#ifndef DV_EXPERIMENT_BASED_FILE_H
#define DV_EXPERIMENT_BASED_FILE_H

#include "engine/base/tree.h"

/*
 * Reads the file `path` and merges it over the files that its `base` names, which may have a `base`
 * themselves; later files override those before them. The names of front-ends are expanded. *out is
 * owned by the caller. DV_EIO or DV_ECONFIG, with the file and line at fault; a chain may have 8
 * files, and all of it 64.
 */
dv_status dv_based_file_read(const char *path, dv_tree **out);

#endif
