/*
 * Files that are replaced whole or not at all: after a crash, a kill or a full disk the path names
 * either the old content or the new.
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
 * Creates a temporary "<path>.tmp-<process>-<number>" beside `path`. Only a kill leaves one behind,
 * and it never gets in the way of a later write. `path` itself is not touched before the commit;
 * where it exists it must be a regular file. A symbolic link is replaced, not followed.
 * DV_EIO names the path. *out is NULL on failure; end it by a commit or an abort.
 */
DV_MUST_CHECK dv_status dv_atomic_file_open(const char *path, dv_atomic_file **out);

/* Appends `size` bytes. DV_EIO names the path; the file must then be aborted. */
DV_MUST_CHECK dv_status dv_atomic_file_write(dv_atomic_file *file, const void *bytes, size_t size);

/*
 * Brings the content to the disk, gives it its name and brings the name to the disk. Frees `file`,
 * also on failure, when the temporary is removed and the old file stays. The one exception is a
 * folder that cannot be synchronised: then the new file is in place and its name may not survive
 * a power failure.
 */
DV_MUST_CHECK dv_status dv_atomic_file_commit(dv_atomic_file *file);

/* Removes the temporary and frees `file`; the old file stays. NULL is allowed. */
void dv_atomic_file_abort(dv_atomic_file *file);

/* Whether `name` is exactly that of a temporary for the file `file`, both without folder: what a
   kill has left behind. */
bool dv_atomic_file_is_temporary(const char *name, const char *file);

/* All of that at once: `path` holds these bytes, or, on failure, what it held before. */
DV_MUST_CHECK dv_status dv_atomic_file_store(const char *path, const void *bytes, size_t size);

#endif
