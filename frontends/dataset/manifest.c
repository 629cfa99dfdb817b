/* CSV manifests: path,label[,speaker[,split]], columns in any order. */
#include "frontends/dataset/csv.h"
#include "frontends/dataset/internal.h"

#include <stdlib.h>
#include <string.h>

enum { PATH, LABEL, SPEAKER, SPLIT, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {"path", "label", "speaker", "split"};
static const char *const part_names[DV_PART_COUNT] = {"train", "validation", "test"};

static int name_index(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    return -1;
}

static dv_status fail_unknown(const dv__csv *csv, const char *what, const char *name,
                              const char *const *names, size_t count)
{
    const char *nearest = dv_nearest(name, names, count);
    if (nearest != NULL)
        return DV_FAIL(DV_EFORMAT, "%s:%d: unknown %s '%s'; did you mean '%s'?", csv->path,
                       csv->row_line, what, name, nearest);
    return DV_FAIL(DV_EFORMAT, "%s:%d: unknown %s '%s'; known are %s, %s, %s%s%s", csv->path,
                   csv->row_line, what, name, names[0], names[1], names[2], count > 3 ? ", " : "",
                   count > 3 ? names[3] : "");
}

/* place[c] is where column c stands in a row, or -1. */
static dv_status read_header(dv__csv *csv, int place[COLUMN_COUNT], size_t *width)
{
    dv__csv_row header;
    DV_TRY(dv__csv_read(csv, &header));
    for (int i = 0; i < COLUMN_COUNT; i++)
        place[i] = -1;
    for (size_t i = 0; i < header.count; i++) {
        int column = name_index(header.fields[i], column_names, COLUMN_COUNT);
        if (column < 0)
            return fail_unknown(csv, "column", header.fields[i], column_names, COLUMN_COUNT);
        if (place[column] >= 0)
            return DV_FAIL(DV_EFORMAT, "%s:%d: the column '%s' stands twice", csv->path,
                           csv->row_line, column_names[column]);
        place[column] = (int)i;
    }
    for (int column = PATH; column <= LABEL; column++) {
        if (place[column] < 0)
            return DV_FAIL(DV_EFORMAT,
                           "%s:%d: no column '%s'; the header is path,label[,speaker[,split]]",
                           csv->path, csv->row_line, column_names[column]);
    }
    *width = header.count;
    return DV_OK;
}

static dv_status read_part(const dv__csv *csv, const char *word, dv__entry *entry)
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

static dv_status add_row(const dv__csv *csv, const dv__csv_row *row, const int place[COLUMN_COUNT],
                         const char *folder, dv__listing *listing)
{
    char empty[] = "";
    char *values[COLUMN_COUNT];
    for (int i = 0; i < COLUMN_COUNT; i++)
        values[i] = place[i] >= 0 ? row->fields[place[i]] : empty;
    for (int column = PATH; column <= LABEL; column++) {
        if (values[column][0] == '\0')
            return DV_FAIL(DV_EFORMAT, "%s:%d: the %s is empty", csv->path, csv->row_line,
                           column_names[column]);
    }
    dv__entry entry = {.label = values[LABEL], .speaker = values[SPEAKER], .index = -1};
    DV_TRY(read_part(csv, values[SPLIT], &entry));
    DV_TRY(dv__join(values[PATH][0] == '/' ? "" : folder, values[PATH], &entry.path));
    dv_status status = dv__listing_add(listing, &entry);
    free(entry.path);
    return status;
}

static dv_status read_rows(dv__csv *csv, const char *folder, dv__listing *listing)
{
    int place[COLUMN_COUNT] = {0};
    size_t width = 0;
    dv__csv_row row;
    DV_TRY(read_header(csv, place, &width));
    for (;;) {
        DV_TRY(dv__csv_read(csv, &row));
        if (row.count == 0)
            return DV_OK;
        if (row.count != width)
            return DV_FAIL(DV_EFORMAT, "%s:%d: %zu fields, the header has %zu", csv->path,
                           csv->row_line, row.count, width);
        DV_TRY(add_row(csv, &row, place, folder, listing));
    }
}

dv_status dv__read_manifest(const char *path, dv__listing *listing)
{
    dv__csv csv;
    char *folder;
    DV_TRY(dv__csv_open(path, &csv));
    dv_status status = dv__strdup(path, &folder);
    if (status == DV_OK) {
        char *slash = strrchr(folder, '/');
        folder[slash != NULL ? slash + 1 - folder : 0] = '\0';
        status = read_rows(&csv, folder, listing);
        free(folder);
    }
    dv__csv_close(&csv);
    return status;
}
