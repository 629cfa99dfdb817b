/* The signals by which a training is asked to save and to end. */
#ifndef DV_EXPERIMENT_STOP_H
#define DV_EXPERIMENT_STOP_H

#include <signal.h>
#include <stdbool.h>

/* HUP, INT, QUIT, TERM, USR1, XFSZ; ended by 0. */
extern const int dv_stop_signals[];

/* The signal that has asked for it, else 0. */
extern volatile sig_atomic_t dv_stop_request;

bool dv_stop_is_signal(int number);

/* Whether it is heeded: SIGHUP and SIGXFSZ are not where the program was started with them ignored,
   as nohup does it. */
bool dv_stop_heeds(int number);

/*
 * From here on no write ends the program: into a pipe that nobody reads, and beyond the limit on
 * the size of files, it fails, and the latter is a request too.
 */
void dv_stop_prepare(void);

/* From here on the first of each signal is a request, and a second one of the same ends the
   program, SIGXFSZ excepted. */
void dv_stop_catch(void);

#endif
