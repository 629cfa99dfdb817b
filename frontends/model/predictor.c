/* The predictor: a model with a session for each thread, and answers to files and clips. */
#include "frontends/model/predictor.h"
#include "engine/device/threads.h"
#include "frontends/audio/audio.h"
#include "frontends/model/session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct dv_predictor {
    int threads;
    dv_model *model;
    dv_session **sessions; /* (session_count) one for each thread that a job has had; NULL until it
                              is wanted */
    size_t session_count;
};

/* ---- Loading ---- */

static dv_status load(dv_predictor *predictor, const char *checkpoint,
                      const dv_predictor_options *options)
{
    dv_model_options model = {
        .device = options->device, .algorithms = options->algorithms, .log = options->log};
    predictor->threads = options->threads > 0 ? options->threads : dv_physical_cores();
    return dv_model_open(checkpoint, &model, &predictor->model);
}

dv_status dv_predictor_load(const char *checkpoint, const dv_predictor_options *options,
                            dv_predictor **out)
{
    *out = NULL;
    dv_predictor *predictor;
    DV_TRY(dv_calloc(1, sizeof *predictor, &predictor));
    dv_status status = load(predictor, checkpoint, options);
    if (status != DV_OK) {
        dv_predictor_free(predictor);
        return status;
    }
    *out = predictor;
    return DV_OK;
}

void dv_predictor_free(dv_predictor *predictor)
{
    if (predictor == NULL)
        return;
    for (size_t i = 0; i < predictor->session_count; i++)
        dv_session_free(predictor->sessions[i]);
    free(predictor->sessions);
    dv_model_close(predictor->model);
    free(predictor);
}

int64_t dv_predictor_classes(const dv_predictor *predictor)
{
    return dv_model_classes(predictor->model);
}

const char *dv_predictor_label(const dv_predictor *predictor, int64_t class)
{
    return dv_model_label(predictor->model, class);
}

const dv_frontend *dv_predictor_frontend(const dv_predictor *predictor)
{
    return dv_model_frontend(predictor->model);
}

const dv_checkpoint *dv_predictor_checkpoint(const dv_predictor *predictor)
{
    return dv_model_checkpoint(predictor->model);
}

const dv_graph *dv_predictor_graph(const dv_predictor *predictor)
{
    return dv_model_network(predictor->model)->graph;
}

dv_params *dv_predictor_params(dv_predictor *predictor)
{
    return dv_model_network(predictor->model)->params;
}

int64_t dv_predictor_parameters(const dv_predictor *predictor)
{
    return dv_params_count(dv_model_network(predictor->model)->params);
}

const char *dv_predictor_device(const dv_predictor *predictor)
{
    return dv_model_context(predictor->model)->backend->name;
}

static const dv_log *log_of(const dv_predictor *predictor)
{
    return &dv_model_context(predictor->model)->log;
}

/* What the model sees of a clip of `count` samples with this centre. */
static dv_seen seen_of(const dv_predictor *predictor, int64_t count, int64_t center)
{
    int64_t from, to;
    double rate = (double)dv_frontend_config(dv_predictor_frontend(predictor))->sample_rate;
    dv_frontend_seen(dv_predictor_frontend(predictor), count, center, 0, &from, &to);
    return (dv_seen){(double)count / rate, (double)from / rate, (double)to / rate};
}

/* ---- Jobs ---- */

/* Answers in the order of their numbers, whoever has them first. */
typedef struct dv_turns {
    const dv_telling *how;
    bool *there;  /* (count) */
    int64_t next; /* to be told */
} dv_turns;

/* Runs `answer(job, session, i)` for every i of 0..count-1. */
typedef struct dv_job {
    dv_predictor *predictor;
    int64_t count;
    dv_status (*answer)(const struct dv_job *job, dv_session *session, int64_t i);
    const char *const *paths;
    dv_answer *answers;
    const dv_dataset *dataset;
    const int64_t *indices;
    float *logits;
    dv_turns *turns; /* NULL: nobody waits for them */
} dv_job;

/* A job that is being done: its threads take one clip after the other. */
typedef struct job_run {
    const dv_job *job;
    _Atomic int64_t next;
    pthread_mutex_t lock; /* of the job's turns and of what follows */
    dv_status failure;
    char message[512];
} job_run;

static void stretches_free(dv_answer *answer)
{
    if (answer->stretches != NULL)
        free(answer->stretches[0].logits);
    free(answer->stretches);
    answer->stretches = NULL;
}

/* What the user of the file should know beside its answer. */
static void log_answer(const dv_log *log, const char *path, const dv_answer *answer)
{
    static const double least = 0.01; /* s that are worth a word */
    const dv_seen *seen = &answer->seen;
    for (int remark = 0; remark < DV_AUDIO_REMARK_COUNT; remark++) {
        if ((answer->remarks >> remark & 1) != 0)
            dv_log_write(log, DV_LOG_WARNING, "%s: %s", path,
                         dv_audio_remark_text((dv_audio_remark)remark));
    }
    if (answer->longer && seen->seconds - (seen->to - seen->from) >= least)
        dv_log_write(log, DV_LOG_WARNING,
                     "%s: is %.2f s long, of which the model has seen one window, %.2f to %.2f s; "
                     "decavox predict --windows answers each",
                     path, seen->seconds, seen->from, seen->to);
}

/* Tells of the answer, and of those after it that waited for it. */
static void take_turn(job_run *run, int64_t i)
{
    const dv_job *job = run->job;
    dv_turns *turns = job->turns;
    pthread_mutex_lock(&run->lock);
    turns->there[i] = true;
    for (int64_t k = turns->next; k < job->count && turns->there[k]; turns->next = ++k) {
        log_answer(log_of(job->predictor), job->paths[k], &job->answers[k]);
        turns->how->tell(turns->how->user, k);
        stretches_free(&job->answers[k]);
    }
    pthread_mutex_unlock(&run->lock);
}

/* Room for the sessions of so many threads, before they begin. */
static dv_status reserve_sessions(dv_predictor *predictor, int threads)
{
    dv_session **more;
    if ((size_t)threads <= predictor->session_count)
        return DV_OK;
    DV_TRY(dv_calloc((size_t)threads, sizeof *more, &more));
    for (size_t i = 0; i < predictor->session_count; i++)
        more[i] = predictor->sessions[i];
    free(predictor->sessions);
    predictor->sessions = more;
    predictor->session_count = (size_t)threads;
    return DV_OK;
}

/* Made in the thread's first job. */
static dv_status session_of(dv_predictor *predictor, int thread, dv_session **out)
{
    dv_session **session = &predictor->sessions[thread];
    if (*session == NULL)
        DV_TRY(dv_session_create(predictor->model, session));
    *out = *session;
    return DV_OK;
}

/* The work of one thread: it takes one clip after the other, until none is left or one fails. Its
   message is copied for run_job, since each thread has messages of its own. */
static void work(void *of_run, int thread)
{
    job_run *run = of_run;
    const dv_job *job = run->job;
    dv_session *session = NULL;
    dv_status status = session_of(job->predictor, thread, &session);
    while (status == DV_OK) {
        int64_t i = atomic_fetch_add(&run->next, 1);
        if (i >= job->count)
            break;
        status = job->answer(job, session, i);
        if (status == DV_OK && job->turns != NULL)
            take_turn(run, i);
    }
    if (status != DV_OK) {
        pthread_mutex_lock(&run->lock);
        run->failure = status;
        snprintf(run->message, sizeof run->message, "%s", dv_error_message());
        pthread_mutex_unlock(&run->lock);
    }
}

/* Never more threads than clips. Where some cannot be made, later jobs do not try again. */
static dv_status run_job(const dv_job *job)
{
    job_run run = {.job = job, .lock = PTHREAD_MUTEX_INITIALIZER};
    int64_t clips = job->count > 0 ? job->count : 1;
    int most = job->predictor->threads, threads = clips < most ? (int)clips : most;
    DV_TRY(reserve_sessions(job->predictor, threads));
    int made = dv_threads_run(threads, work, &run, log_of(job->predictor));
    pthread_mutex_destroy(&run.lock);
    if (made < threads)
        job->predictor->threads = made;
    return run.failure == DV_OK ? DV_OK : DV_FAIL(run.failure, "%s", run.message);
}

/* samples (count), of no use afterwards -> logits (classes), and what was seen of them. */
static dv_status answer_samples(const dv_predictor *predictor, dv_session *session, float *samples,
                                int64_t count, float *logits, dv_seen *seen)
{
    const dv_frontend *frontend = dv_predictor_frontend(predictor);
    int64_t center = dv_frontend_prepare(frontend, samples, count);
    *seen = seen_of(predictor, count, center);
    return dv_session_answer(session, samples, count, center, logits);
}

/* samples (count) -> the stretches of the answer; `copy` has room for a window. */
static dv_status answer_stretches(const dv_predictor *predictor, dv_session *session,
                                  const float *samples, int64_t count, float *copy,
                                  dv_answer *answer)
{
    int64_t window = dv_frontend_samples(dv_predictor_frontend(predictor)),
            most = count < window ? count : window;
    double rate = (double)dv_frontend_config(dv_predictor_frontend(predictor))->sample_rate;
    float *logits = answer->stretches[0].logits;
    for (int64_t i = 0; i < answer->stretch_count; i++) {
        dv_seen seen;
        int64_t from = i * window < count - most ? i * window : count - most;
        memcpy(copy, samples + from, (size_t)most * sizeof *copy);
        answer->stretches[i] = (dv_stretch){.from = (double)from / rate,
                                            .to = (double)(from + most) / rate,
                                            .logits = logits + i * dv_predictor_classes(predictor)};
        DV_TRY(answer_samples(predictor, session, copy, most, answer->stretches[i].logits, &seen));
    }
    answer->seen = (dv_seen){.seconds = (double)count / rate, .to = (double)count / rate};
    return DV_OK;
}

/* Each window of the file by itself. */
static dv_status answer_windows(const dv_predictor *predictor, dv_session *session,
                                const dv_audio *audio, dv_answer *answer)
{
    int64_t window = dv_frontend_samples(dv_predictor_frontend(predictor));
    size_t count = (size_t)((audio->count + window - 1) / window);
    size_t classes = (size_t)dv_predictor_classes(predictor);
    float *copy = NULL;
    DV_TRY(dv_calloc(count, sizeof *answer->stretches, &answer->stretches));
    answer->stretch_count = (int64_t)count;
    dv_status status = dv_calloc(count * classes, sizeof(float), &answer->stretches[0].logits);
    if (status == DV_OK)
        status = dv_calloc((size_t)window, sizeof *copy, &copy);
    if (status == DV_OK)
        status = answer_stretches(predictor, session, audio->samples, audio->count, copy, answer);
    free(copy);
    return status;
}

static dv_status read_and_answer(const dv_job *job, dv_session *session, const char *path,
                                 dv_answer *answer)
{
    dv_audio audio;
    const dv_predictor *predictor = job->predictor;
    const dv_telling *how = job->turns != NULL ? job->turns->how : &(dv_telling){0};
    DV_TRY((how->streams ? dv_audio_read_stream : dv_audio_read)(
        path, dv_frontend_config(dv_predictor_frontend(predictor))->sample_rate,
        DV_PREDICTOR_MAX_SECONDS, NULL, &audio));
    answer->remarks = audio.facts.remarks;
    answer->longer =
        !how->windows && audio.count > dv_frontend_samples(dv_predictor_frontend(predictor));
    dv_status status = how->windows ? answer_windows(predictor, session, &audio, answer)
                                    : answer_samples(predictor, session, audio.samples, audio.count,
                                                     answer->logits, &answer->seen);
    dv_audio_free(&audio);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "%s", path);
}

static dv_status answer_file(const dv_job *job, dv_session *session, int64_t i)
{
    dv_answer *answer = &job->answers[i];
    *answer = (dv_answer){.logits = answer->logits};
    answer->status = read_and_answer(job, session, job->paths[i], answer);
    if (answer->status != DV_OK)
        snprintf(answer->message, sizeof answer->message, "%s", dv_error_message());
    /* What is not the file's fault would befall the others too. */
    bool of_all = answer->status == DV_ESYSTEM || answer->status == DV_ENOMEM;
    return of_all ? answer->status : DV_OK;
}

dv_status dv_predictor_files(dv_predictor *predictor, const char *const *paths, int64_t count,
                             dv_answer *answers)
{
    dv_job job = {.predictor = predictor,
                  .count = count,
                  .answer = answer_file,
                  .paths = paths,
                  .answers = answers};
    DV_TRY(run_job(&job));
    for (int64_t i = 0; i < count; i++)
        log_answer(log_of(predictor), paths[i], &answers[i]);
    return DV_OK;
}

dv_status dv_predictor_files_told(dv_predictor *predictor, const char *const *paths, int64_t count,
                                  dv_answer *answers, const dv_telling *how)
{
    dv_turns turns = {.how = how};
    dv_job job = {.predictor = predictor,
                  .count = count,
                  .answer = answer_file,
                  .paths = paths,
                  .answers = answers,
                  .turns = &turns};
    DV_TRY(dv_calloc((size_t)count, sizeof *turns.there, &turns.there));
    for (int64_t i = 0; i < count; i++)
        answers[i].stretches = NULL;
    dv_status status = run_job(&job);
    for (int64_t i = turns.next; i < count; i++) /* those that nobody was told of */
        stretches_free(&answers[i]);
    free(turns.there);
    return status;
}

dv_status dv_predictor_samples(dv_predictor *predictor, float *samples, int64_t count,
                               float *logits, dv_seen *seen)
{
    dv_session *session;
    DV_TRY(reserve_sessions(predictor, 1));
    DV_TRY(session_of(predictor, 0, &session));
    return answer_samples(predictor, session, samples, count, logits, seen);
}

static dv_status answer_clip(const dv_job *job, dv_session *session, int64_t i)
{
    const dv_clip *clip = &job->dataset->clips[job->indices[i]];
    return dv_session_answer(session, clip->samples, clip->count, clip->center,
                             job->logits + i * dv_predictor_classes(job->predictor));
}

dv_status dv_predictor_clips(dv_predictor *predictor, const dv_dataset *dataset,
                             const int64_t *indices, int64_t count, float *logits)
{
    dv_job job = {.predictor = predictor,
                  .count = count,
                  .answer = answer_clip,
                  .dataset = dataset,
                  .indices = indices,
                  .logits = logits};
    return run_job(&job);
}
