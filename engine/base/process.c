/* Starts this program again as a child, takes its lines, and passes interrupts on to it. */
#include "engine/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_SIZE = 4096, LOOK_MS = 100, CANNOT_START = 127 };

static const char program[] = "/proc/self/exe";

/* ---- Signals ---- */

void dv_hold_signals(dv_hold *hold)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    sigemptyset(&hold->held);
    for (int i = 0; i < 2; i++) {
        struct sigaction action;
        /* What is ignored, as of a program in the background, stays so. */
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&hold->held, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &hold->held, &hold->before);
}

void dv_release_signals(const dv_hold *hold)
{
    sigprocmask(SIG_SETMASK, &hold->before, NULL);
}

static bool has_come(const dv_hold *hold)
{
    sigset_t pending;
    if (sigpending(&pending) != 0)
        return false;
    return (sigismember(&pending, SIGINT) == 1 && sigismember(&hold->held, SIGINT) == 1) ||
           (sigismember(&pending, SIGTERM) == 1 && sigismember(&hold->held, SIGTERM) == 1);
}

/* ---- Processes ---- */

static _Noreturn void start_program(const char *const *argv)
{
    (void)execv(program, (char *const *)argv); /* which it does not change */
    _exit(CANNOT_START);
}

static int wait_for(pid_t process)
{
    int result = 0;
    while (waitpid(process, &result, 0) < 0 && errno == EINTR)
        ;
    return result;
}

static dv_status failure_of(const char *what, int result)
{
    if (WIFSIGNALED(result))
        return DV_FAIL(DV_EIO, "decavox %s: ended by signal %d", what, WTERMSIG(result));
    if (WEXITSTATUS(result) != 0)
        return DV_FAIL(DV_EIO, "decavox %s: ended with code %d", what, WEXITSTATUS(result));
    return DV_OK;
}

dv_status dv_child_silent(const char *const *argv)
{
    pid_t process = fork();
    if (process < 0)
        return DV_FAIL(DV_EIO, "cannot start a process: %s", strerror(errno));
    if (process == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        if (nothing < 0 || dup2(nothing, STDOUT_FILENO) < 0)
            _exit(CANNOT_START);
        start_program(argv);
    }
    return failure_of(argv[1], wait_for(process));
}

/* ---- The lines ---- */

typedef struct reader {
    void (*take)(void *user, const char *line);
    void *user;
    char line[LINE_SIZE];
    size_t length;
    bool failed; /* the child has told why: */
    dv_status status;
    char message[LINE_SIZE];
} reader;

static void take_line(reader *in)
{
    int code;
    in->line[in->length] = '\0';
    in->length = 0;
    if (sscanf(in->line, "error %d", &code) == 1 && code > DV_OK && code <= DV_EINTERRUPTED) {
        const char *message = strchr(in->line + strlen("error "), ' ');
        in->failed = true;
        in->status = (dv_status)code;
        snprintf(in->message, sizeof in->message, "%s", message != NULL ? message + 1 : "");
    } else {
        in->take(in->user, in->line);
    }
}

/* What is there; false at the end. */
static bool read_some(reader *in, int from)
{
    char bytes[512];
    ssize_t count = read(from, bytes, sizeof bytes);
    for (ssize_t i = 0; i < count; i++) {
        if (bytes[i] == '\n')
            take_line(in);
        else if (in->length + 1 < LINE_SIZE)
            in->line[in->length++] = bytes[i];
    }
    return count > 0 || (count < 0 && errno == EINTR);
}

/* Until the child closes its output; whether a signal was passed on to it. */
static bool read_all(reader *in, int from, pid_t process, const dv_hold *hold)
{
    bool stopped = false;
    struct pollfd look = {.fd = from, .events = POLLIN};
    for (;;) {
        int ready = poll(&look, 1, LOOK_MS);
        if (!stopped && has_come(hold)) {
            stopped = true;
            kill(process, SIGTERM);
        }
        if (ready > 0 && !read_some(in, from))
            return stopped;
    }
}

/* Starts argv in a child. The child has the signal mask from before the hold, and its standard
   output is a pipe. *from becomes the end of the pipe that the caller reads and closes. */
static dv_status start(const char *const *argv, const dv_hold *hold, pid_t *process, int *from)
{
    int ends[2];
    if (pipe(ends) != 0)
        return DV_FAIL(DV_EIO, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL); /* so that what the child prints comes behind it */
    *process = fork();
    if (*process == 0) {
        bool good = dup2(ends[1], STDOUT_FILENO) >= 0;
        close(ends[0]);
        close(ends[1]);
        sigprocmask(SIG_SETMASK, &hold->before, NULL);
        if (good)
            start_program(argv);
        _exit(CANNOT_START);
    }
    int error = errno;
    close(ends[1]);
    *from = ends[0];
    if (*process > 0)
        return DV_OK;
    close(ends[0]);
    return DV_FAIL(DV_EIO, "cannot start a process: %s", strerror(error));
}

/* Runs the child to its end and makes one status of three signs. An interrupt counts before the
   failure that the child has told, and that failure before the exit code. */
dv_status dv_child_run(const char *const *argv, const dv_hold *hold,
                       void (*take)(void *user, const char *line), void *user)
{
    pid_t process;
    int from;
    reader *in;
    DV_TRY(dv_calloc(1, sizeof *in, &in));
    in->take = take;
    in->user = user;
    dv_status status = start(argv, hold, &process, &from);
    if (status == DV_OK) {
        bool stopped = read_all(in, from, process, hold);
        close(from);
        int result = wait_for(process);
        if (stopped)
            status = DV_FAIL(DV_EINTERRUPTED, "interrupted");
        else if (in->failed)
            status = DV_FAIL(in->status, "%s", in->message);
        else
            status = failure_of(argv[1], result);
    }
    free(in);
    return status;
}

void dv_child_tell(dv_status status)
{
    char message[LINE_SIZE];
    snprintf(message, sizeof message, "%s", dv_error_message());
    for (char *c = message; *c != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    printf("error %d %s\n", (int)status, message);
    fflush(stdout);
}
