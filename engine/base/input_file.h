/*
 * Opens files that the user names. Only regular files are accepted, so opening never waits. A pipe
 * would wait for its writer, and could be read only once.
 */
#ifndef DV_BASE_INPUT_FILE_H
#define DV_BASE_INPUT_FILE_H

#include "engine/base/status.h"

#include <stdio.h>

/* Opens `path` for reading. The caller closes *descriptor. Fails with DV_EIO if the file is
   missing, not permitted or not regular, and with DV_ESYSTEM if the system may fail for any other
   file too (too many open files, a failing disk). The message names the path. */
dv_status dv_input_descriptor(const char *path, int *descriptor);

/* The same, but opens a stream. The caller closes *out, which is NULL on failure. */
dv_status dv_input_open(const char *path, FILE **out);

#endif
