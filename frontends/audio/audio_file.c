/* Opens files, pipes and standard input, and reads bytes from them. A pipe is read into memory
   first. */
#include "frontends/audio/audio_file.h"
#include "engine/base/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL = 1 << 16 }; /* bytes */

/* Reads all bytes of a small file at once, since a decoder would read the header in twenty steps.
   dv__sound_file_check finds a failure. If the file has become shorter, `size` follows it. */
static dv_status read_small(dv__sound_file *file)
{
    unsigned char *memory;
    DV_TRY(dv_calloc((size_t)file->size, 1, &memory));
    int64_t size = dv__sound_file_read(file, 0, file->size, memory);
    if (file->error != 0) {
        free(memory);
        return DV_OK;
    }
    file->memory = memory;
    file->size = size;
    return DV_OK;
}

static dv_status open_regular(dv__sound_file *file)
{
    struct stat facts;
    DV_TRY(dv_input_descriptor(file->path, &file->descriptor));
    if (fstat(file->descriptor, &facts) != 0)
        return DV_FAIL(DV_ESYSTEM, "%s: cannot be read: %s", file->path, strerror(errno));
    file->size = (int64_t)facts.st_size;
    return file->size > 0 && file->size <= SMALL ? read_small(file) : DV_OK;
}

/* Reads a pipe to its end into memory. It polls first to wait for a writer, since reading a pipe
   without one is at its end at once. */
static dv_status read_stream(dv__sound_file *file, int descriptor)
{
    size_t capacity = 0;
    for (;;) {
        struct pollfd look = {.fd = descriptor, .events = POLLIN};
        (void)poll(&look, 1, -1);
        size_t size = (size_t)file->size;
        DV_TRY(dv_grow(size, 1, &capacity, &file->memory));
        ssize_t got = read(descriptor, file->memory + size, capacity - size);
        if (got == 0)
            return DV_OK;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return DV_FAIL(DV_ESYSTEM, "%s: cannot be read: %s", file->path, strerror(errno));
        file->size += got > 0 ? got : 0;
        if (file->size > DV__STREAM_SIZE)
            return DV_FAIL(DV_EFORMAT,
                           "%s: more than %d bytes came, too many to be kept in memory; write them "
                           "into a file first",
                           file->path, DV__STREAM_SIZE);
    }
}

static dv_status open_pipe(dv__sound_file *file)
{
    int descriptor = open(file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return DV_FAIL(DV_ESYSTEM, "%s: cannot be opened: %s", file->path, strerror(errno));
    dv_status status = read_stream(file, descriptor);
    close(descriptor);
    return status;
}

static bool is_pipe(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISFIFO(facts.st_mode);
}

dv_status dv__sound_file_open(const char *path, bool streams, dv__sound_file *file)
{
    *file = (dv__sound_file){.path = path, .descriptor = -1};
    if (streams && strcmp(path, "-") == 0)
        DV_TRY(read_stream(file, STDIN_FILENO));
    else if (streams && is_pipe(path))
        DV_TRY(open_pipe(file));
    else
        DV_TRY(open_regular(file));
    return file->size > 0 ? DV_OK : DV_FAIL(DV_EFORMAT, "%s: is empty (0 bytes)", path);
}

void dv__sound_file_close(dv__sound_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
    free(file->memory);
    file->memory = NULL;
}

static int64_t read_memory(const dv__sound_file *file, int64_t at, int64_t count, void *bytes)
{
    int64_t there = at < file->size ? file->size - at : 0;
    count = count < there ? count : there;
    if (count > 0)
        memcpy(bytes, file->memory + at, (size_t)count);
    return count > 0 ? count : 0;
}

int64_t dv__sound_file_read(dv__sound_file *file, int64_t at, int64_t count, void *bytes)
{
    int64_t done = 0;
    if (file->memory != NULL)
        return read_memory(file, at, count, bytes);
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
