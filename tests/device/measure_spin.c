/*
 * Measures the cost of libgomp's threads that wait for work, for test_spin.py.
 *
 *     measure_spin [LIBRARY]     LIBRARY is loaded first, and libgomp with it
 *
 * Prints the processor time of a parallel region of two threads and of 50 ms of sleep behind it, in
 * milliseconds, the least of several times. Then prints whether the environment of main and of a
 * child process sets how long to spin.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#ifdef DV_LINKED_ROOMS
#include "engine/device/threads.h"
#elif defined(DV_LINKED_LIBRARY)
#include "include/decavox.h"
#endif

enum { TIMES = 12 };

typedef void (*parallel_fn)(void (*work)(void *), void *data, unsigned threads, unsigned flags);

static void nothing(void *data)
{
    (void)data;
}

static double milliseconds(struct timeval time)
{
    return 1e3 * (double)time.tv_sec + 1e-3 * (double)time.tv_usec;
}

static double used(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
}

static double region_and_sleep(parallel_fn parallel)
{
    double before = used();
    parallel(nothing, NULL, 2, 0);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    return used() - before;
}

/* Makes the linker keep the measured library. */
static void use_library(void)
{
#ifdef DV_LINKED_ROOMS
    (void)dv_physical_cores();
#elif defined(DV_LINKED_LIBRARY)
    (void)dv_error_message();
#endif
}

int main(int argc, char **argv)
{
    use_library();
    if (argc > 1 && dlopen(argv[1], RTLD_NOW) == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    void *libgomp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (libgomp == NULL) {
        fprintf(stderr, "libgomp is not loaded\n");
        return 1;
    }
    parallel_fn parallel;
    *(void **)&parallel = dlsym(libgomp, "GOMP_parallel");
    double least = region_and_sleep(parallel); /* the first one also makes the thread */
    for (int i = 0; i < TIMES; i++) {
        double now = region_and_sleep(parallel);
        least = now < least ? now : least;
    }
    const char *here = getenv("GOMP_SPINCOUNT");
    printf("%.3f %s ", least, here != NULL ? here : "unset");
    fflush(stdout);
    return system("echo ${GOMP_SPINCOUNT-unset}") == 0 ? 0 : 1;
}
