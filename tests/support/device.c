#include "tests/support/device.h"
#include "engine/backends/open.h"

#include "engine/backends/module.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dv_context *shared;

static void close_shared(void)
{
    dv_context_close(shared);
}

const dv_backend *device_backend(const char *device, int *status)
{
    char places[4096];
    bool simulated = strcmp(device, "cudasim") == 0;
    *status = DEVICE_SKIPPED;
    if (!dv_module_find(simulated ? "cudasim" : "cuda", places, sizeof places)) {
        printf("skipped: no module for %s in %s\n", device, places);
        return NULL;
    }
    if (dv_context_open(device, 1, (dv_log){0}, &shared) != DV_OK) {
        printf("%s%s\n", simulated ? "" : "skipped: ", dv_error_message());
        *status = simulated ? 1 : DEVICE_SKIPPED;
        return NULL;
    }
    atexit(close_shared);
    return shared->backend;
}

dv_context *device_context(void)
{
    DV_ASSERT(shared != NULL);
    shared->algorithms = DV_ALGORITHMS_FIXED;
    shared->log = (dv_log){0};
    return shared;
}

bool device_is_simulated(const dv_backend *backend)
{
    return strcmp(backend->name, "cudasim") == 0;
}

bool device_may_deviate(const dv_backend *backend, const char *name, double value, double limit)
{
    printf("deviation: %s %.3g (simulated: at most %.3g)\n", name, value, limit);
    fflush(stdout); /* so that the line survives a crash */
    return device_is_simulated(backend) ? value <= limit : isfinite(value);
}
