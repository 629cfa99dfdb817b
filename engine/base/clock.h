/* Clocks, in seconds. */
#ifndef DV_BASE_CLOCK_H
#define DV_BASE_CLOCK_H

double dv_clock(void);           /* never goes back */
double dv_clock_processor(void); /* what all threads of this process have used */

#endif
