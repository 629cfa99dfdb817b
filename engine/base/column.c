/* Counts the cells of texts, and fits texts into columns. */
#define _GNU_SOURCE /* wcwidth */
#include "engine/base/column.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* The part of a text that was measured. */
typedef struct extent {
    int bytes, cells;
} extent;

/* Most texts are, and need no locale. With LOCPATH in the environment, each newlocale of glibc 2.36
   loses the few bytes of that path. */
static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 128)
        text++;
    return *text == '\0';
}

/* Measures the characters at the beginning of `shown`, which is UTF-8, that fit into `most` cells.
   wcwidth knows the widths of the calling thread's locale. */
static extent measure_here(const char *shown, int most)
{
    extent e = {0, 0};
    mbstate_t state = {0};
    size_t size = strlen(shown);
    while ((size_t)e.bytes < size) {
        wchar_t character = 0;
        size_t length = mbrtowc(&character, shown + e.bytes, size - (size_t)e.bytes, &state);
        if (length > size)
            length = 1; /* without the locale's help each byte is a character */
        int cells = wcwidth(character);
        cells = cells < 0 ? 1 : cells; /* a character that the locale does not know */
        if (e.cells + cells > most)
            break;
        e.bytes += (int)length;
        e.cells += cells;
    }
    return e;
}

static extent measure(const char *shown, int most)
{
    if (is_ascii(shown)) {
        size_t length = strlen(shown);
        int fitting = length < (size_t)most ? (int)length : most;
        return (extent){fitting, fitting};
    }
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = uselocale(utf8);
    extent e = measure_here(shown, most);
    uselocale(before);
    if (utf8 != (locale_t)0)
        freelocale(utf8);
    return e;
}

int dv_cells(const char *text)
{
    dv_shown shown = dv_show(text);
    return measure(shown.text, DV_SHOWN_SIZE).cells;
}

dv_shown dv_column(const char *text, int width, int most)
{
    dv_shown shown = dv_show(text), column;
    extent e = measure(shown.text, most);
    int spaces = abs(width) > e.cells ? abs(width) - e.cells : 0;
    snprintf(column.text, sizeof column.text, "%*s%.*s%*s", width < 0 ? spaces : 0, "", e.bytes,
             shown.text, width < 0 ? 0 : spaces, "");
    return column;
}
