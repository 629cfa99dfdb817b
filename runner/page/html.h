/*
 * A page to be looked at: one file without script and without anything from elsewhere, HTML that is
 * well-formed XML, light or dark as the reader's screen, light on paper.
 */
#ifndef DV_PAGE_HTML_H
#define DV_PAGE_HTML_H

#include "engine/base/status.h"

#include <stdio.h>

/* How every page begins. */
#define DV_HTML_BEGINS                                                                             \
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"                     \
    "<meta name=\"generator\" content=\"decavox\"/>\n"

/* The page up to its body, with the style, and with `more` of it ("": none). */
void dv_html_begin(FILE *out, const char *title, const char *more);

/* Writes the page that `put` makes of `user`, whole or not at all. */
dv_status dv_html_store(const char *path, dv_status (*put)(FILE *out, const void *user),
                        const void *user);

/* What `put` writes of `user`, as text; *text owned by the caller. */
dv_status dv_html_text(dv_status (*put)(FILE *out, const void *user), const void *user, char **text,
                       size_t *size);

/* "<dt>name</dt><dd>text</dd>" */
void dv_html_entry(FILE *out, const char *name, const char *text);

/* The page's style sheet. */
extern const char dv_html_style[];

#endif
