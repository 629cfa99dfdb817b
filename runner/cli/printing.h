/* What a training tells, which is in its log too: it goes on where nobody takes it. */
#ifndef DV_CLI_PRINTING_H
#define DV_CLI_PRINTING_H

/*
 * Sends on what was printed to standard output. Where it cannot be written, says so once on stderr,
 * and what is printed from then on is dropped: it is in the log, and no error of the program.
 */
void dv_printing_flush(void);

#endif
