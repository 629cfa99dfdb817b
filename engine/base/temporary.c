/* Makes temporary folders by mkdtemp. */
#include "engine/base/temporary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dv_status dv_temporary_folder(char *path, size_t size)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || parent[0] == '\0')
        parent = "/tmp"; /* exists by POSIX (base definitions, 10.1) */
    int length = snprintf(path, size, "%s/decavox-XXXXXX", parent);
    dv_status status = DV_OK;
    if (length < 0 || (size_t)length >= size)
        status = DV_FAIL(DV_EIO, "TMPDIR is too long for a temporary folder: %s", parent);
    else if (mkdtemp(path) == NULL)
        status =
            DV_FAIL(DV_EIO, "cannot make a temporary folder in %s: %s", parent, strerror(errno));
    if (status != DV_OK)
        path[0] = '\0';
    return status;
}
