/*
 *     kill_at FOLDER N COMMAND [ARGUMENT...]
 *
 * Runs COMMAND and kills it, as `kill -9` does, before its N-th system call that opens, writes,
 * synchronises, names or removes something in FOLDER, an absolute path. With N = 0 it runs to its
 * end. Prints a line "NUMBER CALL PATH" for each such call; COMMAND's output goes to stderr. The
 * exit code is COMMAND's, 137 if it was killed, or 77 if the system allows no tracing. System calls
 * include those of libraries.
 */
#define _GNU_SOURCE /* ptrace, __WALL */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

enum { SKIPPED = 77, KILLED = 137, CALL_STOP = SIGTRAP | 0x80 };

/* ---- Calls ---- */

typedef enum operand {
    DESCRIPTOR,
    PATH,
    FOLDER_AND_PATH
} operand; /* arguments that name the file */

typedef struct call {
    long number;
    const char *name;
    operand operand;
} call;

static const call calls[] = {
#ifdef SYS_open /* newer architectures only have the calls with a folder */
    {SYS_open, "open", PATH},
    {SYS_creat, "creat", PATH},
    {SYS_rename, "rename", PATH},
    {SYS_unlink, "unlink", PATH},
    {SYS_link, "link", PATH},
    {SYS_mkdir, "mkdir", PATH},
    {SYS_rmdir, "rmdir", PATH},
#endif
    {SYS_openat, "openat", FOLDER_AND_PATH},
    {SYS_renameat2, "renameat2", FOLDER_AND_PATH},
    {SYS_unlinkat, "unlinkat", FOLDER_AND_PATH},
    {SYS_linkat, "linkat", FOLDER_AND_PATH},
    {SYS_mkdirat, "mkdirat", FOLDER_AND_PATH},
    {SYS_truncate, "truncate", PATH},
    {SYS_ftruncate, "ftruncate", DESCRIPTOR},
    {SYS_write, "write", DESCRIPTOR},
    {SYS_writev, "writev", DESCRIPTOR},
    {SYS_pwrite64, "pwrite64", DESCRIPTOR},
    {SYS_fsync, "fsync", DESCRIPTOR},
    {SYS_fdatasync, "fdatasync", DESCRIPTOR},
};

static const call *find_call(uint64_t number)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if ((uint64_t)calls[i].number == number)
            return &calls[i];
    }
    return NULL;
}

/* ---- The file of a call ---- */

/* Reads the text at an address of the process. */
static void read_text(pid_t process, uint64_t address, char text[PATH_MAX])
{
    size_t length = 0;
    for (bool ended = false; !ended && length + sizeof(long) < PATH_MAX; length += sizeof(long)) {
        errno = 0;
        long word = ptrace(PTRACE_PEEKDATA, process, (void *)(address + length), NULL);
        if (errno != 0)
            break;
        memcpy(text + length, &word, sizeof word);
        ended = memchr(&word, '\0', sizeof word) != NULL;
    }
    text[length] = '\0';
}

/* Finds the path of a descriptor of the process, or for AT_FDCWD its working folder. The path is
   empty if there is none. */
static void read_link(pid_t process, int descriptor, char path[PATH_MAX])
{
    char entry[64];
    if (descriptor == AT_FDCWD)
        snprintf(entry, sizeof entry, "/proc/%d/cwd", (int)process);
    else
        snprintf(entry, sizeof entry, "/proc/%d/fd/%d", (int)process, descriptor);
    ssize_t length = readlink(entry, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = '\0';
}

static void find_path(pid_t process, const call *made, const __u64 *arguments,
                      char path[2 * PATH_MAX])
{
    char text[PATH_MAX], folder[PATH_MAX];
    if (made->operand == DESCRIPTOR) {
        read_link(process, (int)arguments[0], path);
        return;
    }
    read_text(process, arguments[made->operand == PATH ? 0 : 1], text);
    read_link(process, made->operand == PATH ? AT_FDCWD : (int)arguments[0], folder);
    snprintf(path, 2 * PATH_MAX, "%s%s%s", text[0] == '/' ? "" : folder, text[0] == '/' ? "" : "/",
             text);
}

static bool is_in(const char *folder, const char *path)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* ---- The process ---- */

typedef struct trace {
    const char *folder;
    long seen, last; /* number of calls so far; number of the fatal call, 0 for none */
    pid_t command;
} trace;

/* Handles the beginning or the end of a system call. */
static void look_at(trace *t, pid_t process)
{
    struct ptrace_syscall_info info = {.op = PTRACE_SYSCALL_INFO_NONE};
    char path[2 * PATH_MAX];
    (void)ptrace(PTRACE_GET_SYSCALL_INFO, process, (void *)sizeof info, &info);
    const call *made = info.op == PTRACE_SYSCALL_INFO_ENTRY ? find_call(info.entry.nr) : NULL;
    if (made == NULL)
        return;
    find_path(process, made, info.entry.args, path);
    if (!is_in(t->folder, path))
        return;
    printf("%ld %s %s\n", ++t->seen, made->name, path);
    if (t->seen == t->last)
        kill(t->command, SIGKILL);
}

/* The signal to deliver after a stop outside of system calls: the process's own, but not the
   tracer's or the one of a new thread. */
static int signal_of(int status)
{
    int number = WSTOPSIG(status);
    return status >> 16 != 0 || number == SIGSTOP || number == SIGTRAP ? 0 : number;
}

/* Follows the command to its end. Returns its exit code. */
static int follow(trace *t)
{
    int status = 0;
    pid_t process;
    while ((process = waitpid(-1, &status, __WALL)) > 0) {
        if (process == t->command && WIFEXITED(status))
            return WEXITSTATUS(status);
        if (process == t->command && WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        if (!WIFSTOPPED(status))
            continue;
        bool at_call = WSTOPSIG(status) == CALL_STOP;
        if (at_call)
            look_at(t, process);
        (void)ptrace(PTRACE_SYSCALL, process, NULL,
                     (void *)(long)(at_call ? 0 : signal_of(status)));
    }
    return EXIT_FAILURE;
}

static void become(char **command)
{
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
        _exit(SKIPPED);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argv[1][0] != '/') {
        fprintf(stderr, "usage: %s FOLDER N COMMAND [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    trace t = {.folder = argv[1], .last = strtol(argv[2], NULL, 10), .command = fork()};
    int status = 0;
    if (t.command == 0)
        become(argv + 3);
    if (t.command < 0 || waitpid(t.command, &status, 0) < 0)
        return EXIT_FAILURE;
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                   PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (WIFEXITED(status) || ptrace(PTRACE_SETOPTIONS, t.command, NULL, (void *)options) != 0)
        return SKIPPED;
    (void)ptrace(PTRACE_SYSCALL, t.command, NULL, NULL);
    return follow(&t);
}
