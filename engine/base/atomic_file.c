/* Writes a temporary file beside the target, syncs it and renames it over the target. */
#include "engine/base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SUFFIX_SIZE = 48,     /* ".tmp-" and two integers */
    MAX_TEMPORARIES = 999 /* files left by killed processes of the same number */
};

static const char temporary_mark[] = ".tmp-";

struct dv_atomic_file {
    char *path;
    char *temporary; /* path of the temporary file, which exists while descriptor >= 0 */
    int descriptor;
    int folder; /* open from the start, so that a folder that cannot be synced fails early */
};

static dv_status fail_with_errno(const char *path)
{
    return DV_FAIL(DV_EIO, "cannot write '%s': %s", path, strerror(errno));
}

static void file_free(dv_atomic_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    if (file->folder >= 0)
        close(file->folder);
    free(file->path);
    free(file->temporary);
    free(file);
}

/* Refuses everything but a regular file, because renaming would replace a device or a pipe. */
static dv_status check_target(const char *path)
{
    struct stat target;
    if (stat(path, &target) != 0)
        return errno == ENOENT ? DV_OK : fail_with_errno(path);
    if (!S_ISREG(target.st_mode))
        return DV_FAIL(DV_EIO, "cannot write '%s': it exists and is not a regular file", path);
    return DV_OK;
}

static dv_status open_folder(const char *path, int *out)
{
    char *folder = NULL;
    DV_TRY(dv_strdup(path, &folder));
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        strcpy(folder, path[0] != '\0' ? "." : "");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    *out = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dv_status status = *out >= 0 ? DV_OK : fail_with_errno(path);
    free(folder);
    return status;
}

/* Creates the temporary file with the permissions of the umask. mkstemp's files are readable by
   their owner alone. */
static dv_status open_temporary(dv_atomic_file *file)
{
    size_t size = strlen(file->path) + SUFFIX_SIZE;
    DV_TRY(dv_calloc(size, 1, &file->temporary));
    for (int number = 0; number < MAX_TEMPORARIES; number++) {
        snprintf(file->temporary, size, "%s%s%ld-%d", file->path, temporary_mark, (long)getpid(),
                 number);
        file->descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor >= 0)
            return DV_OK;
        if (errno != EEXIST)
            break;
    }
    return fail_with_errno(file->path);
}

dv_status dv_atomic_file_open(const char *path, dv_atomic_file **out)
{
    dv_status status = DV_OK;
    *out = NULL;
    dv_atomic_file *file = NULL;
    DV_TRY(check_target(path));
    DV_TRY(dv_calloc(1, sizeof *file, &file));
    file->descriptor = -1;
    file->folder = -1;
    DV_TRY_GOTO(dv_strdup(path, &file->path));
    DV_TRY_GOTO(open_folder(path, &file->folder));
    DV_TRY_GOTO(open_temporary(file));
    *out = file;
    return DV_OK;
fail:
    file_free(file);
    return status;
}

dv_status dv_atomic_file_write(dv_atomic_file *file, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        ssize_t written = write(file->descriptor, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fail_with_errno(file->path);
        next += written;
        size -= (size_t)written;
    }
    return DV_OK;
}

static int synchronise(int descriptor)
{
    int result;
    do {
        result = fsync(descriptor);
    } while (result != 0 && errno == EINTR);
    return result;
}

dv_status dv_atomic_file_commit(dv_atomic_file *file)
{
    dv_status status = DV_OK;
    /* Without this the name can reach the disk before the content, as a file of zeros. */
    if (synchronise(file->descriptor) != 0)
        goto fail;
    if (rename(file->temporary, file->path) != 0)
        goto fail;
    /* Some file systems cannot sync a folder and return EINVAL. They order the writes. */
    if (synchronise(file->folder) != 0 && errno != EINVAL)
        status = fail_with_errno(file->path);
    file_free(file);
    return status;
fail:
    status = fail_with_errno(file->path);
    dv_atomic_file_abort(file);
    return status;
}

void dv_atomic_file_abort(dv_atomic_file *file)
{
    if (file == NULL)
        return;
    unlink(file->temporary);
    file_free(file);
}

/* Steps over a number from 0 to `most` in the form of %d. Returns false if there is none. */
static bool step_over_number(const char **text, long most)
{
    const char *digits = "0123456789";
    size_t length = strspn(*text, digits);
    if (length == 0 || length > 18 || ((*text)[0] == '0' && length > 1))
        return false;
    long number = strtol(*text, NULL, 10);
    *text += length;
    return number <= most;
}

bool dv_atomic_file_is_temporary(const char *name, const char *file)
{
    size_t length = strlen(file), joint = strlen(temporary_mark);
    if (strncmp(name, file, length) != 0 || strncmp(name + length, temporary_mark, joint) != 0)
        return false;
    const char *rest = name + length + joint;
    if (!step_over_number(&rest, LONG_MAX) || *rest++ != '-')
        return false;
    return step_over_number(&rest, MAX_TEMPORARIES - 1) && *rest == '\0';
}

dv_status dv_atomic_file_store(const char *path, const void *bytes, size_t size)
{
    dv_atomic_file *file;
    DV_TRY(dv_atomic_file_open(path, &file));
    dv_status status = dv_atomic_file_write(file, bytes, size);
    if (status == DV_OK)
        return dv_atomic_file_commit(file);
    dv_atomic_file_abort(file);
    return status;
}
