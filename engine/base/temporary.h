/* Folders for files that do not outlive the process. */
#ifndef DV_BASE_TEMPORARY_H
#define DV_BASE_TEMPORARY_H

#include "engine/base/status.h"

/*
 * Makes a new folder in TMPDIR that only its owner may enter, and writes its path to `path`. The
 * caller removes it. Fails with DV_EIO if the path does not fit `size` bytes or the folder cannot
 * be made; `path` is then "".
 */
DV_MUST_CHECK dv_status dv_temporary_folder(char *path, size_t size);

#endif
