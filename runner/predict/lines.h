/* The lines of a text, one by one, also where they come through a pipe and may be waited for. */
#ifndef DV_PREDICT_LINES_H
#define DV_PREDICT_LINES_H

#include "engine/base/status.h"

#include <stdbool.h>

typedef struct dv_lines dv_lines;

/* Opens a file or a pipe; "-" is standard input. `path` must outlive the lines. DV_EIO. *out is
   NULL on failure. */
dv_status dv_lines_open(const char *path, dv_lines **out);
void dv_lines_close(dv_lines *lines); /* NULL is allowed */

/*
 * The next line that is not empty, without its end (LF or CR LF), which lives until the next call;
 * *line is NULL at the end. With `wait` false, it is also NULL where the rest of a line is still to
 * come. DV_EIO: reading fails; DV_EFORMAT: a line has a zero byte or is longer than 64 KiB.
 */
dv_status dv_lines_next(dv_lines *lines, bool wait, const char **line);
bool dv_lines_ended(const dv_lines *lines);

/* Waits until something comes, for a tenth of a second at most. */
void dv_lines_wait(const dv_lines *lines);

#endif
