/*
 * Detects whether other work on the machine has disturbed a measurement.
 *
 *     dv_load load = {.wall = 0};
 *     dv_load_begin(&load);
 *     ... the measured work; begin and end may be repeated, and the times add up ...
 *     dv_load_end(&load);
 *     bool disturbed = dv_load_disturbs(&load, &(dv_load_use){1, threads, dv_load_processors()});
 */
#ifndef DV_EVALUATE_LOAD_H
#define DV_EVALUATE_LOAD_H

#include <stdbool.h>

/* Times in seconds during the measurement. */
typedef struct dv_load {
    double wall;
    double own;      /* processor time of this process and its ended children */
    double machine;  /* processor time of the whole machine, with the time that a virtual machine's
                        host gave to others; 0 if unknown */
    double begun[3]; /* the three clocks at the latest dv_load_begin */
} dv_load;

void dv_load_begin(dv_load *load);
void dv_load_end(dv_load *load);

/* The resources of the measured work. */
typedef struct dv_load_use {
    int always;     /* threads that compute all the time; 0 if it waits for a device or for files */
    int threads;    /* largest number of threads that compute */
    int processors; /* processors of the machine */
} dv_load_use;

/*
 * The rule. A measurement counts as disturbed if
 *   - the threads that always compute got less than 90 % of the time on a processor, because others
 *     used it; or
 *   - everything else on the machine used more than a quarter of a processor plus half of the
 *     processors that the measured work leaves free. The work then shared processors, or at least
 *     caches, memory and clock rate. 0.05 s are tolerated, because the machine's time is counted in
 *     hundredths of a second.
 */
bool dv_load_disturbs(const dv_load *load, const dv_load_use *use);

int dv_load_processors(void); /* online processors, at least 1 */

/* Reads the working time of all processors together, in seconds, from a file such as /proc/stat. 0
   if it cannot be read. */
double dv_load_machine(const char *path);

#endif
