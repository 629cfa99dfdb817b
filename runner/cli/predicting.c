/* Writes rows, and prints messages and progress. */
#include "runner/cli/predicting.h"
#include "runner/cli/command.h"
#include "runner/cli/printing.h"
#include "runner/cli/stop.h"

#include <inttypes.h>
#include <stdio.h>

/* Messages of each kind that are printed beside rows, and seconds between two lines of a log. */
enum { MOST_MESSAGES = 10, LOG_SECONDS = 30 };

void dv_predicting_end(dv_predicting *predicting)
{
    dv_bar_clear(&predicting->bar);
}

/* Prints a failure or a warning of a file. If the rows tell it too, the first ones are enough. */
static void print_message(void *user, dv_log_level level, const char *message)
{
    dv_predicting *predicting = user;
    bool warning = level == DV_LOG_WARNING;
    int64_t number = ++predicting->messages[warning];
    if (predicting->file != NULL && number > MOST_MESSAGES + 1)
        return;
    dv_predicting_end(predicting);
    if (predicting->file != NULL && number > MOST_MESSAGES)
        fprintf(stderr, "decavox predict: further %s are left out; the rows tell the same\n",
                warning ? "warnings" : "failures");
    else
        fprintf(stderr, "%sdecavox%s:%s %s\n",
                dv_colour(stderr, warning ? DV_COLOUR_WARNING : DV_COLOUR_ERROR),
                warning ? ": warning" : " predict", dv_colour(stderr, DV_COLOUR_NONE), message);
}

static dv_status write_rows(void *user, const char *rows, size_t size)
{
    const dv_predicting *predicting = user;
    if (predicting->file != NULL)
        return dv_rows_file_write(predicting->file, rows, size);
    fwrite(rows, 1, size, stdout);
    if (fflush(stdout) != 0)
        return DV_FAIL(DV_EIO, "standard output cannot be written");
    return DV_OK;
}

/* Tells "[====    ] 1200 of 3000 files, 7000/s, 0 failed, 2 s left" on a terminal, and else without
   the bar as a line of a log. */
static void print_progress(dv_predicting *predicting, const dv_predict_progress *progress)
{
    char total[64] = "", text[256], left[DV_TIME_LEFT_SIZE];
    double done = (double)progress->done, all = (double)progress->total;
    double rate =
        progress->seconds > 0 ? (done - (double)progress->earlier) / progress->seconds : 0;
    if (progress->total >= 0)
        snprintf(total, sizeof total, " of %" PRId64, progress->total);
    snprintf(text, sizeof text, "%" PRId64 "%s files, %.0f/s, %" PRId64 " failed", progress->done,
             total, rate, progress->failed);
    predicting->bar.from = (double)progress->earlier;
    dv_bar_show(&predicting->bar, done, all, "%s", text);
    dv_bar_left(&predicting->bar, done, all, left);
    if (!predicting->bar.terminal)
        fprintf(stderr, "decavox predict: %s%s\n", text, left);
}

static void tell(void *user, const dv_predict_progress *progress)
{
    dv_predicting *predicting = user;
    if (predicting->file == NULL || dv_command_verbosity() == DV_QUIET)
        return;
    if (!predicting->bar.terminal && progress->seconds < predicting->told + LOG_SECONDS)
        return;
    predicting->told = progress->seconds;
    print_progress(predicting, progress);
}

static bool is_stopped(void *user)
{
    (void)user;
    return dv_stop_request != 0;
}

void dv_predicting_begin(dv_predicting *predicting, dv_rows_file *file, dv_predict_request *request)
{
    *predicting = (dv_predicting){.file = file, .bar = dv_bar_begin()};
    request->write = write_rows;
    request->tell = tell;
    request->stops = is_stopped;
    request->user = predicting;
    request->log = (dv_log){.write = print_message, .user = predicting};
    if (file != NULL) {
        dv_stop_prepare();
        dv_stop_catch();
    }
}
