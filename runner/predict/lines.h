/* Reads the lines of a text one by one, also from a pipe, with or without waiting. */
#ifndef DV_PREDICT_LINES_H
#define DV_PREDICT_LINES_H

#include "engine/base/status.h"

#include <stdbool.h>

typedef struct dv_lines dv_lines;

/* Opens a file or a pipe; "-" is standard input. `path` must outlive the lines. Returns DV_EIO,
 *with out NULL, if it cannot be opened. */
dv_status dv_lines_open(const char *path, dv_lines **out);
void dv_lines_close(dv_lines *lines); /* `lines` may be NULL */

/*
 * Reads the next line that is not empty, without its end (LF or CR LF). It lives until the next
 * call. *line is NULL at the end and, unless `wait` is true, if the line is not complete yet.
 * Returns DV_EIO if reading fails, and DV_EFORMAT if a line has a zero byte or is longer than 64
 * KiB.
 */
dv_status dv_lines_next(dv_lines *lines, bool wait, const char **line);
bool dv_lines_ended(const dv_lines *lines);

/* Waits for input, for at most a tenth of a second. */
void dv_lines_wait(const dv_lines *lines);

#endif
