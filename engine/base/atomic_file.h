/*
 * Atomic replacement of files. After a crash, a kill or a full disk the path names either the old
 * content or the new one, never a mixture.
 *
 *     dv_atomic_file *file = NULL;
 *     DV_TRY(dv_atomic_file_open(path, &file));
 *     DV_TRY_GOTO(dv_atomic_file_write(file, bytes, size));
 *     return dv_atomic_file_commit(file);
 * fail:
 *     dv_atomic_file_abort(file);
 *     return status;
 */
#ifndef DV_BASE_ATOMIC_FILE_H
#define DV_BASE_ATOMIC_FILE_H

#include "engine/base/status.h"

#include <stdbool.h>

typedef struct dv_atomic_file dv_atomic_file;

/*
 * Creates the temporary file "<path>.tmp-<process>-<number>" beside `path`. Only a kill leaves it
 * behind, and then it does not disturb later writes. `path` is not touched before the commit. If
 * `path` exists it must be a regular file; a symbolic link is replaced, not followed. The message
 * of DV_EIO names the path. *out is NULL on failure; otherwise commit or abort it.
 */
DV_MUST_CHECK dv_status dv_atomic_file_open(const char *path, dv_atomic_file **out);

/* Appends `size` bytes. After DV_EIO, whose message names the path, the file must be aborted. */
DV_MUST_CHECK dv_status dv_atomic_file_write(dv_atomic_file *file, const void *bytes, size_t size);

/*
 * Syncs the content to the disk, renames the file to `path` and syncs the folder. Frees `file`,
 * also on failure. A failure removes the temporary file and keeps the old one, with one exception:
 * if the folder cannot be synced, the new file is in place but may not survive a power failure.
 */
DV_MUST_CHECK dv_status dv_atomic_file_commit(dv_atomic_file *file);

/* Removes the temporary file and frees `file`; the old file stays. NULL is allowed. */
void dv_atomic_file_abort(dv_atomic_file *file);

/* Whether `name` is the name of a temporary file for `file`, as a kill leaves it behind. Both names
   are without a folder. */
bool dv_atomic_file_is_temporary(const char *name, const char *file);

/* Opens, writes and commits in one call: `path` then holds these bytes, or its old content on
   failure. */
DV_MUST_CHECK dv_status dv_atomic_file_store(const char *path, const void *bytes, size_t size);

#endif
