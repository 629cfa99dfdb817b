/* Columns of tables on a terminal. Widths count the terminal's cells: an "é" of two bytes takes one
   cell, a "三" of three bytes takes two. */
#ifndef DV_BASE_COLUMN_H
#define DV_BASE_COLUMN_H

#include "engine/base/text.h"

/* The number of cells that dv_show(text) takes. */
int dv_cells(const char *text);

/*
 * Gives dv_show(text), of which at most `most` cells are kept, with spaces up to `width` cells:
 * behind the text, or before it if `width` is negative, as in printf. It is a value for arguments
 * of printf: `dv_column(label, 12, 40).text`.
 */
dv_shown dv_column(const char *text, int width, int most);

#endif
