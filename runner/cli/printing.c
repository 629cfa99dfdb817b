/* Flushes standard output, and turns it into nothing where nobody takes it any more. */
#include "runner/cli/printing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
    (void)fflush(stdout); /* what is left of it, into nothing */
    clearerr(stdout);
}
