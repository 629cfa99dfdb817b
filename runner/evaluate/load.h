/*
 * Whether other work on the machine has disturbed a measurement.
 *
 *     dv_load load = {.wall = 0};
 *     dv_load_begin(&load);
 *     ... what is measured; begin and end may come again, the times add up ...
 *     dv_load_end(&load);
 *     bool disturbed = dv_load_disturbs(&load, &(dv_load_use){1, threads, dv_load_processors()});
 */
#ifndef DV_EVALUATE_LOAD_H
#define DV_EVALUATE_LOAD_H

#include <stdbool.h>

/* Seconds while it was measured. */
typedef struct dv_load {
    double wall;
    double own;      /* processor time of this process, and of its children that have ended */
    double machine;  /* of everything on the machine, and what a virtual one was kept from; 0: it is
                        not known */
    double begun[3]; /* the three clocks at the beginning */
} dv_load;

void dv_load_begin(dv_load *load);
void dv_load_end(dv_load *load);

/* What the measured work uses. */
typedef struct dv_load_use {
    int always;     /* threads that compute from the beginning to the end; 0: it waits for a device
                       or for files */
    int threads;    /* that compute at most */
    int processors; /* of the machine */
} dv_load_use;

/*
 * The rule. A measurement is disturbed where
 *   - the threads that always compute had less than 90 % of the time on a processor: somebody else
 *     had theirs; or
 *   - everything else on the machine used more than a quarter of a processor, and half of those
 *     that the measured work leaves over. It then shares processors, or at least caches, memory and
 *     clock rate. 0.05 s are let pass, for the machine's time is counted in hundredths.
 */
bool dv_load_disturbs(const dv_load *load, const dv_load_use *use);

int dv_load_processors(void); /* that are online, at least 1 */

/* Seconds that all processors together were at work, by a file such as /proc/stat; 0: it cannot be
   read. */
double dv_load_machine(const char *path);

#endif
