/* Opens regular files for reading, and refuses everything else with a reason. */
#include "engine/base/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the error is due to the file's name or permissions. All other errors (too many open
   files, no memory, a failing disk, a lost server) may happen with the next file too. */
static bool is_of_the_file(int error)
{
    static const int errors[] = {ENOENT, ENOTDIR, EACCES,       EPERM,
                                 ELOOP,  EISDIR,  ENAMETOOLONG, ENXIO};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i] == error)
            return true;
    }
    return false;
}

static dv_status fail_with_errno(const char *path)
{
    return DV_FAIL(is_of_the_file(errno) ? DV_EIO : DV_ESYSTEM, "%s: cannot be opened: %s", path,
                   strerror(errno));
}

static dv_status check_kind(const char *path, int descriptor)
{
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return fail_with_errno(path);
    if (S_ISDIR(facts.st_mode))
        return DV_FAIL(DV_EIO, "%s: is a directory, not a regular file", path);
    if (S_ISFIFO(facts.st_mode))
        return DV_FAIL(DV_EIO,
                       "%s: is a pipe, not a regular file: it can be read only once; write what "
                       "it gives into a file first",
                       path);
    return S_ISREG(facts.st_mode) ? DV_OK : DV_FAIL(DV_EIO, "%s: is not a regular file", path);
}

dv_status dv_input_descriptor(const char *path, int *descriptor)
{
    /* Without O_NONBLOCK a pipe would wait here for a writer; regular files ignore it. */
    *descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*descriptor < 0)
        return fail_with_errno(path);
    dv_status status = check_kind(path, *descriptor);
    if (status != DV_OK) {
        close(*descriptor);
        *descriptor = -1;
    }
    return status;
}

dv_status dv_input_open(const char *path, FILE **out)
{
    int descriptor;
    *out = NULL;
    DV_TRY(dv_input_descriptor(path, &descriptor));
    *out = fdopen(descriptor, "rb");
    if (*out != NULL)
        return DV_OK;
    dv_status status = fail_with_errno(path);
    close(descriptor);
    return status;
}
