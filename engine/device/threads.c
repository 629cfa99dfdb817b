/* Counts the processors that threads may use, starts threads, and reserves those of OpenMP. Its
   constructor removes the variable of spin.h, which libgomp has read by then. */
#define _GNU_SOURCE /* gettid, tgkill */
#include "engine/device/threads.h"
#include "engine/device/spin.h"

#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__attribute__((constructor)) static void end_of_spin_count(void)
{
    dv_spin_forget();
}

/* ---- The default number ---- */

/* Whether a logical processor is the first of its core. The others are hyper-threads. */
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

/* Reads the group of cgroup v2 from its line "0::/group". The default is "". */
static void read_group(const char *membership, char *group, size_t size)
{
    static const char start[] = "0::/";
    char line[1024];
    FILE *file = fopen(membership, "r");
    group[0] = '\0';
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, start, sizeof start - 1) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(group, size, "%s", line + sizeof start - 2);
        }
    }
    fclose(file);
}

/* The limit of one group in processors, from "max PERIOD" or "TIME PERIOD". 0 stands for none. */
static int read_quota(const char *root, const char *group)
{
    char path[2048];
    snprintf(path, sizeof path, "%s%s/cpu.max", root, group);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    long long quota, period;
    bool limited = fscanf(file, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0;
    fclose(file);
    long long processors = limited ? (quota - 1) / period + 1 : 0;
    return processors < 1 << 20 ? (int)processors : 0;
}

/* The minimum over the group and all groups around it. */
int dv__quota_processors(const char *membership, const char *root)
{
    char group[1024];
    int least = 0;
    read_group(membership, group, sizeof group);
    while (group[0] != '\0') {
        int here = read_quota(root, group);
        if (here > 0 && (least == 0 || here < least))
            least = here;
        *strrchr(group, '/') = '\0';
    }
    int here = read_quota(root, "");
    return here > 0 && (least == 0 || here < least) ? here : least;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* The number of threads that a parallel region gets here if it wants `wanted`, unless OMP_DYNAMIC
   lets libgomp choose. Within a region of the host program it is one, and oneDNN uses one too. */
static int given(int wanted)
{
    if (omp_in_parallel() || omp_get_max_active_levels() < 1)
        return 1;
    return smaller(wanted, omp_get_thread_limit());
}

int dv_physical_cores(void)
{
    int cores = 0;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (long cpu = 0; cpu < processors; cpu++)
        cores += is_first_sibling(cpu) ? 1 : 0;
    int allowed = given(smaller(omp_get_num_procs(), omp_get_max_threads())); /* OMP_NUM_THREADS */
    int quota = dv__quota_processors("/proc/self/cgroup", "/sys/fs/cgroup");
    cores = smaller(cores, quota > 0 ? smaller(allowed, quota) : allowed);
    return cores > 0 ? cores : 1;
}

/* ---- Starting threads ---- */

typedef struct crew {
    void (*work)(void *argument, int thread);
    void *argument;
} crew;

typedef struct member {
    const crew *crew;
    int number;
    pthread_t thread;
    pid_t id;
} member;

static void *begin(void *of_member)
{
    member *self = of_member;
    self->id = gettid();
    self->crew->work(self->crew->argument, self->number);
    return NULL;
}

/* Waits until the kernel has removed a joined thread from its list, because until then it counts
   towards limits. That takes microseconds; the wait ends after a second in any case. */
static void wait_until_gone(pid_t id)
{
    for (int i = 0; i < 1000 && tgkill(getpid(), id, 0) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = i < 10 ? 1000 : 1000000}, NULL);
}

/* Calls the work for number 0 here and for each other number in a thread of its own, and joins the
   threads. With `until_gone` it also waits until the kernel has removed them from its list. Returns
   the number of calls. */
static int run(int threads, crew all, bool until_gone, const dv_log *log)
{
    member *members = threads > 1 ? calloc((size_t)threads, sizeof *members) : NULL;
    int count = 1, error = members == NULL ? ENOMEM : 0;
    while (count < threads && error == 0) {
        members[count] = (member){.crew = &all, .number = count};
        error = pthread_create(&members[count].thread, NULL, begin, &members[count]);
        count += error == 0 ? 1 : 0;
    }
    if (count < threads)
        dv_log_write(log, DV_LOG_WARNING,
                     "only %d of %d threads could be made (%s): the work goes on with %d", count,
                     threads, strerror(error), count);
    all.work(all.argument, 0);
    for (int i = 1; i < count; i++) {
        pthread_join(members[i].thread, NULL);
        if (until_gone)
            wait_until_gone(members[i].id);
    }
    free(members);
    return count;
}

int dv_threads_run(int threads, void (*work)(void *argument, int thread), void *argument,
                   const dv_log *log)
{
    return run(threads, (crew){work, argument}, false, log);
}

/* The work of a trial: wait until all threads of the trial have started. */
static void stay(void *gate, int thread)
{
    if (thread == 0) {
        pthread_mutex_unlock(gate);
    } else {
        pthread_mutex_lock(gate);
        pthread_mutex_unlock(gate);
    }
}

/* Lets libgomp start `count` threads, by an empty parallel region. */
static void make(int count)
{
    int dynamic = omp_get_dynamic();
    omp_set_dynamic(0);
#pragma omp parallel num_threads(count)
    {
    }
    omp_set_dynamic(dynamic);
}

int dv_threads_reserve(int wanted, const dv_log *log)
{
    static _Thread_local int reserved = 1;
    wanted = given(wanted);
    if (wanted <= reserved)
        return wanted > 1 ? wanted : 1;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&gate);
    int count = run(wanted, (crew){stay, &gate}, true, log);
    pthread_mutex_destroy(&gate);
    if (count < omp_get_max_threads() && count < wanted)
        omp_set_num_threads(count);
    make(count);
    reserved = count;
    return count;
}
