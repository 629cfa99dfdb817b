/* Host threads: how many there are by default, and fewer where they cannot be made. */
#ifndef DV_DEVICE_THREADS_H
#define DV_DEVICE_THREADS_H

#include "engine/base/log.h"

enum { DV_MOST_THREADS = 1024 }; /* that anyone may ask for */

/* The number of threads by default: the least of the physical cores, the processors that the
   process may use, OMP_NUM_THREADS, OMP_THREAD_LIMIT and the quota of its control group (cpu.max),
   rounded up; one within a parallel region. */
int dv_physical_cores(void);

/* The processors' time that cgroup v2 grants, in whole processors, rounded up; 0: no limit is set.
   `membership` is /proc/self/cgroup, and `root` is /sys/fs/cgroup. */
int dv__quota_processors(const char *membership, const char *root);

/*
 * How many threads, at most `wanted`, OpenMP can compute with in parallel regions of the calling
 * thread, this one included. libgomp ends the process where it cannot make a thread, so they are
 * tried first, then made by libgomp, which keeps them. Where there are fewer, the calling thread's
 * number for OpenMP is lowered too, and `log` is warned. It is one within a parallel region of the
 * host's, and at most OMP_THREAD_LIMIT: what is made for more threads than it gets computes
 * wrongly.
 */
int dv_threads_reserve(int wanted, const dv_log *log);

/*
 * Runs work(argument, i) for i of 0 .. threads - 1 side by side: 0 in the calling thread, each
 * other one in a thread of its own. Where a thread cannot be made, the higher numbers are left out,
 * and `log` is warned. Returns how many there were, at least 1, when all have ended.
 */
int dv_threads_run(int threads, void (*work)(void *argument, int thread), void *argument,
                   const dv_log *log);

#endif
