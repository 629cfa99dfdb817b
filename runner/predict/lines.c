/* Reads lines from a descriptor, because a FILE cannot tell whether a line is there. */
#include "runner/predict/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 1 << 16, STEP_MS = 100 };

struct dv_lines {
    const char *path;
    int descriptor;
    bool own;          /* dv_lines_close closes the descriptor */
    bool at_end;       /* the end of the input was reached */
    long long number;  /* number of the latest line, from 1 */
    size_t from, size; /* the bytes from `from` to `size` have not been returned yet */
    char bytes[LONGEST + 1];
};

dv_status dv_lines_open(const char *path, dv_lines **out)
{
    dv_lines *lines;
    bool standard = strcmp(path, "-") == 0;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *lines, &lines));
    lines->path = standard ? "standard input" : path;
    lines->own = !standard;
    lines->descriptor = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (lines->descriptor < 0) {
        dv_status status = DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno));
        dv_lines_close(lines);
        return status;
    }
    *out = lines;
    return DV_OK;
}

void dv_lines_close(dv_lines *lines)
{
    if (lines != NULL && lines->own && lines->descriptor >= 0)
        close(lines->descriptor);
    free(lines);
}

static bool is_ready(const dv_lines *lines, int milliseconds)
{
    struct pollfd look = {.fd = lines->descriptor, .events = POLLIN};
    return poll(&look, 1, milliseconds) != 0;
}

/* Reads available input behind the bytes that have not been returned yet. */
static dv_status read_more(dv_lines *lines)
{
    memmove(lines->bytes, lines->bytes + lines->from, lines->size - lines->from);
    lines->size -= lines->from;
    lines->from = 0;
    if (lines->size == LONGEST)
        return DV_FAIL(
            DV_EFORMAT,
            "%s:%lld: the line is longer than %d bytes; each line must be the name of one file",
            lines->path, lines->number + 1, LONGEST);
    ssize_t got = read(lines->descriptor, lines->bytes + lines->size, LONGEST - lines->size);
    if (got < 0 && errno != EINTR && errno != EAGAIN)
        return DV_FAIL(DV_EIO, "%s: cannot be read: %s", lines->path, strerror(errno));
    lines->at_end = got == 0;
    lines->size += got > 0 ? (size_t)got : 0;
    return DV_OK;
}

/* Returns the line from `from` to `end`. */
static dv_status take_line(dv_lines *lines, char *end, const char **line)
{
    char *start = lines->bytes + lines->from;
    bool ends_in_lf = end < lines->bytes + lines->size;
    lines->from = (size_t)(end - lines->bytes) + (ends_in_lf ? 1 : 0);
    if (memchr(start, '\0', (size_t)(end - start)) != NULL)
        return DV_FAIL(DV_EFORMAT,
                       "%s:%lld: the line has a zero byte; each line must be the name of one file, "
                       "with a newline behind it",
                       lines->path, lines->number + 1);
    if (end > start && end[-1] == '\r')
        end--;
    *end = '\0';
    lines->number++;
    if (lines->number == 1 && strncmp(start, "\xEF\xBB\xBF", 3) == 0)
        start += 3; /* some programs write the byte order mark of UTF-8 */
    *line = start < end ? start : NULL;
    return DV_OK;
}

dv_status dv_lines_next(dv_lines *lines, bool wait, const char **line)
{
    *line = NULL;
    while (*line == NULL) {
        char *start = lines->bytes + lines->from;
        size_t left = lines->size - lines->from;
        char *end = memchr(start, '\n', left);
        if (end == NULL && lines->at_end)
            end = start + left;
        if (end != NULL && end == start && lines->at_end && left == 0)
            return DV_OK;
        if (end != NULL)
            DV_TRY(take_line(lines, end, line));
        else if (wait || is_ready(lines, 0))
            DV_TRY(read_more(lines));
        else
            return DV_OK;
    }
    return DV_OK;
}

bool dv_lines_ended(const dv_lines *lines)
{
    return lines->at_end && lines->from == lines->size;
}

void dv_lines_wait(const dv_lines *lines)
{
    (void)is_ready(lines, STEP_MS);
}
