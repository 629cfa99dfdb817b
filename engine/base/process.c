/* Starts a program as a child, reads its lines, and ends it when the caller asks for that. */
#define _GNU_SOURCE /* pipe2 */
#include "engine/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ; /* environ(7): no header has it */

enum { LINE_SIZE = 4096, LOOK_MS = 100 };

/* ---- The lines ---- */

typedef struct reader {
    const dv_child *child;
    char line[LINE_SIZE];
    size_t length;
    bool failed; /* the child has reported a failure: */
    dv_status status;
    char message[LINE_SIZE];
} reader;

static void take_line(reader *in)
{
    int code;
    in->line[in->length] = '\0';
    in->length = 0;
    if (sscanf(in->line, "error %d", &code) == 1 && code > DV_OK && code <= DV_ESYSTEM) {
        const char *message = strchr(in->line + strlen("error "), ' ');
        in->failed = true;
        in->status = (dv_status)code;
        snprintf(in->message, sizeof in->message, "%s", message != NULL ? message + 1 : "");
    } else if (in->child->take != NULL) {
        in->child->take(in->child->user, in->line);
    }
}

/* Reads the available bytes. Returns false at the end. */
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

static bool is_stopped(const dv_child *child)
{
    return child->stopped != NULL && child->stopped(child->user);
}

/* Reads until the child closes its output. Returns whether the child was ended. An interrupt from
   the terminal reaches the child too and ends it without a kill from here. */
static bool read_all(reader *in, int from, pid_t process)
{
    bool stopped = false;
    struct pollfd look = {.fd = from, .events = POLLIN};
    for (;;) {
        int ready = poll(&look, 1, LOOK_MS);
        if (!stopped && is_stopped(in->child)) {
            stopped = true;
            kill(process, SIGTERM);
        }
        if (ready > 0 && !read_some(in, from))
            return stopped || is_stopped(in->child);
    }
}

/* ---- The process ---- */

/* Starts the child with its standard output on a pipe. The caller reads and closes *from. Other
   children do not inherit the pipe. */
static dv_status start(const dv_child *child, pid_t *process, int *from)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return DV_FAIL(DV_ESYSTEM, "cannot make a pipe: %s", strerror(errno));
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (error == 0) /* posix_spawnp does not change the arguments */
            error = posix_spawnp(process, child->program, &actions, NULL,
                                 (char *const *)child->argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    *from = ends[0];
    if (error == 0)
        return DV_OK;
    close(ends[0]);
    return DV_FAIL(DV_EIO, "cannot start %s: %s", child->program, strerror(error));
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
        return DV_FAIL(DV_EIO, "%s: ended by signal %d", what, WTERMSIG(result));
    if (WEXITSTATUS(result) != 0)
        return DV_FAIL(DV_EIO, "%s: ended with code %d", what, WEXITSTATUS(result));
    return DV_OK;
}

/* Runs the child to its end. Its status is, in this order: interrupted by `stopped`, the reported
   failure, a failure by its exit code. */
dv_status dv_child_run(const dv_child *child)
{
    pid_t process;
    int from;
    reader *in;
    DV_TRY(dv_calloc(1, sizeof *in, &in));
    in->child = child;
    dv_status status = start(child, &process, &from);
    if (status == DV_OK) {
        bool stopped = read_all(in, from, process);
        close(from);
        int result = wait_for(process);
        if (stopped)
            status = DV_FAIL(DV_EINTERRUPTED, "the work was interrupted");
        else if (in->failed)
            status = DV_FAIL(in->status, "%s", in->message);
        else
            status = failure_of(child->name, result);
    }
    free(in);
    return status;
}

void dv_child_tell(dv_status status, FILE *out)
{
    char message[LINE_SIZE];
    snprintf(message, sizeof message, "%s", dv_error_message());
    for (char *c = message; *c != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    fprintf(out, "error %d %s\n", (int)status, message);
}
