/* The predictor: loading a checkpoint, a worker for each thread, and answers to files and clips. */
#include "frontends/model/predictor.h"
#include "engine/backends/open.h"
#include "engine/device/threads.h"
#include "engine/layers/network.h"
#include "frontends/audio/audio.h"
#include "frontends/model/choices.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct dv_predictor {
    int threads;
    dv_checkpoint checkpoint;
    dv_frontend *frontend;
    dv_context *context; /* of the parameters */
    dv_network network;  /* batch 1; its plan is of the thread that loads, others make their own */
};

/* What a thread needs for itself. */
typedef struct dv_worker {
    dv_context *context; /* NULL: the predictor's own */
    dv_plan *plan;
    float *window;   /* (samples) */
    float *features; /* (rows, frames), NULL where the front-end writes into the plan's memory */
    void *scratch;   /* of the front-end */
    dv_plan *owned;  /* plan, where it is not the predictor's */
} dv_worker;

/* ---- Loading ---- */

static dv_status read_frontend(dv_predictor *predictor)
{
    dv_features_config config;
    const dv_tree *features = dv_tree_get(predictor->checkpoint.config, "features");
    if (features == NULL)
        return DV_FAIL(DV_ECONFIG, "the configuration has no section 'features'");
    DV_TRY(dv_fields_read(dv_features_fields, features, "features", &config));
    return dv_frontend_create(&config, &predictor->frontend);
}

static dv_status build_network(dv_predictor *predictor)
{
    dv_network_options options = {.model = dv_tree_get(predictor->checkpoint.config, "model"),
                                  .batch = 1,
                                  .rows = dv_frontend_rows(predictor->frontend),
                                  .frames = dv_frontend_frames(predictor->frontend),
                                  .classes = dv_predictor_classes(predictor)};
    if (options.model == NULL)
        return DV_FAIL(DV_ECONFIG, "the configuration has no section 'model'");
    return dv_network_build(predictor->context, &options, &predictor->network);
}

static dv_status read_kept(dv_predictor *predictor)
{
    dv_buffer kept;
    DV_TRY(dv_checkpoint_kept(&predictor->checkpoint, &kept));
    if (kept == DV_BUFFER_VALUES)
        return dv_checkpoint_read(&predictor->checkpoint, predictor->network.params,
                                  DV_BUFFER_VALUES);
    DV_TRY(dv_params_allocate_buffer(predictor->network.params, kept));
    DV_TRY(dv_checkpoint_read(&predictor->checkpoint, predictor->network.params, kept));
    return dv_params_copy(predictor->network.params, kept, DV_BUFFER_VALUES);
}

/* By the algorithms that were found before for this checkpoint, if there are such. */
static dv_status plan_first(dv_predictor *predictor, const char *checkpoint)
{
    dv_choices choices;
    dv_choices_recall(predictor->context, checkpoint, &choices);
    dv_status status = dv_network_plan(predictor->context, NULL, &predictor->network);
    if (status == DV_OK)
        dv_choices_keep(predictor->context, &choices);
    dv_choices_free(&choices);
    return status;
}

static dv_status load(dv_predictor *predictor, const char *checkpoint,
                      const dv_predictor_options *options)
{
    DV_TRY(dv_checkpoint_open(checkpoint, &predictor->checkpoint));
    DV_TRY(read_frontend(predictor));
    DV_TRY(dv_context_open(options->device, 1, options->log, &predictor->context));
    predictor->context->algorithms = options->algorithms;
    DV_TRY(build_network(predictor));
    DV_TRY(plan_first(predictor, checkpoint));
    return read_kept(predictor);
}

dv_status dv_predictor_load(const char *checkpoint, const dv_predictor_options *options,
                            dv_predictor **out)
{
    *out = NULL;
    dv_predictor *predictor;
    DV_TRY(dv_calloc(1, sizeof *predictor, &predictor));
    predictor->threads = options->threads > 0 ? options->threads : dv_physical_cores();
    int threads_before = omp_get_max_threads();
    dv_status status = load(predictor, checkpoint, options);
    omp_set_num_threads(threads_before); /* the context of one thread has set it to 1 */
    if (status == DV_ECONFIG || status == DV_ESHAPE)
        status = dv_fail_within(DV_EFORMAT, "%s", checkpoint);
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
    dv_network_free(&predictor->network);
    dv_context_close(predictor->context);
    dv_frontend_free(predictor->frontend);
    dv_checkpoint_close(&predictor->checkpoint);
    free(predictor);
}

int64_t dv_predictor_classes(const dv_predictor *predictor)
{
    return (int64_t)predictor->checkpoint.labels->count;
}

const char *dv_predictor_label(const dv_predictor *predictor, int64_t class)
{
    return predictor->checkpoint.labels->children[class]->text;
}

const dv_frontend *dv_predictor_frontend(const dv_predictor *predictor)
{
    return predictor->frontend;
}

const dv_checkpoint *dv_predictor_checkpoint(const dv_predictor *predictor)
{
    return &predictor->checkpoint;
}

const dv_graph *dv_predictor_graph(const dv_predictor *predictor)
{
    return predictor->network.graph;
}

dv_params *dv_predictor_params(dv_predictor *predictor)
{
    return predictor->network.params;
}

int64_t dv_predictor_parameters(const dv_predictor *predictor)
{
    return dv_params_count(predictor->network.params);
}

const char *dv_predictor_device(const dv_predictor *predictor)
{
    return predictor->context->backend->name;
}

dv_seen dv_predictor_seen(const dv_predictor *predictor, int64_t count, int64_t center)
{
    int64_t from, to;
    double rate = (double)dv_frontend_config(predictor->frontend)->sample_rate;
    dv_frontend_seen(predictor->frontend, count, center, 0, &from, &to);
    return (dv_seen){(double)count / rate, (double)from / rate, (double)to / rate};
}

/* ---- Workers ---- */

static void worker_free(dv_worker *worker)
{
    dv_plan_free(worker->owned);
    dv_context_close(worker->context);
    free(worker->window);
    free(worker->features);
    free(worker->scratch);
}

/* The first thread uses the plan that loading made; each further one makes its own, from inside
   its thread, so that all plans are made and run under the same conditions. */
static dv_status worker_create(const dv_predictor *predictor, bool first, dv_worker *worker)
{
    memset(worker, 0, sizeof *worker);
    omp_set_num_threads(1); /* of this thread's tasks: one clip, one thread */
    size_t samples = (size_t)dv_frontend_samples(predictor->frontend);
    DV_TRY(dv_calloc(samples, sizeof *worker->window, &worker->window));
    size_t scratch = (dv_frontend_scratch(predictor->frontend) + 63) / 64 * 64;
    worker->scratch = aligned_alloc(64, scratch > 0 ? scratch : 64);
    if (worker->scratch == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", scratch);
    if (!predictor->context->backend->host_memory) {
        dv_shape shape = dv_graph_shape(predictor->network.graph, predictor->network.input);
        DV_TRY(
            dv_calloc((size_t)dv_shape_count(shape), sizeof *worker->features, &worker->features));
    }
    worker->plan = predictor->network.plan;
    if (first)
        return DV_OK;
    DV_TRY(dv_context_open_same(predictor->context, 1, &worker->context));
    DV_TRY(dv_choices_share(predictor->context, worker->context));
    DV_TRY(dv_network_plan_again(&predictor->network, worker->context, &worker->owned));
    worker->plan = worker->owned;
    return DV_OK;
}

/* samples (count) are prepared -> logits (classes). */
static dv_status worker_answer(const dv_predictor *predictor, dv_worker *worker,
                               const float *samples, int64_t count, int64_t center, float *logits)
{
    dv_frontend_cut(predictor->frontend, samples, count, center, 0, 1, worker->window);
    float *features = worker->features;
    if (features == NULL)
        features = dv_plan_address(worker->plan, predictor->network.input);
    dv_frontend_compute(predictor->frontend, worker->window, features, worker->scratch);
    if (worker->features != NULL)
        DV_TRY(dv_plan_upload(worker->plan, predictor->network.input, features));
    dv_pass pass = {.training = false};
    DV_TRY(dv_plan_forward(worker->plan, &pass));
    DV_TRY(dv_plan_download(worker->plan, predictor->network.logits, logits));
    for (int64_t k = 0; k < dv_predictor_classes(predictor); k++) {
        if (!isfinite(logits[k]))
            return DV_FAIL(DV_ENUMERIC, "the model's answer is not finite: its weights are of no "
                                        "use");
    }
    return DV_OK;
}

/* Answers in the order of their numbers, whoever has them first. */
typedef struct dv_turns {
    const dv_telling *how;
    bool *there;  /* (count) */
    int64_t next; /* to be told */
} dv_turns;

/* Runs `answer(job, worker, i)` for every i of 0..count-1. */
typedef struct dv_job {
    dv_predictor *predictor;
    int64_t count;
    dv_status (*answer)(const struct dv_job *job, dv_worker *worker, int64_t i);
    const char *const *paths;
    dv_answer *answers;
    const dv_dataset *dataset;
    const int64_t *indices;
    float *logits;
    dv_turns *turns; /* NULL: nobody waits for them */
} dv_job;

/* A job that is being done: its workers take one clip after the other. */
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
        log_answer(&job->predictor->context->log, job->paths[k], &job->answers[k]);
        turns->how->tell(turns->how->user, k);
        stretches_free(&job->answers[k]);
    }
    pthread_mutex_unlock(&run->lock);
}

/* The work of one thread: it takes one clip after the other, until none is left or one fails. Its
   message is copied for run_job, since each thread has messages of its own. */
static void work(void *of_run, int thread)
{
    job_run *run = of_run;
    const dv_job *job = run->job;
    dv_worker worker;
    dv_status status = worker_create(job->predictor, thread == 0, &worker);
    while (status == DV_OK) {
        int64_t i = atomic_fetch_add(&run->next, 1);
        if (i >= job->count)
            break;
        status = job->answer(job, &worker, i);
        if (status == DV_OK && job->turns != NULL)
            take_turn(run, i);
    }
    worker_free(&worker);
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
    int threads_before = omp_get_max_threads();
    int made = dv_threads_run(threads, work, &run, &job->predictor->context->log);
    omp_set_num_threads(threads_before);
    pthread_mutex_destroy(&run.lock);
    if (made < threads)
        job->predictor->threads = made;
    return run.failure == DV_OK ? DV_OK : DV_FAIL(run.failure, "%s", run.message);
}

/* samples (count), of no use afterwards -> logits (classes), and what was seen of them. */
static dv_status answer_samples(const dv_predictor *predictor, dv_worker *worker, float *samples,
                                int64_t count, float *logits, dv_seen *seen)
{
    const dv_frontend *frontend = predictor->frontend;
    int64_t center = dv_frontend_prepare(frontend, samples, count);
    *seen = dv_predictor_seen(predictor, count, center);
    return worker_answer(predictor, worker, samples, count, center, logits);
}

/* samples (count) -> the stretches of the answer; `copy` has room for a window. */
static dv_status answer_stretches(const dv_predictor *predictor, dv_worker *worker,
                                  const float *samples, int64_t count, float *copy,
                                  dv_answer *answer)
{
    int64_t window = dv_frontend_samples(predictor->frontend),
            most = count < window ? count : window;
    double rate = (double)dv_frontend_config(predictor->frontend)->sample_rate;
    float *logits = answer->stretches[0].logits;
    for (int64_t i = 0; i < answer->stretch_count; i++) {
        dv_seen seen;
        int64_t from = i * window < count - most ? i * window : count - most;
        memcpy(copy, samples + from, (size_t)most * sizeof *copy);
        answer->stretches[i] = (dv_stretch){.from = (double)from / rate,
                                            .to = (double)(from + most) / rate,
                                            .logits = logits + i * dv_predictor_classes(predictor)};
        DV_TRY(answer_samples(predictor, worker, copy, most, answer->stretches[i].logits, &seen));
    }
    answer->seen = (dv_seen){.seconds = (double)count / rate, .to = (double)count / rate};
    return DV_OK;
}

/* Each window of the file by itself. */
static dv_status answer_windows(const dv_predictor *predictor, dv_worker *worker,
                                const dv_audio *audio, dv_answer *answer)
{
    int64_t window = dv_frontend_samples(predictor->frontend);
    size_t count = (size_t)((audio->count + window - 1) / window);
    size_t classes = (size_t)dv_predictor_classes(predictor);
    float *copy = NULL;
    DV_TRY(dv_calloc(count, sizeof *answer->stretches, &answer->stretches));
    answer->stretch_count = (int64_t)count;
    dv_status status = dv_calloc(count * classes, sizeof(float), &answer->stretches[0].logits);
    if (status == DV_OK)
        status = dv_calloc((size_t)window, sizeof *copy, &copy);
    if (status == DV_OK)
        status = answer_stretches(predictor, worker, audio->samples, audio->count, copy, answer);
    free(copy);
    return status;
}

static dv_status read_and_answer(const dv_job *job, dv_worker *worker, const char *path,
                                 dv_answer *answer)
{
    dv_audio audio;
    const dv_predictor *predictor = job->predictor;
    const dv_telling *how = job->turns != NULL ? job->turns->how : &(dv_telling){0};
    DV_TRY((how->streams ? dv_audio_read_stream : dv_audio_read)(
        path, dv_frontend_config(predictor->frontend)->sample_rate, DV_PREDICTOR_MAX_SECONDS,
        &audio));
    answer->remarks = audio.facts.remarks;
    answer->longer = !how->windows && audio.count > dv_frontend_samples(predictor->frontend);
    dv_status status = how->windows ? answer_windows(predictor, worker, &audio, answer)
                                    : answer_samples(predictor, worker, audio.samples, audio.count,
                                                     answer->logits, &answer->seen);
    dv_audio_free(&audio);
    return status == DV_OK ? DV_OK : dv_fail_within(status, "%s", path);
}

static dv_status answer_file(const dv_job *job, dv_worker *worker, int64_t i)
{
    dv_answer *answer = &job->answers[i];
    *answer = (dv_answer){.logits = answer->logits};
    answer->status = read_and_answer(job, worker, job->paths[i], answer);
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
        log_answer(&predictor->context->log, paths[i], &answers[i]);
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

static dv_status answer_clip(const dv_job *job, dv_worker *worker, int64_t i)
{
    const dv_clip *clip = &job->dataset->clips[job->indices[i]];
    return worker_answer(job->predictor, worker, clip->samples, clip->count, clip->center,
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
