/*
 * A page: one file without script and without anything from elsewhere. It is HTML and well-formed
 * XML, light or dark as the reader's screen, and light on paper.
 */
#ifndef DV_PAGE_HTML_H
#define DV_PAGE_HTML_H

#include "frontends/dataset/dataset.h"

#include <stdio.h>

/* The beginning of every page. */
#define DV_HTML_BEGINS                                                                             \
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"                     \
    "<meta name=\"generator\" content=\"decavox\"/>\n"

/* Writes the page up to its body, with the style sheet of all pages and then with `more` style,
   which may be empty. */
void dv_html_begin(FILE *out, const char *title, const char *more);

/* Writes the page that `put` makes of `user`, whole or not at all. */
dv_status dv_html_store(const char *path, dv_status (*put)(FILE *out, const void *user),
                        const void *user);

/* Gives the text that `put` writes of `user`. *text is owned by the caller. */
dv_status dv_html_text(dv_status (*put)(FILE *out, const void *user), const void *user, char **text,
                       size_t *size);

/* Writes a duration as "12.3 s", "2 min 10 s" or "1 h 5 min". */
enum { DV_HTML_DURATION_SIZE = 48 };
void dv_html_duration(double seconds, char text[DV_HTML_DURATION_SIZE]);

/* "<dt>name</dt><dd>text</dd>" */
void dv_html_entry(FILE *out, const char *name, const char *text);

/* A command line in a box of its own. A click on it selects all of it. */
void dv_html_command(FILE *out, const char *command);

/* The style sheet of all pages. */
extern const char dv_html_style[];

/* ---- Tables ---- */

/* A table with heads of its `count` columns, open. It scrolls within itself where it is wider than
   the screen. `id` names the element and is unique in the page. */
void dv_html_table_begin(FILE *out, const char *id, const char *const *columns, size_t count);
void dv_html_table_end(FILE *out);

/* Cells of a number, and of a share in per cent, for which NaN stands where there is none. */
void dv_html_count(FILE *out, int64_t count);
void dv_html_share(FILE *out, double share);

/* The clips of each class in each part: a table of counts (label_count, DV_PART_COUNT), as
   dv_dataset_count makes them. */
void dv_html_parts(FILE *out, const char *id, const dv_dataset *dataset, const size_t *counts);

/* ---- Files and sounds ---- */

/* The folder that the page at `path` is in, with its links followed: `folder` has PATH_MAX bytes.
   DV_EIO where there is no such folder. */
dv_status dv_html_folder(const char *path, char *folder);

/* Writes the way from a folder to a file as a URL, both as dv_html_folder gives them. */
void dv_html_relative(FILE *out, const char *folder, const char *file);

/* A player of the file at `path`, with its name below, in a page in `folder`. The page refers to
   the file, and is silent where one of them is moved. Nothing of a file that is not there. */
void dv_html_sound_file(FILE *out, const char *folder, const char *path);

/* A player of samples (count) in -1 to 1 at `rate` Hz, which the page holds as a WAV file of
   dv_html_sound_size(count) characters. */
void dv_html_sound(FILE *out, const float *samples, int64_t count, int64_t rate);
size_t dv_html_sound_size(int64_t count);

#endif
