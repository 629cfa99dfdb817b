/* Opens contexts by the names of their devices, and chooses the device for "auto". */
#include "engine/backends/open.h"
#include "engine/backends/module.h"
#include "engine/device/threads.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static dv_status open_at(const dv_backend *backend, int device_index, int threads, dv_log log,
                         dv_context **out)
{
    int wanted = threads > 0 ? threads : dv_physical_cores();
    return dv_context_create(backend, device_index, dv_threads_reserve(wanted, &log), log, out);
}

dv_status dv_context_open_backend(const dv_backend *backend, int threads, dv_log log,
                                  dv_context **out)
{
    return open_at(backend, 0, threads, log, out);
}

dv_status dv_context_open_same(const dv_context *other, int threads, dv_context **out)
{
    return open_at(other->backend, other->device_index, threads, other->log, out);
}

/* Whether `device` is "name" or "name:N". *index is N, or 0 by default. */
static bool is_device(const char *device, const char *name, int *index)
{
    size_t length = strlen(name);
    *index = 0;
    if (strncmp(device, name, length) != 0)
        return false;
    if (device[length] == '\0')
        return true;
    const char *number = device + length + 1;
    size_t digits = device[length] == ':' ? strspn(number, "0123456789") : 0;
    if (digits == 0 || digits > 4 || number[digits] != '\0')
        return false;
    *index = (int)strtol(number, NULL, 10);
    return true;
}

static dv_status open_module(const char *name, int index, int threads, dv_log log, dv_context **out)
{
    const dv_backend *backend;
    DV_TRY(dv_module_load(name, &backend));
    return open_at(backend, index, threads, log, out);
}

static bool has_driver(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (driver != NULL)
        dlclose(driver);
    return driver != NULL;
}

/* Loads the module only if there is a driver, because loading its libraries takes a while. */
static dv_status open_cuda(int index, int threads, dv_log log, dv_context **out)
{
    char places[4096];
    if (dv_module_find("cuda", places, sizeof places) && !has_driver())
        return DV_FAIL(DV_EDEVICE, "there is no NVIDIA driver: libcuda.so.1 cannot be loaded");
    return open_module("cuda", index, threads, log, out);
}

static dv_status open_auto(int threads, dv_log log, dv_context **out)
{
    char places[4096];
    if (dv_module_find("cuda", places, sizeof places)) {
        if (open_cuda(0, threads, log, out) == DV_OK)
            return DV_OK;
        if (has_driver())
            dv_log_write(&log, DV_LOG_INFO, "device: cpu (cuda cannot be used: %s)",
                         dv_error_message());
        else
            dv_log_write(&log, DV_LOG_INFO, "device: cpu (no NVIDIA GPU found)");
    }
    return open_at(&dv_backend_cpu, 0, threads, log, out);
}

static dv_status named(const char *device, dv_status status)
{
    if (status == DV_OK || status == DV_ENOMEM)
        return status;
    return dv_fail_within(DV_EDEVICE, "device '%s'", device);
}

/* Opens the device of a name. A message about a module is preceded by the name, and one about a
   name that there is not offers those that there are. */
dv_status dv_context_open(const char *device, int threads, dv_log log, dv_context **out)
{
    static const char *const names[] = {"auto", "cpu", "cuda", "cuda:N", "ref", "cudasim"};
    *out = NULL;
    int index;
    if (strcmp(device, "auto") == 0)
        return open_auto(threads, log, out);
    if (strcmp(device, "cpu") == 0)
        return open_at(&dv_backend_cpu, 0, threads, log, out);
    if (strcmp(device, "ref") == 0)
        return open_at(&dv_backend_ref, 0, threads, log, out);
    if (is_device(device, "cudasim", &index))
        return named(device, open_module("cudasim", index, threads, log, out));
    if (is_device(device, "cuda", &index))
        return named(device, open_cuda(index, threads, log, out));
    bool gpu = strncasecmp(device, "gpu", 3) == 0 || strncasecmp(device, "nvidia", 6) == 0;
    const char *nearest = gpu ? "cuda" : dv_nearest(device, names, sizeof names / sizeof names[0]);
    return DV_FAIL(DV_EARG,
                   "there is no device '%s'%s%s%s devices are auto, cpu, cuda, cuda:N, ref and "
                   "cudasim",
                   device, nearest != NULL ? "; did you mean '" : "",
                   nearest != NULL ? nearest : "", nearest != NULL ? "'? The" : "; the");
}
