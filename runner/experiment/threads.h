/* How threads that have nothing to do wait for work. */
#ifndef DV_EXPERIMENT_THREADS_H
#define DV_EXPERIMENT_THREADS_H

/*
 * To be called first in main, by programs that run many short parallel loops: starts the program
 * anew with libgomp told to spin only briefly before it sleeps, unless the environment says how to
 * wait already. libgomp reads that when it is loaded, so setting it in main would be too late.
 */
void dv_wait_briefly(char **argv);

#endif
