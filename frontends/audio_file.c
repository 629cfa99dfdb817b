#include "frontends/audio_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a file's name or permissions are to blame for. All else (too many open files, no memory, a
   failing disk, a lost server) would befall the next file too. */
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

dv_status dv__sound_file_open(const char *path, dv__sound_file *file)
{
    struct stat facts;
    *file = (dv__sound_file){.path = path};
    /* Without O_NONBLOCK a named pipe would wait here for a writer. */
    file->descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file->descriptor < 0 || fstat(file->descriptor, &facts) != 0)
        return DV_FAIL(is_of_the_file(errno) ? DV_EIO : DV_ESYSTEM, "%s: cannot be opened: %s",
                       path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return DV_FAIL(DV_EIO, "%s: is a directory, not a sound file", path);
    if (!S_ISREG(facts.st_mode))
        return DV_FAIL(DV_EIO, "%s: is not a regular file", path);
    if (facts.st_size == 0)
        return DV_FAIL(DV_EFORMAT, "%s: is empty (0 bytes)", path);
    file->size = (int64_t)facts.st_size;
    return DV_OK;
}

void dv__sound_file_close(dv__sound_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}

int64_t dv__sound_file_read(dv__sound_file *file, int64_t at, int64_t count, void *bytes)
{
    int64_t done = 0;
    while (done < count && file->error == 0) {
        ssize_t got = pread(file->descriptor, (unsigned char *)bytes + done, (size_t)(count - done),
                            (off_t)(at + done));
        if (got == 0)
            break;
        if (got > 0)
            done += got;
        else if (errno != EINTR)
            file->error = errno;
    }
    return done;
}

dv_status dv__sound_file_check(const dv__sound_file *file)
{
    if (file->error == 0)
        return DV_OK;
    return DV_FAIL(DV_ESYSTEM, "%s: cannot be read: %s", file->path, strerror(file->error));
}
