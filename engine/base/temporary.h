/* Places for files that do not outlive the process. */
#ifndef DV_BASE_TEMPORARY_H
#define DV_BASE_TEMPORARY_H

#include "engine/base/status.h"

/*
 * Makes a new, empty folder that its owner alone may enter, in the folder that TMPDIR names, and
 * puts its path into `path`; the caller removes it. DV_EIO: the path does not fit `size` bytes.
 * DV_EIO, naming the path: it cannot be made. On failure `path` is "".
 */
DV_MUST_CHECK dv_status dv_temporary_folder(char *path, size_t size);

#endif
