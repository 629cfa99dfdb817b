/* Clocks, in seconds. */
#ifndef DV_BASE_CLOCK_H
#define DV_BASE_CLOCK_H

double dv_clock(void);           /* monotonic time */
double dv_clock_processor(void); /* processor time of all threads of this process */

#endif
