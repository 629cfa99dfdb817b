/*
 * This program started anew, for what has to be measured in a process of its own. The child speaks
 * in lines on its standard output; one of "error CODE MESSAGE" is its failure, the others are the
 * caller's.
 */
#ifndef DV_BASE_PROCESS_H
#define DV_BASE_PROCESS_H

#include "engine/base/status.h"

#include <signal.h>

/* Exit codes of decavox and of the processes that it makes of itself; DV_EXIT_SIGNAL + N: signal N
   has ended it. */
enum { DV_EXIT_GOOD = 0, DV_EXIT_FAILED = 1, DV_EXIT_USAGE = 2, DV_EXIT_SIGNAL = 128 };

/* The interrupts that stop children and leave the parent time to clean up. */
typedef struct dv_hold {
    sigset_t held, before;
} dv_hold;

/* From here on SIGINT and SIGTERM wait. dv_release: one that came acts, which ends the program. */
void dv_hold_signals(dv_hold *hold);
void dv_release_signals(const dv_hold *hold);

/*
 * Runs argv (ended by NULL; argv[0] is a name only) to its end; `take` gets each line (no newline,
 * at most 4095 bytes). A held signal is passed on to the child: DV_EINTERRUPTED. The child's own
 * failure otherwise, or DV_EIO.
 */
dv_status dv_child_run(const char *const *argv, const dv_hold *hold,
                       void (*take)(void *user, const char *line), void *user);

/* In the child: tells a failure to the parent. */
void dv_child_tell(dv_status status);

/* Runs argv with its output thrown away. DV_EIO: it has failed, with its message on stderr. */
dv_status dv_child_silent(const char *const *argv);

#endif
