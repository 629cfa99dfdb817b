/* The standard descriptors 0, 1 and 2. */
#ifndef DV_CLI_DESCRIPTORS_H
#define DV_CLI_DESCRIPTORS_H

/*
 * Opens the closed ones on /dev/null. Otherwise a file that is opened later could get the number of
 * standard output, and everything printed would go into it. They still fail like closed ones: 0
 * cannot be read, 1 and 2 cannot be written. Call it first in a program.
 */
void dv_descriptors_fill(void);

#endif
