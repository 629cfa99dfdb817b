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
 */
#include "engine/core/rng.h"
#include "engine/io/checkpoint.h"
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
    int64_t batch, threads, rows, frames, classes, seed;
    bool inference, time_layers;
    int optimizer;
    double learning_rate, weight_decay;
    char device[DV_STRING_SIZE], checkpoint[DV_STRING_SIZE];
} bench_options;

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
    DV_STRING(bench_options, device, "cpu", "cpu or ref"),
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
    float *features; /* (BATCHES, batch, rows, frames) */
    float *targets;  /* (BATCHES, batch, classes) */
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
    /* The `run` at hand. */
    int64_t wanted, done;
    double *seconds, *losses; /* (MAX_STEPS) */
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

/* ---- Making ---- */

static dv_status make_trainer(bench *b)
{
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
    b->source = (dv_source){.user = b,
                            .rows = chosen->rows,
                            .frames = chosen->frames,
                            .classes = chosen->classes,
                            .train_count = BATCHES * chosen->batch,
                            .train_batch = train_batch};
    DV_TRY(dv_trainer_create(b->context, &config, b->model, &b->source, &b->trainer));
    b->params = dv_trainer_params(b->trainer);
    return DV_OK;
}

static dv_status make_inference(bench *b)
{
    dv_shape shape = {b->chosen.batch, b->chosen.rows, b->chosen.frames, 1};
    DV_TRY(dv_params_create(b->context, &b->params));
    DV_TRY(dv_graph_create(b->params, &b->graph));
    DV_TRY(dv_graph_input(b->graph, "features", shape, &b->input));
    DV_TRY(dv_model_build(b->graph, b->model, b->input, b->chosen.classes, &b->logits_value));
    dv_plan_options plan = {.outputs = &b->logits_value, .output_count = 1};
    DV_TRY(dv_plan_create(b->context, b->graph, &plan, &b->plan));
    DV_TRY(dv__calloc((size_t)target_count(b), sizeof(float), &b->logits));
    return dv_params_initialize(b->params, (uint64_t)b->chosen.seed);
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
    DV_TRY(dv_yaml_read(path, &file));
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
    double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - b->cpu_start;
    printf("{");
    print_list("microseconds", b->seconds, b->done, 1e6);
    printf(", \"cpu_microseconds\": %.3f, ", cpu * 1e6 / (double)b->done);
    print_list("losses", b->losses, b->chosen.inference ? 0 : b->done, 1);
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
    b->wanted = wanted;
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

/* The time of a step goes from the end of the one before, so it has all that the trainer does. */
static void count_step(bench *b, double loss)
{
    double now = read_clock(CLOCK_MONOTONIC);
    b->seconds[b->done] = now - b->step_start;
    b->losses[b->done++] = loss;
    b->step_start = now;
    if (b->done == b->wanted)
        print_run(b);
}

static void after_step(void *user, const dv_trainer *trainer)
{
    bench *b = user;
    const dv_train_state *state = dv_trainer_state_of(trainer);
    double before = state->seen == b->chosen.batch ? 0 : b->loss_before;
    count_step(b, (state->loss_sum - before) / (double)b->chosen.batch);
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

static dv_status infer_on_request(bench *b)
{
    while (b->stop == 0) {
        size_t number = b->batch_number++ % BATCHES;
        DV_TRY(infer(b, b->features + number * (size_t)feature_count(b), b->logits));
        count_step(b, 0);
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
