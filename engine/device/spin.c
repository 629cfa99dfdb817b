/* Sets the time that libgomp's threads spin, before libgomp is initialised. */
#include "engine/device/spin.h"

#include <stdbool.h>
#include <stdlib.h>

/*
 * About 25 us. libgomp's default is 300,000 turns, which wastes whole time slices as soon as
 * another program uses the cores. Microseconds per training step on two cores at batch 32:
 *
 *     turns                        300,000    1,000         0
 *     lightweight, idle machine        824      839     2,443
 *     lightweight, load 6           18,674    9,346     8,584
 *     advanced, idle machine         9,411    8,259    22,624
 */
static const char turns[] = "1000";

static bool is_ours;

__attribute__((constructor)) static void spin_briefly(void)
{
    if (getenv("OMP_WAIT_POLICY") == NULL && getenv("GOMP_SPINCOUNT") == NULL)
        is_ours = setenv("GOMP_SPINCOUNT", turns, 1) == 0; /* on failure libgomp's default stays */
}

void dv_spin_forget(void)
{
    if (is_ours)
        (void)unsetenv("GOMP_SPINCOUNT");
    is_ours = false;
}
