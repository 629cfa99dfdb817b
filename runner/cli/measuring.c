/* Shows the progress of measurements, and runs the processes that measure. */
#include "runner/cli/measuring.h"
#include "engine/base/process.h"
#include "engine/base/text.h"
#include "runner/cli/command.h"
#include "runner/cli/stop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char dv_this_program[] = "/proc/self/exe";

/* ---- The terminal ---- */

static void show_step(void *user, const char *model, const char *step, size_t done, size_t total)
{
    dv_measuring *measuring = user;
    if (done == 0)
        dv_bar_from(&measuring->bar, 0);
    dv_bar_show(&measuring->bar, (double)done, (double)total, "%.40s: %.60s", dv_show(model).text,
                step);
}

static void tell_measured(void *user, const dv_comparison *comparison,
                          const dv_model_figures *model, size_t number, size_t count)
{
    const dv_measuring *measuring = user;
    char p50[DV_SHORT_SIZE];
    if (measuring->bar.terminal || dv_command_verbosity() == DV_QUIET)
        return;
    fprintf(stderr, "measured %zu of %zu: %s, p50 %s%s%s\n", number, count,
            dv_show(model->name).text, dv_show_seconds(model->p50, p50),
            model->busy ? ", the machine was busy" : "",
            model->busy && !comparison->options->keep_busy ? ": not kept" : "");
}

static bool is_stopped(void *user)
{
    (void)user;
    return dv_stop_request != 0;
}

const dv_comparison_events *dv_measuring_begin(dv_measuring *measuring)
{
    *measuring = (dv_measuring){
        .events = {.log = dv_command_log(),
                   .user = measuring,
                   .step = show_step,
                   .measured = tell_measured,
                   .stopped = is_stopped},
        .bar = dv_bar_begin(),
    };
    measuring->bar.terminal = measuring->bar.terminal && isatty(STDOUT_FILENO) == 1;
    dv_stop_catch();
    return &measuring->events;
}

void dv_measuring_end(dv_measuring *measuring)
{
    dv_bar_clear(&measuring->bar);
}

/* ---- The processes ---- */

static void print_step(void *user, const char *name, int64_t number)
{
    (void)user;
    if (number > 0)
        printf("step %s %" PRId64 "\n", name, number);
    else
        printf("step %s\n", name);
    fflush(stdout);
}

static dv_status print_result(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the measurements");
    printf("result %s\n", text);
    free(text);
    return DV_OK;
}

enum { MODEL, START, FORMS };
static const struct {
    const char *option;
    int arguments; /* three of both first: FILE DEVICE THREADS */
} forms[FORMS] = {[MODEL] = {"--measure_model", 6}, [START] = {"--measure_start", 5}};

bool dv_measuring_is_child(int argc, char **argv)
{
    return argc > 2 &&
           (strcmp(argv[2], forms[MODEL].option) == 0 || strcmp(argv[2], forms[START].option) == 0);
}

/* Reads the arguments of a process that measures, and prints its measurements. */
static dv_status measure(int form, char **arguments)
{
    dv_measurement measurement = {.path = arguments[0],
                                  .device = arguments[1],
                                  .threads = atoi(arguments[2]),
                                  .log = dv_command_log(),
                                  .step = print_step,
                                  .program = dv_this_program};
    json_t *result;
    if (form == MODEL) {
        measurement.seconds = strtod(arguments[3], NULL);
        measurement.classes = atoi(arguments[4]);
        measurement.folder = arguments[5];
        DV_TRY(dv_measure_model(&measurement, &result));
    } else {
        measurement.clip = arguments[3];
        measurement.times = atoi(arguments[4]);
        DV_TRY(dv_measure_start(&measurement, &result));
    }
    return print_result(result);
}

int dv_measuring_child(int argc, char **argv)
{
    int form = strcmp(argv[2], forms[START].option) == 0 ? START : MODEL;
    if (argc != 3 + forms[form].arguments) {
        fprintf(stderr, "decavox compare: %s: %d arguments\n", argv[2], forms[form].arguments);
        return DV_EXIT_USAGE;
    }
    dv_status status = measure(form, argv + 3);
    if (status == DV_OK)
        return DV_EXIT_GOOD;
    dv_child_tell(status, stdout);
    return DV_EXIT_FAILED;
}
