/* The signals by which the program is asked to save and to end. */
#ifndef DV_CLI_STOP_H
#define DV_CLI_STOP_H

#include "include/decavox.h"

#include <signal.h>

/* The signal that has asked for it, else 0. */
extern volatile sig_atomic_t dv_stop_request;

/* As dv_observer.next: after a signal, a training pauses. */
dv_train_next dv_stop_next(void *user);

/*
 * From here on no write ends the program: into a pipe that nobody reads, and beyond the limit on
 * the size of files, it fails, and the latter is a request too.
 */
void dv_stop_prepare(void);

/* From here on the first of HUP, INT, QUIT, TERM, USR1 and XFSZ is a request. A second signal of
   the same kind ends the program if it comes two seconds later or more, SIGXFSZ excepted:
   timeout(1) sends its signal twice at once. SIGHUP and SIGXFSZ stay ignored where the program was
   started so, as nohup does it. */
void dv_stop_catch(void);

#endif
