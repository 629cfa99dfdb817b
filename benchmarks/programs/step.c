/*
 * Times the training step, or the forward pass, of a model on random features, on request:
 *
 *     decavox_bench step MODEL.yaml [--batch 32] [--threads 1] [--inference] ...
 *
 * The program reads commands from stdin and answers each with a line of JSON on stdout, so that a
 * driver can alternate it with another program:
 *
 *     run K        makes K steps: {"microseconds": [wall time of each], "cpu_microseconds": mean
 *                  time of all threads, "losses": [mean of each step's batch], "warnings": [the
 *                  engine's warnings]}. On a GPU also "replays" and "eager", the numbers of steps
 *                  that were replayed and that ran call by call, "nodes" of the recorded step, and
 *                  "skipped", the number of updates left out
 *     latency K    makes K answers, one after the other, from samples in the host's memory to
 *                  probabilities there: {"microseconds": [wall time of each]}; with --inference
 *     algorithms   {"algorithms": [the algorithms chosen and tried for each layer]}
 *     save PATH    writes a checkpoint of the present parameters and moments
 *     batches PATH writes features (N,rows,frames) and targets (N,classes) in the order of the
 *                  steps, and with --inference logits (N,classes), as safetensors
 *     layers       prints the time of each layer so far (--time_layers) on stderr
 *     quit
 *
 * With --dot FILE the first `run` that leaves a recorded step writes it to that file.
 *
 * With --report R, K is rounded up to a multiple of R. steps.h says what a step is.
 */
#include "benchmarks/bench.h"
#include "benchmarks/program.h"
#include "benchmarks/steps.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const dv_options options = {
    .program = "decavox_bench",
    .command = "step",
    .operands = "MODEL.yaml",
    .summary = "Times training steps on request; see benchmarks/README.md.",
    .least = 1,
    .most = 1,
    .fields = steps_fields,
};

/* ---- Answers ---- */

static void print_texts(const char *name, const notes_list *list)
{
    json_t *texts = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(texts, json_string(list->items[i]));
    char *text = json_dumps(texts, 0);
    printf("\"%s\": %s", name, text != NULL ? text : "[]");
    free(text);
    json_decref(texts);
}

static void print_run(const steps *s)
{
    steps_times times = steps_measured(s);
    printf("{");
    program_print_list("microseconds", times.seconds, times.count, 1e6);
    printf(", \"cpu_microseconds\": %.3f, ", times.processor * 1e6);
    program_print_list("losses", times.losses, steps_chosen(s)->inference ? 0 : times.count, 1);
    if (!steps_context(s)->backend->host_memory) {
        steps_counters counters = steps_count(s);
        printf(", \"replays\": %" PRIu64 ", \"eager\": %" PRIu64 ", \"nodes\": %zu"
               ", \"skipped\": %" PRId64,
               counters.replays, counters.eager, counters.nodes, counters.skipped);
    }
    printf(", ");
    print_texts("warnings", &steps_notes(s)->warnings);
    printf("}\n");
    fflush(stdout);
}

static void print_good(void)
{
    printf("{\"good\": true}\n");
    fflush(stdout);
}

static void print_algorithms(const steps *s)
{
    printf("{");
    print_texts("algorithms", &steps_notes(s)->details);
    printf("}\n");
    fflush(stdout);
}

static void layer_line(void *user, const char *line)
{
    (void)user;
    fprintf(stderr, "%s\n", line);
}

/* ---- Commands ---- */

static dv_status read_count(const char *text, int64_t *wanted)
{
    if (!dv_parse_int(text, wanted) || *wanted < 1 || *wanted > STEPS_MOST)
        return DV_FAIL(DV_EARG, "run: '%s' is not a number of steps from 1 to %d", text,
                       STEPS_MOST);
    return DV_OK;
}

static dv_status print_latency(steps *s, const char *argument)
{
    int64_t count = 0;
    double *seconds;
    DV_TRY(read_count(argument, &count));
    DV_TRY(dv_calloc((size_t)count, sizeof *seconds, &seconds));
    dv_status status = steps_latency(s, count, seconds);
    if (status == DV_OK) {
        printf("{");
        program_print_list("microseconds", seconds, count, 1e6);
        printf("}\n");
        fflush(stdout);
    }
    free(seconds);
    return status;
}

static dv_status obey(steps *s, const char *command, const char *argument, int64_t *wanted)
{
    if (strcmp(command, "run") == 0)
        return read_count(argument, wanted);
    if (strcmp(command, "latency") == 0)
        return print_latency(s, argument);
    if (strcmp(command, "algorithms") == 0) {
        print_algorithms(s);
        return DV_OK;
    }
    if (strcmp(command, "save") == 0)
        DV_TRY(steps_save(s, argument));
    else if (strcmp(command, "batches") == 0)
        DV_TRY(steps_save_batches(s, argument));
    else if (strcmp(command, "layers") == 0)
        DV_TRY(steps_layers(s, layer_line, NULL));
    else
        return DV_FAIL(DV_EARG, "no command '%s'", command);
    print_good();
    return DV_OK;
}

/* Prints the last measurement and obeys commands up to the next `run` or the end. `user` points to
   a bool, whether --dot was written. */
static dv_status obey_until_run(void *user, steps *s, int64_t *wanted)
{
    bool *written = user;
    const char *dot = steps_chosen(s)->dot;
    if (steps_measured(s).count > 0) {
        if (dot[0] != '\0' && !*written && steps_count(s).nodes > 0) {
            DV_TRY(steps_write_dot(s, dot));
            *written = true;
        }
        print_run(s);
    }
    while (*wanted == 0) {
        char line[PROGRAM_LINE_SIZE];
        if (!program_read(line))
            return DV_OK;
        char *blank = strchr(line, ' ');
        if (blank != NULL)
            *blank++ = '\0';
        DV_TRY(obey(s, line, blank != NULL ? blank : "", wanted));
    }
    return DV_OK;
}

static dv_status serve(steps *s)
{
    const dv_context *context = steps_context(s);
    printf("{\"parameters\": %" PRId64 ", \"arena\": %zu, \"threads\": %d, \"version\": \"%s\"}\n",
           steps_parameters(s), steps_arena(s), context->threads, context->backend->version());
    fflush(stdout);
    bool written = false;
    return steps_run(s, obey_until_run, &written);
}

static dv_status open_and_serve(const dv_arguments *arguments, const void *chosen)
{
    dv_tree *model;
    steps *s;
    DV_TRY(bench_model_read(arguments->operands[0], &model));
    dv_status status = steps_open(model, chosen, &s);
    dv_tree_free(model);
    DV_TRY(status);
    status = serve(s);
    steps_close(s);
    return status;
}

int program_step(int argc, char **argv)
{
    steps_options chosen = {.batch = 0};
    return program_run(&options, argc, argv, &chosen, open_and_serve);
}
