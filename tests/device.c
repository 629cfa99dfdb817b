#include "tests/device.h"

#include "engine/core/module.h"

#include <stdio.h>
#include <string.h>

const dv_backend *device_backend(const char *device, int *status)
{
    char places[4096];
    bool simulated = strcmp(device, "cudasim") == 0;
    *status = DEVICE_SKIPPED;
    if (!dv_module_find(simulated ? "cudasim" : "cuda", places, sizeof places)) {
        printf("skipped: no module for %s in %s\n", device, places);
        return NULL;
    }
    dv_context *context;
    if (dv_context_open(device, 1, (dv_log){0}, &context) != DV_OK) {
        printf("%s%s\n", simulated ? "" : "skipped: ", dv_error_message());
        *status = simulated ? 1 : DEVICE_SKIPPED;
        return NULL;
    }
    const dv_backend *backend = context->backend;
    dv_context_close(context);
    return backend;
}
