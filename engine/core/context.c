#include "engine/core/context.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Logical processors whose first sibling is another one are hyper-threads. */
static bool is_first_sibling(long cpu)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/topology/thread_siblings_list",
             cpu);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return true;
    long first = cpu;
    bool read = fscanf(file, "%ld", &first) == 1;
    fclose(file);
    return !read || first == cpu;
}

int dv_physical_cores(void)
{
    int cores = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (long cpu = 0; cpu < processors; cpu++)
        cores += is_first_sibling(cpu) ? 1 : 0;
    int allowed = omp_get_max_threads(); /* affinity, OMP_NUM_THREADS */
    cores = cores < allowed ? cores : allowed;
    return cores > 0 ? cores : 1;
}

dv_status dv_context_open_backend(const dv_backend *backend, int threads, dv_log log,
                                  dv_context **out)
{
    *out = NULL;
    dv_context *context;
    DV_TRY(dv__calloc(1, sizeof *context, &context));
    context->backend = backend;
    context->threads = threads > 0 ? threads : dv_physical_cores();
    context->log = log;
    if (backend->open != NULL) {
        dv_status status = backend->open(context);
        if (status != DV_OK) {
            free(context);
            return status;
        }
    }
    *out = context;
    return DV_OK;
}

dv_status dv_context_open(const char *device, int threads, dv_log log, dv_context **out)
{
    static const char *const names[] = {"auto", "cpu", "ref"};
    *out = NULL;
    if (strcmp(device, "auto") == 0 || strcmp(device, "cpu") == 0)
        return dv_context_open_backend(&dv_backend_cpu, threads, log, out);
    if (strcmp(device, "ref") == 0)
        return dv_context_open_backend(&dv_backend_ref, threads, log, out);
    if (strncmp(device, "cuda", 4) == 0)
        return DV_FAIL(DV_EDEVICE, "device '%s': this build of decavox has no CUDA backend",
                       device);
    const char *nearest = dv_nearest(device, names, sizeof names / sizeof names[0]);
    return DV_FAIL(DV_EARG, "no device '%s'; there are auto, cpu and ref%s%s", device,
                   nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "");
}

void dv_context_close(dv_context *context)
{
    if (context == NULL)
        return;
    if (context->backend->close != NULL)
        context->backend->close(context);
    free(context);
}
