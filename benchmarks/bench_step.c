/*
 * Times the training step, or the forward pass, of a model on random features, on request:
 *
 *     bench_step MODEL.yaml [--batch 32] [--threads 1] [--inference] ...
 *
 * reads commands from stdin and answers each with a line of JSON on stdout, so that a driver can
 * alternate it with another program:
 *
 *     run K        K steps: {"microseconds": [wall time of each], "cpu_microseconds": mean of all
 *                  threads' time, "losses": [mean of each step's batch]}
 *     save PATH    writes a checkpoint of the present parameters and moments
 *     batches PATH writes features (N,rows,frames), targets (N,classes), in the order in which the
 *                  steps take them, and with --inference logits (N,classes), as safetensors
 *     layers       the time of each layer so far (--time_layers), on stderr
 *     quit
 *
 * A step is the trainer's own: batch, forward, backward, norm, clipping, update, loss, accuracy.
 *
 * On a device apart from the host (--device cuda) a measurement ends with a wait for the device, so
 * --report R measures R steps at once: `run K` makes K steps or up to R - 1 more, and each of the
 * times and losses is the mean of R steps. --resident keeps one batch in the device's memory, from
 * where each step copies it; otherwise a batch goes over from the host in each step.
 */
#include "engine/core/rng.h"
#include "engine/io/checkpoint.h"
#include "engine/io/model_file.h"
#include "engine/io/safetensors.h"
#include "engine/io/yaml.h"
#include "engine/layers/model.h"
#include "engine/train/trainer.h"
#include "runner/help.h"
#include "runner/options.h"
#include "runner/threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BATCHES = 64,      /* different ones, taken in turn: random labels stay hard to learn */
    MAX_STEPS = 65536, /* of one `run` */
    LINE_SIZE = 1024,
};

typedef struct bench_options {
    int64_t batch, threads, rows, frames, classes, seed, report;
    bool inference, time_layers, resident, record;
    int optimizer, precision;
    double learning_rate, weight_decay;
    char device[DV_STRING_SIZE], checkpoint[DV_STRING_SIZE];
} bench_options;

static const char *const precision_names[] = {"fp32", "fp16", "bf16", NULL}; /* dv_dtype */

static const dv_field fields[] = {
    DV_INT(bench_options, batch, "32", 1, 65536, "samples per step"),
    DV_INT(bench_options, threads, "1", 0, 1024, "0: as many as there are physical cores"),
    DV_INT(bench_options, rows, "13", 1, 4096, "coefficients of the features"),
    DV_INT(bench_options, frames, "32", 1, 65536, "frames of the features"),
    DV_INT(bench_options, classes, "10", 2, 65536, "classes"),
    DV_INT(bench_options, seed, "1", 0, 4294967295, "of weights, features and dropout"),
    DV_BOOL(bench_options, inference, "false", "the forward pass alone, without dropout"),
    DV_BOOL(bench_options, time_layers, "false", "measure each layer of the training step"),
    DV_ENUM(bench_options, optimizer, "adamw", dv_optimizer_names, "update rule"),
    DV_FLOAT(bench_options, learning_rate, "0.001", 0, 10, "constant"),
    DV_FLOAT(bench_options, weight_decay, "0.02", 0, 10, "on matrices"),
    DV_STRING(bench_options, device, "cpu", "cpu, ref, cuda, cuda:N or cudasim"),
    DV_ENUM(bench_options, precision, "fp32", precision_names, "of activations; halves on a GPU"),
    DV_INT(bench_options, report, "1", 1, 1024, "steps to a time, on a GPU"),
    DV_BOOL(bench_options, resident, "false", "the batch lies in the memory of the GPU"),
    DV_BOOL(bench_options, record, "true", "on a GPU, replay a recorded step"),
    DV_STRING(bench_options, checkpoint, "", "take the parameters from this file"),
    DV_END,
};

static const dv_options options = {
    .command = "bench_step",
    .operands = "MODEL.yaml",
    .summary = "Times training steps on request; see benchmarks/README.md.",
    .least = 1,
    .most = 1,
    .fields = fields,
};

typedef struct bench {
    bench_options chosen;
    dv_context *context;
    dv_tree *model;
    float *features;                            /* (BATCHES, batch, rows, frames) */
    float *targets;                             /* (BATCHES, batch, classes) */
    int64_t report;                             /* steps to a time */
    void *resident_features, *resident_targets; /* device memory; NULL: batches are the host's */
    dv_params *params;
    /* Training. */
    dv_source source;
    dv_trainer *trainer;
    volatile sig_atomic_t stop;
    bool failed;
    double loss_before; /* the trainer's sum before this step */
    /* Inference. */
    dv_graph *graph;
    dv_plan *plan;
    int input, logits_value;
    float *logits; /* (batch, classes) */
    uint64_t batch_number;
    void *recording; /* of the forward pass; NULL: none */
    /* The `run` at hand. */
    int64_t wanted, done;     /* times */
    double *seconds, *losses; /* (MAX_STEPS) of one step */
    double step_start, cpu_start;
} bench;

static double read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int64_t feature_count(const bench *b)
{
    return b->chosen.batch * b->chosen.rows * b->chosen.frames;
}

static int64_t target_count(const bench *b)
{
    return b->chosen.batch * b->chosen.classes;
}

/* ---- Data: normal features, uniform labels ---- */

static dv_status make_batches(bench *b)
{
    int64_t features = BATCHES * feature_count(b), samples = BATCHES * b->chosen.batch;
    DV_TRY(dv__calloc((size_t)features, sizeof(float), &b->features));
    DV_TRY(dv__calloc((size_t)(samples * b->chosen.classes), sizeof(float), &b->targets));
    dv_rng rng = {.seed = (uint64_t)b->chosen.seed, .use = DV_RNG_TEST, .step = 0};
    for (int64_t i = 0; i < features; i++)
        b->features[i] = (float)dv_rng_normal(&rng, (uint32_t)i);
    rng.step = 1;
    for (int64_t i = 0; i < samples; i++) {
        uint32_t words[4];
        dv_rng_words(&rng, (uint32_t)i, words);
        b->targets[i * b->chosen.classes + words[0] % (uint32_t)b->chosen.classes] = 1;
    }
    return DV_OK;
}

static dv_status train_batch(void *user, const int64_t *places, int64_t count, uint64_t seed,
                             uint64_t step, float *features, float *targets)
{
    (void)places, (void)count, (void)seed;
    const bench *b = user;
    size_t number = step % BATCHES;
    size_t values = (size_t)feature_count(b), classes = (size_t)target_count(b);
    memcpy(features, b->features + number * values, values * sizeof *features);
    memcpy(targets, b->targets + number * classes, classes * sizeof *targets);
    return DV_OK;
}

/* ---- The same on a device ---- */

static dv_status upload_features(bench *b)
{
    dv_context *context = b->context;
    const dv_backend *backend = context->backend;
    size_t values = (size_t)feature_count(b), bytes = values * sizeof(float);
    if (context->dtype == DV_F32)
        return backend->upload(context, b->resident_features, b->features, bytes);
    void *floats;
    DV_TRY(backend->allocate(context, bytes, &floats));
    dv_status status = backend->upload(context, floats, b->features, bytes);
    if (status == DV_OK)
        status = backend->round(context, b->resident_features, floats, (int64_t)values);
    if (status == DV_OK)
        status = backend->wait(context);
    backend->release(context, floats);
    return status;
}

/* The first batch. The trainer has chosen the context's dtype before it asks for a batch. */
static dv_status make_resident(bench *b)
{
    const dv_backend *backend = b->context->backend;
    if (backend->host_memory)
        return DV_FAIL(DV_EARG, "--resident is for devices with a memory of their own, not %s",
                       backend->name);
    size_t bytes = (size_t)target_count(b) * sizeof(float);
    DV_TRY(backend->allocate(b->context, (size_t)feature_count(b) * sizeof(float),
                             &b->resident_features));
    DV_TRY(backend->allocate(b->context, bytes, &b->resident_targets));
    DV_TRY(backend->upload(b->context, b->resident_targets, b->targets, bytes));
    return upload_features(b);
}

static dv_status device_batch(void *user, const dv_batch_request *request)
{
    const bench *b = user;
    const dv_backend *backend = b->context->backend;
    size_t bytes = (size_t)feature_count(b) * dv_dtype_size(b->context->dtype);
    DV_TRY(backend->copy(b->context, request->features, b->resident_features, bytes));
    return backend->copy(b->context, request->targets, b->resident_targets,
                         (size_t)target_count(b) * sizeof(float));
}

/* ---- Making ---- */

static dv_status make_trainer(bench *b)
{
    static const int mixed[] = {
        [DV_F32] = DV_MIXED_NONE, [DV_F16] = DV_MIXED_FP16, [DV_BF16] = DV_MIXED_BF16};
    const bench_options *chosen = &b->chosen;
    dv_train_config config;
    DV_TRY(dv_fields_default(dv_train_fields, &config));
    config.epochs = 1000000;
    config.batch_size = chosen->batch;
    config.optimizer = chosen->optimizer;
    config.learning_rate = chosen->learning_rate;
    config.weight_decay = chosen->weight_decay;
    config.scheduler = DV_SCHEDULE_NONE;
    config.warmup = 0;
    config.patience = 0;
    config.seed = chosen->seed;
    config.time_layers = chosen->time_layers;
    config.mixed_precision = mixed[chosen->precision];
    config.report_steps = b->report;
    config.record = chosen->record;
    b->source = (dv_source){.user = b,
                            .rows = chosen->rows,
                            .frames = chosen->frames,
                            .classes = chosen->classes,
                            .train_count = BATCHES * b->report * chosen->batch,
                            .train_batch = train_batch,
                            .device_batch = chosen->resident ? device_batch : NULL};
    DV_TRY(dv_trainer_create(b->context, &config, b->model, &b->source, &b->trainer));
    b->params = dv_trainer_params(b->trainer);
    return chosen->resident ? make_resident(b) : DV_OK;
}

/* The forward pass, once call by call, since libraries load what they need in the first one, and
   then as a recording where the backend can. */
static dv_status record_forward(bench *b)
{
    const dv_backend *backend = b->context->backend;
    dv_run run = {.training = false};
    size_t bytes = (size_t)feature_count(b) * dv_dtype_size(b->context->dtype);
    DV_TRY(make_resident(b));
    DV_TRY(
        backend->copy(b->context, dv_plan_address(b->plan, b->input), b->resident_features, bytes));
    DV_TRY(dv_plan_forward(b->plan, &run));
    if (!b->chosen.record || backend->record == NULL)
        return backend->wait(b->context);
    DV_TRY(backend->record(b->context));
    dv_status status = dv_plan_forward(b->plan, &run);
    dv_status ended = backend->end_record(b->context, &b->recording);
    return status != DV_OK ? status : ended;
}

static dv_status make_inference(bench *b)
{
    dv_shape shape = {b->chosen.batch, b->chosen.rows, b->chosen.frames, 1};
    DV_TRY(dv_context_set_dtype(b->context, (dv_dtype)b->chosen.precision));
    DV_TRY(dv_params_create(b->context, &b->params));
    DV_TRY(dv_graph_create(b->params, &b->graph));
    DV_TRY(dv_graph_input(b->graph, "features", shape, &b->input));
    DV_TRY(dv_model_build(b->graph, b->model, b->input, b->chosen.classes, &b->logits_value));
    dv_plan_options plan = {.outputs = &b->logits_value, .output_count = 1};
    DV_TRY(dv_plan_create(b->context, b->graph, &plan, &b->plan));
    DV_TRY(dv__calloc((size_t)target_count(b), sizeof(float), &b->logits));
    DV_TRY(dv_params_initialize(b->params, (uint64_t)b->chosen.seed));
    return b->chosen.resident ? record_forward(b) : DV_OK;
}

static dv_status read_checkpoint(bench *b)
{
    dv_checkpoint checkpoint;
    DV_TRY(dv_checkpoint_open(b->chosen.checkpoint, &checkpoint));
    dv_status status = dv_checkpoint_read(&checkpoint, b->params, DV_VALUES);
    dv_checkpoint_close(&checkpoint);
    return status;
}

/* The section `model` of a file: the whole file, or a part of it. */
static dv_status read_model(const char *path, dv_tree **out)
{
    dv_tree *file;
    DV_TRY(dv_model_file_read(path, &file));
    const dv_tree *model = dv_tree_get(file, "model");
    dv_status status = dv_tree_copy(model != NULL ? model : file, out);
    dv_tree_free(file);
    return status;
}

static dv_status make(bench *b, const char *path)
{
    DV_TRY(read_model(path, &b->model));
    DV_TRY(dv_context_open(b->chosen.device, (int)b->chosen.threads, (dv_log){NULL, NULL},
                           &b->context));
    b->report = b->context->backend->host_memory ? 1 : b->chosen.report;
    DV_TRY(make_batches(b));
    DV_TRY(dv__calloc(MAX_STEPS, sizeof *b->seconds, &b->seconds));
    DV_TRY(dv__calloc(MAX_STEPS, sizeof *b->losses, &b->losses));
    DV_TRY(b->chosen.inference ? make_inference(b) : make_trainer(b));
    return b->chosen.checkpoint[0] != '\0' ? read_checkpoint(b) : DV_OK;
}

static void drop(bench *b)
{
    dv_trainer_free(b->trainer);
    dv_plan_free(b->plan);
    dv_graph_free(b->graph);
    if (b->trainer == NULL)
        dv_params_free(b->params);
    if (b->recording != NULL)
        b->context->backend->release_recording(b->context, b->recording);
    if (b->resident_features != NULL)
        b->context->backend->release(b->context, b->resident_features);
    if (b->resident_targets != NULL)
        b->context->backend->release(b->context, b->resident_targets);
    dv_context_close(b->context);
    dv_tree_free(b->model);
    free(b->features);
    free(b->targets);
    free(b->logits);
    free(b->seconds);
    free(b->losses);
}

/* ---- Answers ---- */

static void print_list(const char *name, const double *values, int64_t count, double scale)
{
    printf("\"%s\": [", name);
    for (int64_t i = 0; i < count; i++)
        printf("%s%.9g", i > 0 ? ", " : "", values[i] * scale);
    printf("]");
}

static void print_run(const bench *b)
{
    double cpu = (read_clock(CLOCK_PROCESS_CPUTIME_ID) - b->cpu_start) / (double)b->report;
    dv_train_counters counters = {0};
    if (b->trainer != NULL)
        counters = dv_trainer_counters(b->trainer);
    printf("{");
    print_list("microseconds", b->seconds, b->done, 1e6);
    printf(", \"cpu_microseconds\": %.3f, ", cpu * 1e6 / (double)b->done);
    print_list("losses", b->losses, b->chosen.inference ? 0 : b->done, 1);
    if (!b->context->backend->host_memory)
        printf(", \"replays\": %" PRIu64 ", \"eager\": %" PRIu64 ", \"skipped\": %" PRId64,
               counters.replays, counters.eager,
               b->trainer != NULL ? dv_trainer_state_of(b->trainer)->skipped : 0);
    printf("}\n");
    fflush(stdout);
}

static void print_good(void)
{
    printf("{\"good\": true}\n");
    fflush(stdout);
}

/* A checkpoint needs a configuration and labels: the model, and the classes' numbers. */
static dv_status fill_trees(const bench *b, dv_tree *config, dv_tree *labels)
{
    dv_tree *child;
    DV_TRY(dv_tree_copy(b->model, &child));
    DV_TRY(dv_tree_append(config, "model", child));
    for (int64_t i = 0; i < b->chosen.classes; i++) {
        char text[32];
        snprintf(text, sizeof text, "%" PRId64, i);
        DV_TRY(dv_tree_new_scalar(text, NULL, 0, &child));
        DV_TRY(dv_tree_append(labels, NULL, child));
    }
    return DV_OK;
}

static dv_status save(const bench *b, const char *path)
{
    dv_tree *config = NULL, *labels = NULL, *state = NULL;
    dv_status status;
    DV_TRY_GOTO(dv_tree_new(DV_TREE_MAP, NULL, 0, &config));
    DV_TRY_GOTO(dv_tree_new(DV_TREE_LIST, NULL, 0, &labels));
    DV_TRY_GOTO(dv_tree_new(DV_TREE_MAP, NULL, 0, &state));
    DV_TRY_GOTO(fill_trees(b, config, labels));
    status = dv_checkpoint_write(path, b->params, config, labels, state);
fail:
    dv_tree_free(config);
    dv_tree_free(labels);
    dv_tree_free(state);
    return status;
}

static dv_status infer(bench *b, const float *features, float *logits)
{
    dv_run run = {.training = false};
    DV_TRY(dv_plan_upload(b->plan, b->input, features));
    DV_TRY(dv_plan_forward(b->plan, &run));
    return dv_plan_download(b->plan, b->logits_value, logits);
}

static dv_status save_batches(bench *b, const char *path)
{
    const bench_options *chosen = &b->chosen;
    int64_t samples = BATCHES * chosen->batch;
    float *logits;
    DV_TRY(dv__calloc((size_t)(samples * chosen->classes), sizeof *logits, &logits));
    dv_status status = DV_OK;
    for (int64_t i = 0; chosen->inference && status == DV_OK && i < BATCHES; i++)
        status = infer(b, b->features + i * feature_count(b), logits + i * target_count(b));
    dv_safetensors_entry entries[] = {
        {"features", DV_SAFETENSORS_F32, 3, {samples, chosen->rows, chosen->frames}, b->features},
        {"targets", DV_SAFETENSORS_F32, 2, {samples, chosen->classes}, b->targets},
        {"logits", DV_SAFETENSORS_F32, 2, {samples, chosen->classes}, logits},
    };
    if (status == DV_OK)
        status = dv_safetensors_write(path, NULL, 0, entries, chosen->inference ? 3 : 2);
    free(logits);
    return status;
}

static void layer_line(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "%s\n", line);
}

/* ---- Commands ---- */

static dv_status start_run(bench *b, const char *count)
{
    int64_t wanted;
    if (!dv_parse_int(count, &wanted) || wanted < 1 || wanted > MAX_STEPS)
        return DV_FAIL(DV_EARG, "run: '%s' is not a number of steps from 1 to %d", count,
                       MAX_STEPS);
    b->wanted = (wanted + b->report - 1) / b->report;
    b->done = 0;
    return DV_OK;
}

static dv_status obey(bench *b, const char *command, const char *argument)
{
    if (strcmp(command, "run") == 0)
        return start_run(b, argument);
    if (strcmp(command, "save") == 0)
        DV_TRY(save(b, argument));
    else if (strcmp(command, "batches") == 0)
        DV_TRY(save_batches(b, argument));
    else if (strcmp(command, "layers") == 0 && b->trainer != NULL)
        dv_trainer_time_table(b->trainer, layer_line, NULL);
    else
        return DV_FAIL(DV_EARG, "no command '%s'", command);
    print_good();
    return DV_OK;
}

/* Until the next `run`, or until the end: then b->stop. */
static dv_status obey_until_run(bench *b)
{
    b->wanted = b->done = 0;
    while (b->wanted == 0) {
        char line[LINE_SIZE];
        if (fgets(line, sizeof line, stdin) == NULL || strcmp(line, "quit\n") == 0) {
            b->stop = 1;
            return DV_OK;
        }
        line[strcspn(line, "\n")] = '\0';
        char *blank = strchr(line, ' ');
        if (blank != NULL)
            *blank++ = '\0';
        DV_TRY(obey(b, line, blank != NULL ? blank : ""));
    }
    b->cpu_start = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    b->step_start = read_clock(CLOCK_MONOTONIC);
    return DV_OK;
}

/* ---- The steps ---- */

/* The time goes from the end of the step before, so it has all that the trainer does. */
static void count_steps(bench *b, double loss)
{
    double now = read_clock(CLOCK_MONOTONIC);
    b->seconds[b->done] = (now - b->step_start) / (double)b->report;
    b->losses[b->done++] = loss;
    b->step_start = now;
    if (b->done == b->wanted)
        print_run(b);
}

static void after_step(void *user, const dv_trainer *trainer)
{
    bench *b = user;
    const dv_train_state *state = dv_trainer_state_of(trainer);
    int64_t samples = b->report * b->chosen.batch;
    double before = state->seen == samples ? 0 : b->loss_before;
    count_steps(b, (state->loss_sum - before) / (double)samples);
    b->loss_before = state->loss_sum;
    if (b->done == b->wanted && obey_until_run(b) != DV_OK) {
        fprintf(stderr, "bench_step: %s\n", dv_error_message());
        b->failed = true;
        b->stop = 1;
    }
}

static dv_status train(bench *b)
{
    dv_train_events events = {.user = b, .step = after_step, .stop = &b->stop};
    dv_status status = dv_trainer_run(b->trainer, &events);
    if (b->failed)
        return DV_FAIL(DV_EARG, "stopped by a command that failed");
    return status == DV_EINTERRUPTED ? DV_OK : status;
}

/* Enqueues as many passes as are measured at once, and waits. */
static dv_status infer_resident(bench *b)
{
    const dv_backend *backend = b->context->backend;
    dv_run run = {.training = false};
    for (int64_t i = 0; i < b->report; i++)
        DV_TRY(b->recording != NULL ? backend->replay(b->context, b->recording)
                                    : dv_plan_forward(b->plan, &run));
    return backend->wait(b->context);
}

static dv_status infer_from_host(bench *b)
{
    for (int64_t i = 0; i < b->report; i++) {
        size_t number = b->batch_number++ % BATCHES;
        DV_TRY(infer(b, b->features + number * (size_t)feature_count(b), b->logits));
    }
    return DV_OK;
}

static dv_status infer_on_request(bench *b)
{
    while (b->stop == 0) {
        DV_TRY(b->chosen.resident ? infer_resident(b) : infer_from_host(b));
        count_steps(b, 0);
        if (b->done == b->wanted)
            DV_TRY(obey_until_run(b));
    }
    return DV_OK;
}

static dv_status serve(bench *b)
{
    size_t memory = b->trainer != NULL ? dv_trainer_memory(b->trainer).arena
                                       : dv_plan_memory_use(b->plan).arena;
    printf("{\"parameters\": %" PRId64 ", \"arena\": %zu, \"threads\": %d, \"version\": \"%s\"}\n",
           dv_params_count(b->params), memory, b->context->threads, b->context->backend->version());
    fflush(stdout);
    DV_TRY(obey_until_run(b));
    if (b->stop != 0)
        return DV_OK;
    return b->chosen.inference ? infer_on_request(b) : train(b);
}

int main(int argc, char **argv)
{
    dv_wait_briefly(argv);
    bench b = {.done = 0};
    dv_arguments arguments;
    dv_status status = dv_options_parse(&options, argc - 1, argv + 1, &b.chosen, &arguments);
    if (status == DV_OK && arguments.help) {
        dv_options_help(stdout, &options);
        dv_arguments_free(&arguments);
        return EXIT_SUCCESS;
    }
    if (status == DV_OK) {
        status = make(&b, arguments.operands[0]);
        dv_arguments_free(&arguments);
    }
    if (status == DV_OK)
        status = serve(&b);
    if (status != DV_OK)
        fprintf(stderr, "bench_step: %s\n", dv_error_message());
    drop(&b);
    return status == DV_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
