/* Quotes the words of a command line so that a shell reads the same words back. */
#include "engine/base/shell.h"
#include "engine/base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool can_be_shown(const char *word)
{
    return dv_is_utf8(word) && !dv_has_control_character(word);
}

/* Writes the word in quotes. A quote in it ends the quotes, is escaped, and opens them again. */
static void put_quoted(FILE *out, const char *word)
{
    fputc('\'', out);
    for (const char *c = word; *c != '\0'; c++)
        fputs(*c == '\'' ? "'\\''" : (const char[]){*c, '\0'}, out);
    fputc('\'', out);
}

static void put_escaped(FILE *out, const char *word)
{
    fputs("$'", out);
    for (const char *c = word; *c != '\0'; c++) {
        if (*c < 0x20 || *c > 0x7E || *c == '\'' || *c == '\\')
            fprintf(out, "\\%03o", (unsigned)(unsigned char)*c);
        else
            fputc(*c, out);
    }
    fputc('\'', out);
}

void dv_shell_word(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+=:,@%";
    if (*word != '\0' && word[strspn(word, plain)] == '\0')
        fputs(word, out);
    else if (can_be_shown(word))
        put_quoted(out, word);
    else
        put_escaped(out, word);
}

dv_status dv_shell_command(const char *const *words, size_t count, char **out)
{
    size_t size = 0;
    FILE *text = open_memstream(out, &size);
    if (text == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: a command line");
    fputs("decavox", text);
    for (size_t i = 0; i < count; i++) {
        fputc(' ', text);
        dv_shell_word(text, words[i]);
    }
    bool whole = ferror(text) == 0;
    whole = fclose(text) == 0 && whole;
    if (whole)
        return DV_OK;
    free(*out);
    return DV_FAIL(DV_ENOMEM, "out of memory: a command line");
}
