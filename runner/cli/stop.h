/* Signals that ask the program to save and end. */
#ifndef DV_CLI_STOP_H
#define DV_CLI_STOP_H

#include "include/decavox.h"

#include <signal.h>

/* The signal that has come, or 0. */
extern volatile sig_atomic_t dv_stop_request;

/* Serves as dv_observer.next: after a signal a training pauses. */
dv_train_next dv_stop_next(void *user);

/*
 * From here on no write ends the program. Writing into a pipe that nobody reads, or beyond the
 * limit on the size of files, fails instead; the latter is a request, too.
 */
void dv_stop_prepare(void);

/* From here on a signal that ends the program prints `text` before; `text` has to stay. */
void dv_stop_announce(const char *text);

/* From here on the first of HUP, INT, QUIT, TERM, USR1 and XFSZ is a request. A second signal of
   the same kind ends the program if it comes at least two seconds later, because timeout(1) sends
   its signal twice at once; SIGXFSZ never does. SIGHUP and SIGXFSZ stay ignored if the program was
   started so, for example by nohup. */
void dv_stop_catch(void);

#endif
