/* Writes the head of a page, and stores pages whole or not at all. */
#include "runner/page/html.h"
#include "engine/base/atomic_file.h"
#include "runner/page/svg.h"

#include <stdlib.h>

void dv_html_begin(FILE *out, const char *title, const char *more)
{
    fputs(DV_HTML_BEGINS
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
          out);
    dv_svg_text(out, title);
    fprintf(out, " \u2013 decavox</title>\n<style>\n%s%s</style>\n</head>\n<body>\n", dv_html_style,
            more);
}

void dv_html_entry(FILE *out, const char *name, const char *text)
{
    fprintf(out, "<dt>%s</dt><dd>", name);
    dv_svg_text(out, text);
    fputs("</dd>\n", out);
}

dv_status dv_html_text(dv_status (*put)(FILE *out, const void *user), const void *user, char **text,
                       size_t *size)
{
    *text = NULL;
    FILE *out = open_memstream(text, size);
    if (out == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: a page");
    dv_status status = put(out, user);
    bool whole = ferror(out) == 0;
    whole = fclose(out) == 0 && whole;
    if (status == DV_OK && !whole)
        status = DV_FAIL(DV_ENOMEM, "out of memory: a page");
    if (status != DV_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

dv_status dv_html_store(const char *path, dv_status (*put)(FILE *out, const void *user),
                        const void *user)
{
    char *text;
    size_t size;
    DV_TRY(dv_html_text(put, user, &text, &size));
    dv_status status = dv_atomic_file_store(path, text, size);
    free(text);
    return status;
}
