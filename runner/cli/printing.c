/* Flushes standard output, and colours messages. */
#include "runner/cli/printing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

void dv_printing_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return;
    fprintf(stderr,
            "decavox: standard output cannot be written (%s): the training goes on, and log.txt "
            "in the run's folder has what it prints\n",
            errno != 0 ? strerror(errno) : "an earlier write failed");
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nothing >= 0) {
        (void)dup2(nothing, STDOUT_FILENO);
        close(nothing);
    }
    clearerr(stdout);
    (void)fflush(stdout); /* the rest goes to /dev/null */
    clearerr(stdout);
}

const char *dv_colour(FILE *out, dv_colour_name name)
{
    static const char *const orders[] = {"\033[0m", "\033[31m", "\033[33m"};
    const char *terminal = getenv("TERM"), *refused = getenv("NO_COLOR");
    bool plain = terminal == NULL || strcmp(terminal, "dumb") == 0 ||
                 (refused != NULL && *refused != '\0') || isatty(fileno(out)) != 1;
    return plain ? "" : orders[name];
}
