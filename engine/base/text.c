/* Splits lists at their commas, checks UTF-8, and escapes the characters that cannot be shown. */
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PIECE_SIZE = 16 }; /* "\\xNN" for each byte of a character that is not shown */

dv_status dv_each_item(const char *list, dv_status (*item)(void *user, char *part), void *user)
{
    char *copy;
    DV_TRY(dv_strdup(list, &copy));
    dv_status status = DV_OK;
    for (char *part = copy, *next; status == DV_OK && part != NULL; part = next) {
        next = strchr(part, ',');
        if (next != NULL)
            *next++ = '\0';
        status = item(user, part);
    }
    free(copy);
    return status;
}

/* Bytes of the character that begins here, or 0 if there is none. The bytes after the first are
   10xxxxxx. Narrower bounds of the second byte exclude overlong forms, surrogates and characters
   above U+10FFFF. */
static int utf8_length(const unsigned char *c)
{
    int length = c[0] < 0x80 ? 1 : c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    unsigned char least = c[0] == 0xE0 ? 0xA0 : c[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char most = c[0] == 0xED ? 0x9F : c[0] == 0xF4 ? 0x8F : 0xBF;
    if (c[0] > 0xF4 || (length > 1 && (c[1] < least || c[1] > most)))
        return 0;
    for (int i = 2; i < length; i++) {
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    }
    return length;
}

dv_status dv_text_of(void (*write)(const void *user, FILE *out), const void *user, char **text,
                     size_t *size)
{
    *text = NULL;
    FILE *memory = open_memstream(text, size);
    if (memory == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: a text");
    write(user, memory);
    bool whole = ferror(memory) == 0;
    whole = fclose(memory) == 0 && whole;
    if (whole)
        return DV_OK;
    free(*text);
    *text = NULL;
    return DV_FAIL(DV_ENOMEM, "out of memory: a text");
}

bool dv_ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), size = strlen(ending);
    return length > size && strcasecmp(text + length - size, ending) == 0;
}

const char *dv_plural(size_t count)
{
    return count == 1 ? "" : "s";
}

bool dv_is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    int length = 1;
    for (; *c != '\0' && length > 0; c += length)
        length = utf8_length(c);
    return length > 0;
}

dv_status dv_utf8_of(const char *text, char **out)
{
    enum { LONGEST = 4 }; /* "\xNN" */
    const unsigned char *c = (const unsigned char *)text;
    DV_TRY(dv_calloc(LONGEST * strlen(text) + 1, 1, out));
    for (char *to = *out; *c != '\0';) {
        int length = utf8_length(c);
        if (length > 0)
            memcpy(to, c, (size_t)length);
        else
            snprintf(to, LONGEST + 1, "\\x%02X", *c);
        to += length > 0 ? length : LONGEST;
        c += length > 0 ? length : 1;
    }
    return DV_OK;
}

/* Whether a character of `length` bytes is a control character as text.h defines it. */
static bool is_control(const unsigned char *c, int length)
{
    if (length == 1)
        return c[0] < 0x20 || c[0] == 0x7F;
    if (length == 2)
        return c[0] == 0xC2 && c[1] < 0xA0;
    return length == 3 && c[0] == 0xE2 &&
           ((c[1] == 0x80 && c[2] >= 0xA8 && c[2] <= 0xAE) ||
            (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9));
}

bool dv_has_control_character(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0';) {
        int length = utf8_length(c);
        if (is_control(c, length))
            return true;
        c += length > 0 ? length : 1;
    }
    return false;
}

/* Writes the displayed form of the character at `c` to `piece`. Returns its bytes, or 1 for a byte
   that is not UTF-8. */
static int show_character(const unsigned char *c, char piece[PIECE_SIZE])
{
    int length = utf8_length(c), written = 0;
    if (length > 0 && !is_control(c, length)) {
        memcpy(piece, c, (size_t)length);
        piece[length] = '\0';
        return length;
    }
    length = length > 0 ? length : 1;
    for (int i = 0; i < length; i++)
        written += snprintf(piece + written, PIECE_SIZE - (size_t)written, "\\x%02X", c[i]);
    return length;
}

void dv_text_show(const char *text, char *shown, size_t size)
{
    char piece[PIECE_SIZE];
    size_t used = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0';) {
        c += show_character(c, piece);
        size_t length = strlen(piece);
        if (used + length >= size)
            break;
        memcpy(shown + used, piece, length);
        used += length;
    }
    shown[used] = '\0';
}

dv_shown dv_show(const char *text)
{
    dv_shown shown;
    dv_text_show(text, shown.text, sizeof shown.text);
    return shown;
}
