/* Shows a bar and the time that is left in one line of a terminal. */
#include "runner/cli/bar.h"
#include "engine/base/clock.h"
#include "runner/cli/command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

dv_bar dv_bar_begin(void)
{
    return (dv_bar){.terminal = isatty(STDERR_FILENO) == 1 && dv_command_verbosity() != DV_QUIET,
                    .begun = dv_clock()};
}

void dv_bar_from(dv_bar *bar, double done)
{
    bar->begun = dv_clock();
    bar->from = done;
}

void dv_bar_left(const dv_bar *bar, double done, double total, char text[DV_TIME_LEFT_SIZE])
{
    enum { MINUTE = 60, HOUR = 3600 };
    text[0] = '\0';
    if (!(done > bar->from) || !(total >= done))
        return;
    double left = (dv_clock() - bar->begun) * (total - done) / (done - bar->from);
    int64_t whole = left < 1e9 ? (int64_t)(left + 0.5) : (int64_t)1e9;
    if (whole >= HOUR)
        snprintf(text, DV_TIME_LEFT_SIZE, ", %" PRId64 " h %02" PRId64 " min left", whole / HOUR,
                 whole / MINUTE % MINUTE);
    else if (whole >= MINUTE)
        snprintf(text, DV_TIME_LEFT_SIZE, ", %" PRId64 " min %02" PRId64 " s left", whole / MINUTE,
                 whole % MINUTE);
    else
        snprintf(text, DV_TIME_LEFT_SIZE, ", %" PRId64 " s left", whole);
}

static void put_bar(double share)
{
    enum { WIDTH = 30 };
    fputc('[', stderr);
    for (int i = 0; i < WIDTH; i++)
        fputc(i + 1 <= WIDTH * share ? '=' : ' ', stderr);
    fputs("] ", stderr);
}

void dv_bar_show(dv_bar *bar, double done, double total, const char *format, ...)
{
    char left[DV_TIME_LEFT_SIZE];
    va_list arguments;
    if (!bar->terminal)
        return;
    fputc('\r', stderr);
    if (total > 0)
        put_bar(done / total);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    dv_bar_left(bar, done, total, left);
    fprintf(stderr, "%s\033[K", left);
    bar->shown = true;
}

void dv_bar_clear(dv_bar *bar)
{
    if (bar->shown)
        fputs("\r\033[K", stderr);
    bar->shown = false;
}
