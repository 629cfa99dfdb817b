/* The CSV reader. It holds the whole file in memory and cuts the fields out of it in place. */
#include "engine/base/csv.h"
#include "engine/base/input_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cuts a quoted field out of the text in place, and moves `next` behind the closing quote. */
static dv_status read_quoted(dv_csv *csv, char **field)
{
    int opened = csv->line;
    char *from = csv->next + 1;
    char *to = csv->next + 1;
    *field = to;
    for (; *from != '"' || from[1] == '"'; from++) {
        if (*from == '\0')
            return DV_FAIL(DV_EFORMAT, "%s:%d: the quote is never closed", csv->path, opened);
        if (*from == '\n')
            csv->line++;
        if (*from == '"')
            from++;
        *to++ = *from;
    }
    csv->next = from + 1;
    *to = '\0';
    if (*csv->next != csv->separator && strchr("\r\n", *csv->next) == NULL) /* or the text's end */
        return DV_FAIL(
            DV_EFORMAT,
            "%s:%d: '%c' stands behind the closing quote of a field, where only a separator may",
            csv->path, csv->line, *csv->next);
    return DV_OK;
}

static dv_status read_plain(dv_csv *csv, char **field)
{
    const char stops[] = {csv->separator, '\r', '\n', '"', '\0'};
    *field = csv->next;
    csv->next += strcspn(csv->next, stops);
    if (*csv->next == '"')
        return DV_FAIL(DV_EFORMAT,
                       "%s:%d: a quote stands inside a field that does not begin with one",
                       csv->path, csv->line);
    return DV_OK;
}

/* Ends a field at the separator under `next` and steps over it. *more tells whether another field
   follows. */
static dv_status end_field(dv_csv *csv, bool *more)
{
    char *end = csv->next;
    *more = *end == csv->separator;
    if (*end == '\r' && end[1] != '\n' && end[1] != '\0')
        return DV_FAIL(DV_EFORMAT, "%s:%d: a carriage return stands inside a field", csv->path,
                       csv->line);
    if (*end == '\r')
        csv->next++;
    if (*csv->next == '\n')
        csv->line++;
    if (*csv->next != '\0')
        csv->next++;
    *end = '\0';
    return DV_OK;
}

/* Skips empty lines, then cuts the fields of one row out of the text. row_line becomes the line
   that the row begins in. */
dv_status dv_csv_read(dv_csv *csv, dv_csv_row *row)
{
    row->count = 0;
    for (; *csv->next == '\n' || (*csv->next == '\r' && csv->next[1] == '\n'); csv->next++)
        csv->line += *csv->next == '\n';
    csv->row_line = csv->line;
    for (bool more = *csv->next != '\0'; more;) {
        char *field;
        csv->next += strspn(csv->next, csv->separator == '\t' ? " " : " \t");
        if (*csv->next == '"')
            DV_TRY(read_quoted(csv, &field));
        else
            DV_TRY(read_plain(csv, &field));
        DV_TRY(end_field(csv, &more));
        if (row->count == DV_CSV_FIELDS)
            return DV_FAIL(DV_EFORMAT, "%s:%d: the line has more than %d fields", csv->path,
                           csv->row_line, DV_CSV_FIELDS);
        row->fields[row->count++] = field;
    }
    return DV_OK;
}

/* The byte order mark that some programs write before a text. */
static const char mark_of_utf8[] = "\xEF\xBB\xBF";

static dv_status check_marks(const char *path, const char *text)
{
    if (strncmp(text, "\xFF\xFE", 2) == 0 || strncmp(text, "\xFE\xFF", 2) == 0)
        return DV_FAIL(DV_EFORMAT,
                       "%s: the text is stored as UTF-16, and UTF-8 is read; this line makes it: "
                       "iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE",
                       path);
    return DV_OK;
}

/* Reads a whole file as text. The caller owns *text, which is NULL on failure. */
static dv_status read_text(const char *path, char **text)
{
    static const size_t limit = (size_t)256 << 20;
    size_t size = 0;
    size_t capacity = 0;
    dv_status status = DV_OK;
    FILE *file;
    *text = NULL;
    DV_TRY(dv_input_open(path, &file));
    do {
        DV_TRY_GOTO(dv_grow(size + 1, 1, &capacity, text));
        size += fread(*text + size, 1, capacity - size - 1, file);
        if (size > limit)
            DV_TRY_GOTO(DV_FAIL(DV_EFORMAT, "%s: is larger than %zu bytes, the limit of a table",
                                path, limit));
    } while (!feof(file) && !ferror(file));
    if (ferror(file))
        DV_TRY_GOTO(DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno)));
    (*text)[size] = '\0';
    DV_TRY_GOTO(check_marks(path, *text));
    if (strlen(*text) != size)
        DV_TRY_GOTO(
            DV_FAIL(DV_EFORMAT, "%s: is not a text: byte %zu is zero", path, strlen(*text)));
    fclose(file);
    return DV_OK;
fail:
    fclose(file);
    free(*text);
    *text = NULL;
    return status;
}

void dv_csv_find_separator(dv_csv *csv)
{
    bool quoted = false;
    for (const char *c = csv->next; *c != '\0' && (quoted || *c != '\n'); c++) {
        if (*c == '"') {
            quoted = !quoted;
        } else if (!quoted && strchr(",;\t", *c) != NULL) {
            csv->separator = *c;
            return;
        }
    }
}

/* If the text has no line feed, its carriage returns end lines, as on old Macs. */
static void mend_line_ends(char *text)
{
    if (strchr(text, '\n') != NULL)
        return;
    for (char *c = text; (c = strchr(c, '\r')) != NULL;)
        *c = '\n';
}

dv_status dv_csv_open(const char *path, dv_csv *csv)
{
    DV_TRY(read_text(path, &csv->text));
    bool marked = strncmp(csv->text, mark_of_utf8, strlen(mark_of_utf8)) == 0;
    mend_line_ends(csv->text);
    csv->path = path;
    csv->next = csv->text + (marked ? strlen(mark_of_utf8) : 0);
    csv->separator = ',';
    csv->line = csv->row_line = 1;
    return DV_OK;
}

void dv_csv_close(dv_csv *csv)
{
    free(csv->text);
    csv->text = NULL;
}

void dv_csv_put(FILE *out, const char *text, bool quoted)
{
    if (!quoted && strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}
