/* Host threads: the default number, and fewer if the system cannot start as many. */
#ifndef DV_DEVICE_THREADS_H
#define DV_DEVICE_THREADS_H

#include "engine/base/log.h"

enum { DV_MOST_THREADS = 1024 }; /* largest number of threads that a user may ask for */

/* The default number of threads: the minimum of the physical cores, the processors that the process
   may use, OMP_NUM_THREADS, OMP_THREAD_LIMIT and the quota of its control group (cpu.max), rounded
   up. Within a parallel region it is one. */
int dv_physical_cores(void);

/* The processor time that cgroup v2 grants, in processors, rounded up, or 0 if there is no limit.
   `membership` is /proc/self/cgroup, and `root` is /sys/fs/cgroup. */
int dv__quota_processors(const char *membership, const char *root);

/*
 * Reserves `wanted` threads for OpenMP in parallel regions of the calling thread, which counts too.
 * Returns their number. libgomp ends the process if it cannot start a thread, so this function
 * tries them first; then libgomp starts and keeps them. If there are fewer, the calling thread's
 * number for OpenMP is lowered too, and `log` gets a warning. The number is one within a parallel
 * region of the host program, and at most OMP_THREAD_LIMIT, because code that is planned for more
 * threads than it gets computes wrongly.
 */
int dv_threads_reserve(int wanted, const dv_log *log);

/*
 * Runs work(argument, i) for i = 0 .. threads - 1 in parallel: 0 in the calling thread, each other
 * one in a thread of its own. If a thread cannot be started, its number and all higher ones are
 * left out, and `log` gets a warning. Waits for all of them and returns their number, at least 1.
 */
int dv_threads_run(int threads, void (*work)(void *argument, int thread), void *argument,
                   const dv_log *log);

#endif
