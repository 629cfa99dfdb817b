/* The standard descriptors 0, 1 and 2. */
#ifndef DV_CLI_DESCRIPTORS_H
#define DV_CLI_DESCRIPTORS_H

/*
 * Opens those that are closed on /dev/null, so that no file that is opened later gets their number
 * and with it what is printed. They still fail as closed ones do: 0 cannot be read, 1 and 2 cannot
 * be written. Belongs to the very beginning of a program, before anything is opened.
 */
void dv_descriptors_fill(void);

#endif
