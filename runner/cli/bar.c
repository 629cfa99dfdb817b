/* Shows a bar and the time that is left in one line of a terminal. */
#include "runner/cli/bar.h"
#include "engine/base/clock.h"
#include "engine/base/column.h"
#include "runner/cli/command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_WIDTH = 20, LINE_SIZE = 256 };

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

static void draw(double share, char drawn[BAR_WIDTH + 4])
{
    char *c = drawn;
    *c++ = '[';
    for (int i = 0; i < BAR_WIDTH; i++)
        *c++ = i + 1 <= BAR_WIDTH * share ? '=' : ' ';
    strcpy(c, "] ");
}

/* The columns of the terminal. */
static int columns(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

/* The line is cut at the edge of the terminal, because a longer one could not be replaced. */
void dv_bar_show(dv_bar *bar, double done, double total, const char *format, ...)
{
    char drawn[BAR_WIDTH + 4] = "", text[LINE_SIZE], left[DV_TIME_LEFT_SIZE];
    char line[2 * LINE_SIZE];
    va_list arguments;
    if (!bar->terminal)
        return;
    if (total > 0)
        draw(done / total, drawn);
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dv_bar_left(bar, done, total, left);
    snprintf(line, sizeof line, "%s%s%s", drawn, text, left);
    fprintf(stderr, "\r%s\033[K", dv_column(line, 0, columns() - 1).text);
    bar->shown = true;
}

void dv_bar_clear(dv_bar *bar)
{
    if (bar->shown)
        fputs("\r\033[K", stderr);
    bar->shown = false;
}
