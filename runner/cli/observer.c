/* Prints the lines of a training, shows its progress, and passes on signals to pause. */
#include "runner/cli/observer.h"
#include "engine/base/bar.h"
#include "engine/base/clock.h"
#include "runner/cli/command.h"
#include "runner/cli/printing.h"
#include "runner/cli/stop.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void print_line(void *user, dv_log_level level, const char *line)
{
    dv_terminal *terminal = user;
    if (terminal->bar_shown)
        fprintf(stderr, "\r\033[K");
    terminal->bar_shown = false;
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
    char bar[DV_BAR_WIDTH + 1], left[DV_TIME_LEFT_SIZE];
    if (!terminal->bar || progress->epoch_ended)
        return;
    double done = (double)(progress->epoch - 1) + (double)progress->step / (double)progress->steps;
    if (terminal->begun == 0 || terminal->pretraining != progress->pretraining) {
        terminal->begun = dv_clock();
        terminal->begun_at = done;
        terminal->pretraining = progress->pretraining;
    }
    dv_time_left(done - terminal->begun_at, (double)progress->epochs - terminal->begun_at,
                 dv_clock() - terminal->begun, left);
    dv_bar((uint64_t)progress->step, (uint64_t)progress->steps, bar);
    fprintf(stderr,
            "\repoch %" PRId64 "/%" PRId64 " [%s] %" PRId64 "/%" PRId64 "  loss %.4f%s\033[K",
            progress->epoch, progress->epochs, bar, progress->step, progress->steps, progress->loss,
            left);
    terminal->bar_shown = true;
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
        .bar = isatty(STDERR_FILENO) == 1 && dv_command_verbosity() != DV_QUIET,
    };
    return &terminal->observer;
}
