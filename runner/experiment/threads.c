/* Starts the program anew with libgomp told how long to spin. */
#include "runner/experiment/threads.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * About 25 us. libgomp's own choice is 300,000 turns, which wastes whole time slices as soon as
 * another program uses the cores. Microseconds per training step on two cores at batch 32:
 *
 *     turns                        300,000    1,000         0
 *     lightweight, idle machine        824      839     2,443
 *     lightweight, load 6           18,674    9,346     8,584
 *     advanced, idle machine         9,411    8,259    22,624
 */
static const char turns[] = "1000";

void dv_wait_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") != NULL || getenv("GOMP_SPINCOUNT") != NULL)
        return;
    if (setenv("GOMP_SPINCOUNT", turns, 1) == 0)
        (void)execv("/proc/self/exe", argv); /* returns where it fails: then as libgomp likes */
}
