#include "engine/core/text.h"

#include <stdlib.h>
#include <string.h>

dv_status dv__each_item(const char *list, dv_status (*item)(void *user, char *part), void *user)
{
    char *copy;
    DV_TRY(dv__strdup(list, &copy));
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

/* Bytes of the character that begins here, 0 where none does. Behind the first byte stand 10xxxxxx;
   the second has narrower bounds where the character would be too long a form, a surrogate, or
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

bool dv_is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    int length = 1;
    for (; *c != '\0' && length > 0; c += length)
        length = utf8_length(c);
    return length > 0;
}

bool dv_has_control_character(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}
