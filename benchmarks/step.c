/*
 * Times the training step, or the forward pass, of a model on random features, on request:
 *
 *     decavox_bench step MODEL.yaml [--batch 32] [--threads 1] [--inference] ...
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
 * With --report R `run K` makes K steps or up to R - 1 more; see steps.h for what a step is.
 */
#include "benchmarks/bench.h"
#include "benchmarks/steps.h"
#include "runner/help.h"
#include "runner/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 1024 };

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

static void print_list(const char *name, const double *values, int64_t count, double scale)
{
    printf("\"%s\": [", name);
    for (int64_t i = 0; i < count; i++)
        printf("%s%.9g", i > 0 ? ", " : "", values[i] * scale);
    printf("]");
}

static void print_run(const steps *s)
{
    steps_times times = steps_measured(s);
    printf("{");
    print_list("microseconds", times.seconds, times.count, 1e6);
    printf(", \"cpu_microseconds\": %.3f, ", times.processor * 1e6);
    print_list("losses", times.losses, steps_chosen(s)->inference ? 0 : times.count, 1);
    if (!steps_context(s)->backend->host_memory) {
        steps_counters counters = steps_count(s);
        printf(", \"replays\": %" PRIu64 ", \"eager\": %" PRIu64 ", \"skipped\": %" PRId64,
               counters.replays, counters.eager, counters.skipped);
    }
    printf("}\n");
    fflush(stdout);
}

static void print_good(void)
{
    printf("{\"good\": true}\n");
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

static dv_status obey(steps *s, const char *command, const char *argument, int64_t *wanted)
{
    if (strcmp(command, "run") == 0)
        return read_count(argument, wanted);
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

/* Prints what was measured, and obeys until the next `run`, or the end. */
static dv_status obey_until_run(void *user, steps *s, int64_t *wanted)
{
    (void)user;
    if (steps_measured(s).count > 0)
        print_run(s);
    while (*wanted == 0) {
        char line[LINE_SIZE];
        if (fgets(line, sizeof line, stdin) == NULL || strcmp(line, "quit\n") == 0)
            return DV_OK;
        line[strcspn(line, "\n")] = '\0';
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
    return steps_run(s, obey_until_run, NULL);
}

static dv_status open_and_serve(const char *path, const steps_options *chosen)
{
    dv_tree *model;
    steps *s;
    DV_TRY(bench_model_read(path, &model));
    dv_status status = steps_open(model, chosen, &s);
    dv_tree_free(model);
    DV_TRY(status);
    status = serve(s);
    steps_close(s);
    return status;
}

int bench_program_step(int argc, char **argv)
{
    steps_options chosen = {.batch = 0};
    dv_arguments arguments;
    dv_status status = dv_options_parse(&options, argc - 1, argv + 1, &chosen, &arguments);
    if (status == DV_OK) {
        if (arguments.help)
            dv_options_help(stdout, &options);
        else
            status = open_and_serve(arguments.operands[0], &chosen);
        dv_arguments_free(&arguments);
    }
    if (status != DV_OK)
        fprintf(stderr, "decavox_bench step: %s\n", dv_error_message());
    return status == DV_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
