/* Prints the lines of a training, shows its progress, and passes on signals to pause. */
#include "runner/cli/observer.h"
#include "runner/cli/command.h"
#include "runner/cli/printing.h"
#include "runner/cli/stop.h"

#include <inttypes.h>
#include <stdio.h>

static void print_line(void *user, dv_log_level level, const char *line)
{
    dv_terminal *terminal = user;
    dv_bar_clear(&terminal->bar);
    if (level == DV_LOG_WARNING)
        printf("%swarning:%s %s\n", dv_colour(stdout, DV_COLOUR_WARNING),
               dv_colour(stdout, DV_COLOUR_NONE), line);
    else if (dv_command_verbosity() != DV_QUIET)
        printf("%s\n", line);
    dv_printing_flush();
}

/* The time that is left counts from the first step that is shown, so a resumed run is right, too.
 */
static void show_progress(void *user, const dv_train_progress *progress)
{
    dv_terminal *terminal = user;
    if (progress->epoch_ended)
        return;
    double done = (double)(progress->epoch - 1) + (double)progress->step / (double)progress->steps;
    if (!terminal->began || terminal->pretraining != progress->pretraining) {
        dv_bar_from(&terminal->bar, done);
        terminal->began = true;
        terminal->pretraining = progress->pretraining;
    }
    dv_bar_show(&terminal->bar, done, (double)progress->epochs,
                "epoch %" PRId64 "/%" PRId64 ", step %" PRId64 "/%" PRId64 ", loss %.4f",
                progress->epoch, progress->epochs, progress->step, progress->steps, progress->loss);
}

static void begin(void *user)
{
    (void)user;
    dv_stop_catch();
}

const dv_observer *dv_terminal_observe(dv_terminal *terminal)
{
    *terminal = (dv_terminal){
        .observer = {.user = terminal,
                     .line = print_line,
                     .begin = begin,
                     .progress = show_progress,
                     .next = dv_stop_next},
        .bar = dv_bar_begin(),
    };
    return &terminal->observer;
}
