/* Runs a program as a child process, and measures its time and its memory. */
#define _DEFAULT_SOURCE /* wait4 */

#include "benchmarks/child.h"

#include "runner/evaluate/timing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 65536, NOT_FOUND = 127 };

static void become(char *const argv[], int out)
{
    if (dup2(out, STDOUT_FILENO) >= 0 && setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0 &&
        unsetenv("OPENBLAS_CORETYPE") == 0)
        (void)execv(argv[0], argv);
    _exit(NOT_FOUND);
}

/* Reads to the end; *output receives the text unless `output` is NULL. */
static dv_status read_all(int from, char **output)
{
    size_t size = 0, room = 0;
    char *text = NULL;
    for (;;) {
        if (room - size < CHUNK + 1) {
            room = 2 * room + CHUNK + 1;
            char *more = realloc(text, room);
            if (more == NULL) {
                free(text);
                return DV_FAIL(DV_ENOMEM, "%zu bytes of a program's output", room);
            }
            text = more;
        }
        ssize_t got = read(from, text + size, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size += output != NULL ? (size_t)got : 0;
    }
    text[size] = '\0';
    if (output == NULL)
        free(text);
    else
        *output = text;
    return DV_OK;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static dv_status judge(const char *program, int state)
{
    if (WIFEXITED(state) && WEXITSTATUS(state) == NOT_FOUND)
        return DV_FAIL(DV_EIO, "%s cannot be started", program);
    if (WIFSIGNALED(state))
        return DV_FAIL(DV_EIO, "%s was ended by signal %d", program, WTERMSIG(state));
    if (WEXITSTATUS(state) != 0)
        return DV_FAIL(DV_EIO, "%s ended with %d", program, WEXITSTATUS(state));
    return DV_OK;
}

dv_status child_run(char *const argv[], child_result *result, char **output)
{
    int ends[2], state;
    char *text = NULL;
    struct rusage usage;
    if (pipe(ends) != 0)
        return DV_FAIL(DV_EIO, "pipe: %s", strerror(errno));
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    double begin = dv_clock();
    pid_t child = fork();
    if (child == 0)
        become(argv, ends[1]);
    close(ends[1]);
    dv_status status = child < 0 ? DV_FAIL(DV_EIO, "fork: %s", strerror(errno)) : DV_OK;
    if (status == DV_OK)
        status = read_all(ends[0], output != NULL ? &text : NULL);
    close(ends[0]);
    while (child > 0 && wait4(child, &state, 0, &usage) < 0) {
        if (errno != EINTR)
            return DV_FAIL(DV_EIO, "wait4: %s", strerror(errno));
    }
    result->seconds = dv_clock() - begin;
    if (status == DV_OK)
        status = judge(argv[0], state);
    if (status != DV_OK) {
        free(text);
        return status;
    }
    result->processor = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    result->peak = 1024 * (double)usage.ru_maxrss;
    if (output != NULL)
        *output = text;
    return DV_OK;
}
