/* CSV manifests (RFC 4180): path,label[,speaker[,split]], columns in any order. */
#include "frontends/dataset/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH, LABEL, SPEAKER, SPLIT, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {"path", "label", "speaker", "split"};
static const char *const part_names[DV_PART_COUNT] = {"train", "validation", "test"};

typedef struct csv_reader {
    const char *file; /* for messages */
    char *next;       /* the text not yet read */
    int line;         /* of `next`, from 1 */
    int row_line;     /* where the present row began */
} csv_reader;

typedef struct csv_row {
    char *fields[COLUMN_COUNT]; /* (count), in the text */
    size_t count;
} csv_row;

/* Cuts a quoted field out of the text, in place; `next` stands behind the closing quote. */
static dv_status read_quoted(csv_reader *csv, char **field)
{
    int opened = csv->line;
    char *from = csv->next + 1;
    char *to = csv->next + 1;
    *field = to;
    for (; *from != '"' || from[1] == '"'; from++) {
        if (*from == '\0')
            return DV_FAIL(DV_EFORMAT, "%s:%d: the quote is never closed", csv->file, opened);
        if (*from == '\n')
            csv->line++;
        if (*from == '"')
            from++;
        *to++ = *from;
    }
    csv->next = from + 1;
    *to = '\0';
    if (strchr(",\r\n", *csv->next) == NULL) /* the text's end counts as found */
        return DV_FAIL(DV_EFORMAT, "%s:%d: '%c' after the closing quote", csv->file, csv->line,
                       *csv->next);
    return DV_OK;
}

static dv_status read_plain(csv_reader *csv, char **field)
{
    *field = csv->next;
    csv->next += strcspn(csv->next, ",\r\n\"");
    if (*csv->next == '"')
        return DV_FAIL(DV_EFORMAT, "%s:%d: a quote inside a field that does not begin with one",
                       csv->file, csv->line);
    return DV_OK;
}

/* Ends a field at the separator under `next` and steps over it; *more: another field follows. */
static dv_status end_field(csv_reader *csv, bool *more)
{
    char *end = csv->next;
    *more = *end == ',';
    if (*end == '\r' && end[1] != '\n' && end[1] != '\0')
        return DV_FAIL(DV_EFORMAT, "%s:%d: a carriage return inside a field", csv->file, csv->line);
    if (*end == '\r')
        csv->next++;
    if (*csv->next == '\n')
        csv->line++;
    if (*csv->next != '\0')
        csv->next++;
    *end = '\0';
    return DV_OK;
}

/* Reads the next row, stepping over empty lines; count 0 at the end. */
static dv_status read_row(csv_reader *csv, csv_row *row)
{
    row->count = 0;
    for (; *csv->next == '\n' || (*csv->next == '\r' && csv->next[1] == '\n'); csv->next++)
        csv->line += *csv->next == '\n';
    csv->row_line = csv->line;
    for (bool more = *csv->next != '\0'; more;) {
        char *field;
        if (*csv->next == '"')
            DV_TRY(read_quoted(csv, &field));
        else
            DV_TRY(read_plain(csv, &field));
        DV_TRY(end_field(csv, &more));
        if (row->count == COLUMN_COUNT)
            return DV_FAIL(DV_EFORMAT, "%s:%d: more than %d fields", csv->file, csv->row_line,
                           COLUMN_COUNT);
        row->fields[row->count++] = field;
    }
    return DV_OK;
}

static int name_index(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

static dv_status fail_unknown(const csv_reader *csv, const char *what, const char *name,
                              const char *const *names, size_t count)
{
    const char *nearest = dv_nearest(name, names, count);
    if (nearest != NULL)
        return DV_FAIL(DV_EFORMAT, "%s:%d: unknown %s '%s'; did you mean '%s'?", csv->file,
                       csv->row_line, what, name, nearest);
    return DV_FAIL(DV_EFORMAT, "%s:%d: unknown %s '%s'; known are %s, %s, %s%s%s", csv->file,
                   csv->row_line, what, name, names[0], names[1], names[2], count > 3 ? ", " : "",
                   count > 3 ? names[3] : "");
}

/* place[c] is where column c stands in a row, or -1. */
static dv_status read_header(csv_reader *csv, int place[COLUMN_COUNT], size_t *width)
{
    csv_row header;
    DV_TRY(read_row(csv, &header));
    for (int i = 0; i < COLUMN_COUNT; i++)
        place[i] = -1;
    for (size_t i = 0; i < header.count; i++) {
        int column = name_index(header.fields[i], column_names, COLUMN_COUNT);
        if (column < 0)
            return fail_unknown(csv, "column", header.fields[i], column_names, COLUMN_COUNT);
        if (place[column] >= 0)
            return DV_FAIL(DV_EFORMAT, "%s:%d: the column '%s' stands twice", csv->file,
                           csv->row_line, column_names[column]);
        place[column] = (int)i;
    }
    for (int column = PATH; column <= LABEL; column++) {
        if (place[column] < 0)
            return DV_FAIL(DV_EFORMAT,
                           "%s:%d: no column '%s'; the header is path,label[,speaker[,split]]",
                           csv->file, csv->row_line, column_names[column]);
    }
    *width = header.count;
    return DV_OK;
}

static dv_status read_part(const csv_reader *csv, const char *word, dv__entry *entry)
{
    entry->part = DV_TRAIN;
    entry->part_given = word[0] != '\0';
    if (!entry->part_given)
        return DV_OK;
    int part = name_index(word, part_names, DV_PART_COUNT);
    if (part < 0)
        return fail_unknown(csv, "split", word, part_names, DV_PART_COUNT);
    entry->part = (dv_part)part;
    return DV_OK;
}

static dv_status add_row(const csv_reader *csv, const csv_row *row, const int place[COLUMN_COUNT],
                         const char *folder, dv__listing *listing)
{
    char empty[] = "";
    char *values[COLUMN_COUNT];
    for (int i = 0; i < COLUMN_COUNT; i++)
        values[i] = place[i] >= 0 ? row->fields[place[i]] : empty;
    for (int column = PATH; column <= LABEL; column++) {
        if (values[column][0] == '\0')
            return DV_FAIL(DV_EFORMAT, "%s:%d: the %s is empty", csv->file, csv->row_line,
                           column_names[column]);
    }
    dv__entry entry = {.label = values[LABEL], .speaker = values[SPEAKER], .index = -1};
    DV_TRY(read_part(csv, values[SPLIT], &entry));
    DV_TRY(dv__join(values[PATH][0] == '/' ? "" : folder, values[PATH], &entry.path));
    dv_status status = dv__listing_add(listing, &entry);
    free(entry.path);
    return status;
}

static dv_status read_rows(csv_reader *csv, const char *folder, dv__listing *listing)
{
    int place[COLUMN_COUNT] = {0};
    size_t width = 0;
    csv_row row;
    DV_TRY(read_header(csv, place, &width));
    for (;;) {
        DV_TRY(read_row(csv, &row));
        if (row.count == 0)
            return DV_OK;
        if (row.count != width)
            return DV_FAIL(DV_EFORMAT, "%s:%d: %zu fields, the header has %zu", csv->file,
                           csv->row_line, row.count, width);
        DV_TRY(add_row(csv, &row, place, folder, listing));
    }
}

/* Reads a whole file as text; *text owned by the caller, NULL on failure. */
static dv_status read_text(const char *path, char **text)
{
    static const size_t limit = (size_t)256 << 20;
    size_t size = 0;
    size_t capacity = 0;
    dv_status status = DV_OK;
    *text = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return DV_FAIL(DV_EIO, "%s: %s", path, strerror(errno));
    do {
        DV_TRY_GOTO(dv__grow(size + 1, 1, &capacity, text));
        size += fread(*text + size, 1, capacity - size - 1, file);
        if (size > limit)
            DV_TRY_GOTO(DV_FAIL(DV_EFORMAT, "%s: larger than %zu bytes", path, limit));
    } while (!feof(file) && !ferror(file));
    if (ferror(file))
        DV_TRY_GOTO(DV_FAIL(DV_EIO, "%s: %s", path, strerror(errno)));
    (*text)[size] = '\0';
    if (strlen(*text) != size)
        DV_TRY_GOTO(DV_FAIL(DV_EFORMAT, "%s: not a text: a zero byte at %zu", path, strlen(*text)));
    fclose(file);
    return DV_OK;
fail:
    fclose(file);
    free(*text);
    *text = NULL;
    return status;
}

dv_status dv__read_manifest(const char *path, dv__listing *listing)
{
    dv_status status;
    char *text = NULL;
    char *folder = NULL;
    DV_TRY_GOTO(read_text(path, &text));
    DV_TRY_GOTO(dv__strdup(path, &folder));
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        folder[0] = '\0';
    else
        slash[1] = '\0';
    bool mark = strncmp(text, "\xEF\xBB\xBF", 3) == 0; /* some programs put a byte order mark */
    csv_reader csv = {.file = path, .next = text + (mark ? 3 : 0), .line = 1};
    status = read_rows(&csv, folder, listing);
fail:
    free(text);
    free(folder);
    return status;
}
