/*
 * Opening what the user names to be read. A pipe would wait for its writer, and can be read only
 * once; so only regular files are opened, and none of them ever waits.
 */
#ifndef DV_BASE_INPUT_FILE_H
#define DV_BASE_INPUT_FILE_H

#include "engine/base/status.h"

#include <stdio.h>

/* *descriptor is owned by the caller. DV_EIO: missing, not permitted, no regular file; DV_ESYSTEM:
   the system cannot open it, nor perhaps any other (too many open files, a failing disk). The
   message names the path. */
dv_status dv_input_descriptor(const char *path, int *descriptor);

/* The same as a stream, to be closed by the caller; NULL on failure. */
dv_status dv_input_open(const char *path, FILE **out);

#endif
