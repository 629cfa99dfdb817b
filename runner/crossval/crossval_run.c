/*
 * The runs are threads of this process, as many at a time as there are jobs. Each trains in a
 * context and a folder of its own, so a run that fails does not disturb the others.
 */
#include "engine/base/clock.h"
#include "engine/device/threads.h"
#include "runner/crossval/crossval.h"
#include "runner/experiment/run_folder.h"
#include "runner/training/resume.h"
#include "runner/training/training.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct run_pool {
    dv_crossval *all;
    const dv_crossval_request *request;
    int threads;          /* threads of each run */
    pthread_mutex_t lock; /* guards the fields below and calls of request->ended */
    size_t next;          /* next run to start */
    size_t ended;         /* number of runs that have ended */
    bool paused;          /* the caller has paused the runs */
} run_pool;

/* ---- One run ---- */

/* The observer's `next` of all trainings. A pause is recorded in the pool, which then starts no
   more runs. */
static dv_train_next what_next(void *user)
{
    run_pool *pool = user;
    const dv_crossval_request *request = pool->request;
    bool pauses = request->next != NULL && request->next(request->user) == DV_TRAIN_PAUSE;
    pthread_mutex_lock(&pool->lock);
    pool->paused = pool->paused || pauses;
    pauses = pool->paused;
    pthread_mutex_unlock(&pool->lock);
    return pauses ? DV_TRAIN_PAUSE : DV_TRAIN_CONTINUE;
}

/* The threads of a run: those of the request, or a share of the cores. This must be called before
   the first run, because a training changes the thread's number of OpenMP threads, by which the
   cores are counted. */
static int threads_of(const dv_crossval_request *request)
{
    int share = dv_physical_cores() / request->jobs;
    if (request->threads > 0)
        return request->threads;
    return share > 1 ? share : 1;
}

/* Begins the run, or resumes it if it has begun. */
static dv_status train(run_pool *pool, const dv_crossval_run *run)
{
    const dv_crossval_request *request = pool->request;
    const dv_observer observer = {.user = pool, .next = what_next};
    dv_experiment experiment;
    dv_tree *where = NULL; /* paths of the data, which may have moved */
    DV_TRY(dv_crossval_experiment(pool->all, run, request->experiment, &experiment));
    dv_status status = dv_resume_where(&experiment, &where);
    dv_training_request training = {
        .experiment = dv_run_has_begun(run->folder) ? NULL : &experiment,
        .changes = where,
        .folder = run->folder,
        .strict = request->strict,
        .commit = request->commit,
        .device = request->device,
        .threads = pool->threads,
        .dot = "",
        .step_dot = "",
        .needs_test = true,
        .observer = &observer,
    };
    dv_train_result result;
    if (status == DV_OK)
        status = dv_training_run(&training, &result);
    dv_tree_free(where);
    dv_experiment_free(&experiment);
    return status;
}

static void set_error(dv_crossval_run *run, const char *message)
{
    (void)dv_strdup(message,
                    &run->error); /* without memory, the missing report shows the failure */
}

static void remove_state(const dv_crossval_run *run, const char *file)
{
    char *path;
    if (dv_crossval_path(run, file, &path) == DV_OK) {
        (void)unlink(path);
        free(path);
    }
}

/* Reads the result of a finished run, and removes its state. */
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

/* Trains the run unless it is done. */
static void run_one(run_pool *pool, dv_crossval_run *run, dv_crossval_end *end)
{
    if (dv_run_has(run->folder, "report.json")) {
        take_result(run, &end->result);
        return;
    }
    double start = dv_clock();
    dv_status status = train(pool, run);
    end->seconds = dv_clock() - start;
    if (status == DV_OK)
        take_result(run, &end->result);
    else if (status != DV_EINTERRUPTED)
        set_error(run, dv_error_message());
}

/* ---- All runs ---- */

/* Takes the next run to start. NULL if there is none or the runs are paused. */
static dv_crossval_run *take_next(run_pool *pool)
{
    dv_crossval_run *run = NULL;
    bool pauses = what_next(pool) == DV_TRAIN_PAUSE;
    pthread_mutex_lock(&pool->lock);
    if (!pauses && pool->next < pool->all->run_count)
        run = &pool->all->runs[pool->next++];
    pthread_mutex_unlock(&pool->lock);
    return run;
}

static void *work(void *user)
{
    run_pool *pool = user;
    const dv_crossval_request *request = pool->request;
    for (dv_crossval_run *run; (run = take_next(pool)) != NULL;) {
        dv_crossval_end end = {.run = run, .seconds = -1};
        run_one(pool, run, &end);
        pthread_mutex_lock(&pool->lock);
        end.number = ++pool->ended;
        if (request->ended != NULL)
            request->ended(request->user, pool->all, &end);
        pthread_mutex_unlock(&pool->lock);
    }
    return NULL;
}

/* Runs all jobs; this thread is one of them. If the system refuses threads there are fewer jobs. */
static dv_status run_all(run_pool *pool)
{
    pthread_t *threads;
    int more = 0;
    DV_TRY(dv_calloc((size_t)pool->request->jobs, sizeof *threads, &threads));
    while (more < pool->request->jobs - 1 && pthread_create(&threads[more], NULL, work, pool) == 0)
        more++;
    (void)work(pool);
    for (int i = 0; i < more; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    return DV_OK;
}

dv_status dv_crossval_train(dv_crossval *all, const dv_crossval_request *request)
{
    run_pool pool = {.all = all,
                     .request = request,
                     .threads = threads_of(request),
                     .lock = PTHREAD_MUTEX_INITIALIZER};
    dv_status status = run_all(&pool);
    pthread_mutex_destroy(&pool.lock);
    DV_TRY(status);
    size_t done = 0;
    for (size_t i = 0; i < all->run_count; i++)
        done += dv_run_has(all->runs[i].folder, "report.json");
    if (pool.paused && done < all->run_count)
        return DV_FAIL(
            DV_EINTERRUPTED,
            "interrupted: %zu of %zu runs in %s are done; the same command goes on with the others",
            done, all->run_count, all->folder);
    return DV_OK;
}
