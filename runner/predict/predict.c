/*
 * Workers take chunks of names and compute their rows. The chunks are in a ring, from which the
 * calling thread takes them in the order of the names. A worker waits while the ring is full.
 *
 * Taking a name may mean waiting for it, so there are two locks: the worker that takes the next
 * names holds `naming`, and whoever accesses the chunks holds `ring`.
 */
#include "runner/predict/predict.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* With several chunks per worker in the ring, a slow worker does not stop the others. */
enum { CHUNKS_A_WORKER = 4, TELL_MS = 500 };

/* A few consecutive files. */
typedef struct chunk {
    int64_t first; /* number of the first file */
    int64_t count; /* number of files; 0 after the last file, or if `status` is a failure */
    char *text;    /* names, each ended by NUL; owned */
    size_t size, room;
    const char **names; /* (batch), in the text */
    dv_answer *answers; /* (batch) */
    float *logits;      /* (batch, classes) */
    char *rows;         /* (row_bytes) owned */
    size_t row_bytes;
    dv_status status; /* a failure that ends the work after these rows, or DV_OK */
    char message[512];
    bool done;
} chunk;

typedef struct job {
    const dv_predict_request *request;
    chunk *chunks; /* (chunk_count) */
    int64_t chunk_count;
    pthread_mutex_t naming, ring;
    pthread_cond_t room, ready; /* room: there is room for a chunk; ready: the next chunk is done */
    int64_t taken, given;       /* numbers of chunks */
    int64_t files;              /* number of files taken */
    bool names_end, stop;
    int working, begun; /* threads that have not ended; threads that got a session */
    dv_status start;    /* failure of the first thread that got no session */
    char start_message[512];
} job;

/* ---- Names -> a chunk ---- */

/* Whether reading the file may block. A pipe is a chunk of its own, so that it does not delay the
   answers before it. */
static bool waits(const char *path)
{
    struct stat facts;
    return strcmp(path, "-") == 0 || (stat(path, &facts) == 0 && !S_ISREG(facts.st_mode));
}

static dv_status add_name(chunk *c, const char *name)
{
    size_t size = strlen(name) + 1;
    while (c->room - c->size < size)
        DV_TRY(dv_grow(c->room, 1, &c->room, &c->text));
    memcpy(c->text + c->size, name, size);
    c->size += size;
    c->count++;
    return DV_OK;
}

/* Takes up to a batch of names. Only the first one is waited for. Names that were taken before a
   failure stay. */
static dv_status take_names(const dv_predict_request *request, chunk *c)
{
    const char *name = "";
    dv_status status = DV_OK;
    int64_t most = request->style.windows ? 1 : request->batch;
    bool alone = false;
    while (status == DV_OK && c->count < most && !alone) {
        status = dv_names_next(request->names, c->count == 0, &name);
        if (status != DV_OK || name == NULL)
            break;
        alone = request->streams && waits(name);
        status = add_name(c, name);
    }
    size_t at = 0;
    for (int64_t i = 0; i < c->count; i++) {
        c->names[i] = c->text + at;
        at += strlen(c->text + at) + 1;
    }
    return status;
}

static void keep_failure(chunk *c, dv_status status)
{
    c->status = status;
    snprintf(c->message, sizeof c->message, "%s", dv_error_message());
}

/* Waits for a free chunk in the ring. NULL if the work ends. */
static chunk *wait_for_room(job *j)
{
    pthread_mutex_lock(&j->ring);
    while (!j->stop && !j->names_end && j->taken - j->given == j->chunk_count)
        pthread_cond_wait(&j->room, &j->ring);
    chunk *c = j->stop || j->names_end ? NULL : &j->chunks[j->taken % j->chunk_count];
    pthread_mutex_unlock(&j->ring);
    return c;
}

/* Fills the next chunk with names. NULL if there are no more. */
static chunk *take_chunk(job *j)
{
    pthread_mutex_lock(&j->naming);
    chunk *c = wait_for_room(j);
    if (c != NULL) {
        c->count = 0;
        c->size = 0;
        c->status = DV_OK;
        c->done = false;
        c->first = j->files;
        dv_status status = take_names(j->request, c);
        if (status != DV_OK)
            keep_failure(c, status);
        pthread_mutex_lock(&j->ring);
        j->files += c->count;
        j->names_end = c->count == 0 || status != DV_OK;
        bool empty = c->count == 0 && status == DV_OK;
        j->taken += empty ? 0 : 1;
        pthread_cond_broadcast(&j->room);
        pthread_mutex_unlock(&j->ring);
        c = empty ? NULL : c;
    }
    pthread_mutex_unlock(&j->naming);
    return c;
}

/* ---- A chunk -> rows ---- */

static void drop_answers(chunk *c)
{
    for (int64_t i = 0; i < c->count; i++)
        dv_answer_free_stretches(&c->answers[i]);
    c->count = 0;
}

static dv_status answer_chunk(const dv_predict_request *request, dv_session *session, chunk *c)
{
    c->answers[0].logits = c->logits;
    if (request->style.windows)
        return dv_session_answer_windows(session, c->names[0], request->streams, c->answers);
    return dv_session_answer_files(session, c->names, c->count, request->streams, c->answers);
}

static dv_status write_rows(const dv_predict_request *request, chunk *c)
{
    free(c->rows);
    c->rows = NULL;
    FILE *out = open_memstream(&c->rows, &c->row_bytes);
    if (out == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the answers");
    dv_status status = DV_OK;
    for (int64_t i = 0; status == DV_OK && i < c->count; i++)
        status = dv_row_write(&request->style, request->done + c->first + i, c->names[i],
                              &c->answers[i], out);
    bool whole = ferror(out) == 0;
    whole = fclose(out) == 0 && whole;
    if (status == DV_OK && !whole)
        return DV_FAIL(DV_ENOMEM, "out of memory: the answers");
    return status;
}

/* Computes the rows of a chunk. After a failure it has none, only the status. */
static void compute_chunk(const dv_predict_request *request, dv_session *session, chunk *c)
{
    dv_status status = answer_chunk(request, session, c);
    if (status == DV_OK)
        status = write_rows(request, c);
    if (status == DV_OK)
        return;
    keep_failure(c, status);
    drop_answers(c);
}

static void finish_chunk(job *j, chunk *c)
{
    pthread_mutex_lock(&j->ring);
    c->done = true;
    if (c == &j->chunks[j->given % j->chunk_count])
        pthread_cond_signal(&j->ready);
    pthread_mutex_unlock(&j->ring);
}

/* Records whether a worker got its session. */
static void note_begin(job *j, dv_status status)
{
    pthread_mutex_lock(&j->ring);
    j->begun += status == DV_OK;
    if (status != DV_OK && j->start == DV_OK) {
        j->start = status;
        snprintf(j->start_message, sizeof j->start_message, "%s", dv_error_message());
    }
    pthread_mutex_unlock(&j->ring);
}

static void leave(job *j)
{
    pthread_mutex_lock(&j->ring);
    j->working--;
    pthread_cond_signal(&j->ready);
    pthread_mutex_unlock(&j->ring);
}

static void *work(void *user)
{
    job *j = user;
    const dv_predict_request *request = j->request;
    const dv_session_options how = {.size = sizeof how, .capacity = request->batch, .threads = 1};
    dv_session *session;
    chunk *c;
    dv_status status = dv_session_create(request->model, &how, &session);
    note_begin(j, status);
    while (status == DV_OK && (c = take_chunk(j)) != NULL) {
        if (c->count > 0)
            compute_chunk(request, session, c);
        finish_chunk(j, c);
    }
    dv_session_free(session);
    leave(j);
    return NULL;
}

/* ---- Rows -> the caller ---- */

static void tell_files(const dv_predict_request *request, chunk *c, dv_predict_progress *progress)
{
    for (int64_t i = 0; i < c->count; i++) {
        dv_answer *answer = &c->answers[i];
        dv_answer_warn(&request->log, c->names[i], answer, request->hint);
        if (answer->status != DV_OK)
            dv_log_write(&request->log, DV_LOG_INFO, "%s", answer->message);
        progress->done++;
        progress->failed += answer->status != DV_OK;
    }
}

static dv_status give_chunk(const dv_predict_request *request, chunk *c,
                            dv_predict_progress *progress)
{
    dv_status status = DV_OK;
    if (c->count > 0)
        status = request->write(request->user, c->rows, c->row_bytes);
    if (status == DV_OK)
        tell_files(request, c, progress);
    if (status == DV_OK && c->status != DV_OK)
        status = dv_fail(c->status, "%s", c->message);
    return status;
}

/* Waits for the next chunk until the next progress report is due. NULL if the chunk is not done
   yet, or if there are no more chunks (*end). */
static chunk *wait_for_chunk(job *j, bool *end)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TELL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&j->ring);
    chunk *c = &j->chunks[j->given % j->chunk_count];
    int error = 0;
    while (error == 0 && !(j->given < j->taken && c->done) && j->working > 0)
        error = pthread_cond_timedwait(&j->ready, &j->ring, &until);
    bool there = j->given < j->taken && c->done;
    *end = !there && j->working == 0;
    pthread_mutex_unlock(&j->ring);
    return there ? c : NULL;
}

static void free_place(job *j)
{
    pthread_mutex_lock(&j->ring);
    j->given++;
    pthread_cond_broadcast(&j->room);
    pthread_mutex_unlock(&j->ring);
}

/* Makes the workers begin no more files and wait for no more names. */
static void stop_workers(job *j)
{
    dv_names_stop(j->request->names);
    pthread_mutex_lock(&j->ring);
    j->stop = true;
    pthread_cond_broadcast(&j->room);
    pthread_mutex_unlock(&j->ring);
}

/* Outputs chunk after chunk until all workers have ended. After a failure the rest is dropped. */
static dv_status give_all(job *j, dv_predict_progress *progress)
{
    const dv_predict_request *request = j->request;
    dv_status status = DV_OK;
    double begin = dv_clock(), told = begin;
    for (bool end = false; !end;) {
        chunk *c = wait_for_chunk(j, &end);
        if (c != NULL && status == DV_OK)
            status = give_chunk(request, c, progress);
        if (c != NULL) {
            drop_answers(c);
            free_place(j);
        }
        if (status != DV_OK || (request->stops != NULL && request->stops(request->user)))
            stop_workers(j);
        double now = dv_clock();
        progress->seconds = now - begin;
        if (now - told >= TELL_MS / 1000.0 || end) {
            told = now;
            request->tell(request->user, progress);
        }
    }
    return status;
}

/* ---- The job ---- */

static void free_chunks(job *j)
{
    for (int64_t i = 0; j->chunks != NULL && i < j->chunk_count; i++) {
        chunk *c = &j->chunks[i];
        free(c->text);
        free(c->names);
        free(c->answers);
        free(c->logits);
        free(c->rows);
    }
    free(j->chunks);
}

static dv_status make_chunks(job *j)
{
    size_t batch = (size_t)j->request->batch, classes = dv_model_label_count(j->request->model);
    j->chunk_count = (int64_t)CHUNKS_A_WORKER * j->request->workers;
    DV_TRY(dv_calloc((size_t)j->chunk_count, sizeof *j->chunks, &j->chunks));
    for (int64_t i = 0; i < j->chunk_count; i++) {
        chunk *c = &j->chunks[i];
        DV_TRY(dv_calloc(batch, sizeof *c->names, &c->names));
        DV_TRY(dv_calloc(batch, sizeof *c->answers, &c->answers));
        DV_TRY(dv_calloc(batch * classes, sizeof *c->logits, &c->logits));
    }
    return DV_OK;
}

/* Makes a condition that uses the monotonic clock, which nobody can set. */
static void make_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* The final status, after all workers have ended. */
static dv_status conclude(const job *j, const dv_predict_progress *progress)
{
    const dv_predict_request *request = j->request;
    if (j->begun == 0)
        return dv_fail(j->start, "%s", j->start_message);
    if (j->begun < request->workers)
        dv_log_write(&request->log, DV_LOG_WARNING, "only %d of %d threads could begin: %s",
                     j->begun, request->workers, j->start_message);
    if (!dv_names_ended(request->names))
        return DV_FAIL(DV_EINTERRUPTED, "interrupted after %lld file%s", (long long)progress->done,
                       dv_plural((size_t)progress->done));
    return DV_OK;
}

/* Starts the workers, outputs their rows, and waits for their end. The work is done with fewer
   threads if not all can be started, but at least with one. */
static dv_status run(job *j, dv_predict_progress *progress)
{
    pthread_t threads[DV_PREDICT_WORKERS];
    int started = 0, error = 0;
    j->working = j->request->workers;
    while (started < j->request->workers && error == 0) {
        error = pthread_create(&threads[started], NULL, work, j);
        started += error == 0 ? 1 : 0;
    }
    for (int i = started; i < j->request->workers; i++) {
        note_begin(j, DV_FAIL(DV_ESYSTEM, "a thread cannot be started: %s", strerror(error)));
        leave(j);
    }
    dv_status status = give_all(j, progress);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return status == DV_OK ? conclude(j, progress) : status;
}

dv_status dv_predict(const dv_predict_request *request, dv_predict_progress *out)
{
    job j = {
        .request = request, .naming = PTHREAD_MUTEX_INITIALIZER, .ring = PTHREAD_MUTEX_INITIALIZER};
    *out = (dv_predict_progress){.done = request->done,
                                 .failed = request->failed,
                                 .earlier = request->done,
                                 .total = dv_names_count(request->names)};
    DV_ASSERT(request->workers >= 1 && request->workers <= DV_PREDICT_WORKERS);
    make_condition(&j.room);
    make_condition(&j.ready);
    dv_status status = make_chunks(&j);
    if (status == DV_OK)
        status = run(&j, out);
    free_chunks(&j);
    pthread_cond_destroy(&j.room);
    pthread_cond_destroy(&j.ready);
    return status;
}

int dv_predict_batch_for(const dv_model *model, int64_t files, int workers, int wanted)
{
    int64_t each = files < 0 ? INT32_MAX : (files + workers - 1) / workers;
    if (wanted > 0)
        return each < 1 ? 1 : each < wanted ? (int)each : wanted;
    return dv_session_capacity_for(model, each);
}
