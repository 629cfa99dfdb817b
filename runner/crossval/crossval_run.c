/*
 * The runs are child processes: each has its own threads and its own signal to stop at, and none
 * takes the others with it when it fails. They are forked and go on with dv_training_run. A process
 * whose OpenMP threads or GPU context already live cannot do that, since fork copies neither: the
 * child would wait for threads that it does not have. So this process uses neither before the last
 * run has ended.
 */
#include "engine/base/clock.h"
#include "engine/base/process.h"
#include "engine/device/threads.h"
#include "runner/crossval/crossval.h"
#include "runner/experiment/run_folder.h"
#include "runner/experiment/stop.h"
#include "runner/training/resume.h"
#include "runner/training/training.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct run_process {
    pid_t process; /* 0: free */
    int errors;    /* where the process writes why it failed */
    dv_crossval_run *run;
    double start; /* s */
} run_process;

typedef struct run_pool {
    dv_crossval *all;
    const dv_crossval_request *request;
    run_process *workers; /* (request->jobs) */
    size_t busy;
    size_t next;              /* run to be started */
    size_t ended;             /* runs */
    sigset_t signals, before; /* what is waited for; what was blocked before */
    int stop_signal;          /* 0: none yet */
    double stop_time;         /* s */
} run_pool;

/* ---- The child ---- */

/* Nothing on the terminal: what is printed is in the log, and stderr is made the log. */
static void redirect(const dv_crossval_run *run)
{
    char *path;
    int nothing = open("/dev/null", O_RDWR), log = -1;
    (void)mkdir(run->folder, 0777); /* the training tells where it cannot be made */
    if (dv_crossval_path(run, "log.txt", &path) == DV_OK) {
        log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
        free(path);
    }
    (void)dup2(nothing, STDIN_FILENO);
    (void)dup2(nothing, STDOUT_FILENO);
    (void)dup2(log >= 0 ? log : nothing, STDERR_FILENO);
}

/* Begins the run, or goes on with it where it has begun. Without --threads it gets its share of the
   cores. */
static dv_status train(const run_pool *pool, const dv_crossval_run *run)
{
    const dv_crossval_request *request = pool->request;
    dv_experiment experiment;
    dv_tree *where = NULL; /* the data may have moved since */
    DV_TRY(dv_crossval_experiment(pool->all, run, request->experiment, &experiment));
    dv_status status = dv_resume_where(&experiment, &where);
    int share = dv_physical_cores() / request->jobs;
    bool begun =
        dv_run_has(run->folder, "config.yaml") || dv_run_has(run->folder, "last.safetensors");
    dv_training_request training = {
        .experiment = begun ? NULL : &experiment,
        .changes = where,
        .folder = run->folder,
        .strict = request->strict,
        .device = request->device,
        .threads = request->threads > 0 ? request->threads
                   : share > 1          ? share
                                        : 1,
        .dot = "",
        .step_dot = "",
        .needs_test = true,
    };
    if (status == DV_OK)
        status = dv_training_run(&training);
    dv_tree_free(where);
    dv_experiment_free(&experiment);
    return status;
}

/*
 * A process group of its own keeps away Ctrl-C, which goes to the whole group of the terminal: with
 * that of the parent there would be two signals, and the second one ends a training unsaved. Where
 * the parent is killed, the kernel asks the child to save.
 */
static _Noreturn void be_child(const run_pool *pool, const dv_crossval_run *run, pid_t parent,
                               int errors)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_SETMASK, &pool->before, NULL);
    if (getppid() != parent) /* ended before the line above */
        exit(DV_EXIT_FAILED);
    dv_stop_prepare();
    redirect(run);
    dv_status status = train(pool, run);
    if (status == DV_OK)
        exit(DV_EXIT_GOOD);
    const char *message = dv_error_message();
    if (write(errors, message, strlen(message)) < 0)
        fprintf(stderr, "%s\n", message);
    exit(status == DV_EINTERRUPTED ? DV_EXIT_SIGNAL + dv_stop_request : DV_EXIT_FAILED);
}

/* ---- What became of it ---- */

static void print_end(const run_pool *pool, const dv_crossval_run *run,
                      const dv_crossval_result *result, double took)
{
    const dv_crossval *all = pool->all;
    FILE *out = pool->request->lines;
    fprintf(out, "%zu/%zu  %s seed %" PRId64 "  ", pool->ended, all->run_count,
            all->folds[run->fold], all->seeds[run->seed]);
    if (run->error != NULL)
        fprintf(out, "failed: %s", run->error);
    else if (!result->finished)
        fprintf(out, "interrupted");
    else
        fprintf(out, "accuracy %.2f%%, %" PRId64 " of %" PRId64, 100 * result->accuracy,
                result->correct, result->count);
    if (took >= 0)
        fprintf(out, "  %.1f s\n", took);
    else
        fprintf(out, "  done before\n");
    fflush(out);
}

static void set_error(dv_crossval_run *run, const char *message)
{
    (void)dv_strdup(message, &run->error); /* without memory the missing report tells alone */
}

static void remove_state(const dv_crossval_run *run, const char *file)
{
    char *path;
    if (dv_crossval_path(run, file, &path) == DV_OK) {
        (void)unlink(path);
        free(path);
    }
}

/* A finished run: its result, and no state to go on with. */
static void take_result(dv_crossval_run *run, dv_crossval_result *result)
{
    if (dv_crossval_result_read(run, result) != DV_OK) {
        set_error(run, dv_error_message());
    } else if (!result->finished) {
        set_error(run, "left no report.json");
    } else {
        remove_state(run, "last.safetensors");
        remove_state(run, "pretrain/last.safetensors");
    }
}

/* Why the process with this wait status has failed. */
static void take_error(const run_process *worker, int status)
{
    char message[PIPE_BUF];
    ssize_t length = read(worker->errors, message, sizeof message - 1);
    if (length > 0)
        message[length] = '\0';
    else if (WIFSIGNALED(status))
        snprintf(message, sizeof message, "ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(message, sizeof message, "ended with code %d, see %s/log.txt", WEXITSTATUS(status),
                 worker->run->folder);
    set_error(worker->run, message);
}

/* Whether a process that was asked to stop has done just that. */
static bool has_stopped(const run_pool *pool, int status)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - DV_EXIT_SIGNAL;
    return pool->stop_signal != 0 && dv_stop_is_signal(number);
}

static void reap(run_pool *pool, run_process *worker)
{
    int status;
    if (waitpid(worker->process, &status, WNOHANG) != worker->process)
        return;
    dv_crossval_result result = {.finished = false};
    if (WIFEXITED(status) && WEXITSTATUS(status) == DV_EXIT_GOOD)
        take_result(worker->run, &result);
    else if (!has_stopped(pool, status))
        take_error(worker, status);
    close(worker->errors);
    pool->busy--;
    pool->ended++;
    print_end(pool, worker->run, &result, dv_clock() - worker->start);
    worker->process = 0;
}

/* ---- The parent ---- */

/* Forks a child for the run. The child tells through a pipe why it fails. */
static dv_status start(const run_pool *pool, run_process *worker, dv_crossval_run *run)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe(ends) != 0)
        return DV_FAIL(DV_EIO, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL); /* what is buffered here would be written by the child too */
    pid_t process = fork();
    if (process == 0) {
        close(ends[0]);
        be_child(pool, run, parent, ends[1]);
    }
    int error = errno;
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return DV_FAIL(DV_EIO, "cannot start a process: %s", strerror(error));
    }
    worker->process = process;
    worker->errors = ends[0];
    worker->run = run;
    worker->start = dv_clock();
    return DV_OK;
}

/* Starts the next run, unless it is done. */
static void start_next(run_pool *pool)
{
    dv_crossval_run *run = &pool->all->runs[pool->next++];
    dv_crossval_result result = {.finished = false};
    run_process *free_one = pool->workers;
    while (free_one->process != 0)
        free_one++;
    if (dv_run_has(run->folder, "report.json")) {
        take_result(run, &result);
    } else if (start(pool, free_one, run) == DV_OK) {
        pool->busy++;
        return;
    } else {
        set_error(run, dv_error_message());
    }
    pool->ended++;
    print_end(pool, run, &result, -1);
}

/*
 * Once: a second signal ends a training unsaved. A later one of the user's goes on to the children
 * too, but not one that comes at once, as timeout(1) sends it twice, to the process and its group.
 */
static void pass_on(run_pool *pool, int number)
{
    double now = dv_clock();
    if (pool->stop_signal != 0 && now - pool->stop_time < 1)
        return;
    if (pool->stop_signal == 0)
        pool->stop_signal = number;
    pool->stop_time = now;
    for (int i = 0; i < pool->request->jobs; i++) {
        if (pool->workers[i].process != 0)
            kill(pool->workers[i].process, number);
    }
}

/* The signals wait, blocked, until they are asked for: none comes between a look and a wait. */
static void block_signals(run_pool *pool)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigemptyset(&pool->signals);
    sigaddset(&pool->signals, SIGCHLD);
    sigaction(SIGCHLD, &standard, NULL); /* ignored ones, as one may inherit, never come */
    for (const int *number = dv_stop_signals; *number != 0; number++) {
        if (!dv_stop_heeds(*number))
            continue;
        sigaction(*number, &standard, NULL);
        sigaddset(&pool->signals, *number);
    }
    sigprocmask(SIG_BLOCK, &pool->signals, &pool->before);
}

static void run_all(run_pool *pool)
{
    for (;;) {
        int number = 0;
        while (pool->stop_signal == 0 && pool->next < pool->all->run_count &&
               pool->busy < (size_t)pool->request->jobs)
            start_next(pool);
        if (pool->busy == 0)
            return;
        sigwait(&pool->signals, &number);
        if (dv_stop_is_signal(number))
            pass_on(pool, number);
        for (int i = 0; i < pool->request->jobs; i++) {
            if (pool->workers[i].process != 0)
                reap(pool, &pool->workers[i]);
        }
    }
}

dv_status dv_crossval_train(dv_crossval *all, const dv_crossval_request *request,
                            int *signal_number)
{
    run_pool pool = {.all = all, .request = request};
    DV_TRY(dv_calloc((size_t)request->jobs, sizeof *pool.workers, &pool.workers));
    block_signals(&pool);
    run_all(&pool);
    if (pool.stop_signal == 0) /* else it ends with its code, whatever comes late */
        sigprocmask(SIG_SETMASK, &pool.before, NULL);
    free(pool.workers);
    *signal_number = pool.stop_signal;
    size_t done = 0;
    for (size_t i = 0; i < all->run_count; i++)
        done += dv_run_has(all->runs[i].folder, "report.json");
    if (pool.stop_signal != 0 && done < all->run_count)
        return DV_FAIL(DV_EINTERRUPTED,
                       "interrupted: %zu of %zu runs in %s are done, the same command goes on",
                       done, all->run_count, all->folder);
    return DV_OK;
}
