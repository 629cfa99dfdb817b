/* Opens /dev/null for each standard descriptor that the process lacks. */
#include "runner/cli/descriptors.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void dv_descriptors_fill(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0)
            continue;
        /* open() takes the lowest free number, which is this one. */
        if (open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor)
            abort();
    }
}
