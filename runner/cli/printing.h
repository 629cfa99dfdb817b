/* Standard output and error: the lines of a training, and colours. */
#ifndef DV_CLI_PRINTING_H
#define DV_CLI_PRINTING_H

#include <stdio.h>

/*
 * Flushes standard output. If it cannot be written, says so once on stderr and drops everything
 * printed from then on: a training goes on, and its log has the same lines.
 */
void dv_printing_flush(void);

/* Gives the order to a terminal that begins a colour, or ends all with DV_COLOUR_NONE. It is "" if
   `out` is no terminal, if $TERM is dumb, and if $NO_COLOR has a text (https://no-color.org). */
typedef enum dv_colour_name { DV_COLOUR_NONE, DV_COLOUR_ERROR, DV_COLOUR_WARNING } dv_colour_name;
const char *dv_colour(FILE *out, dv_colour_name name);

#endif
