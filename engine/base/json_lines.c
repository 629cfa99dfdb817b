/* Reads JSON lines from the text that a dv_csv holds (csv.h). */
#include "engine/base/text.h"
#include "engine/base/csv.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dv_json_row_free(dv_json_row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        free(row->names[i]);
        free(row->values[i]);
    }
    row->count = 0;
}

/* Makes the text of a value. The caller owns *out, which may be NULL. */
static dv_status write_value(const json_t *value, char **out)
{
    char number[32] = "";
    *out = NULL;
    if (json_is_string(value))
        return dv_strdup(json_string_value(value), out);
    if (json_is_integer(value))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    else if (!json_is_null(value))
        return DV_OK;
    return dv_strdup(number, out);
}

static dv_status read_members(const dv_csv *csv, json_t *object, dv_json_row *row)
{
    const char *name;
    json_t *value;
    if (json_object_size(object) > DV_CSV_FIELDS)
        return DV_FAIL(DV_EFORMAT, "%s:%d: the object has more than %d members", csv->path,
                       csv->row_line, DV_CSV_FIELDS);
    json_object_foreach(object, name, value)
    {
        DV_TRY(dv_strdup(name, &row->names[row->count]));
        row->values[row->count++] = NULL;
        DV_TRY(write_value(value, &row->values[row->count - 1]));
    }
    return DV_OK;
}

static dv_status read_object(const dv_csv *csv, const char *line, dv_json_row *row)
{
    json_error_t error;
    if (!dv_is_utf8(line))
        return DV_FAIL(DV_EFORMAT, "%s:%d: the line is not UTF-8", csv->path, csv->row_line);
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL)
        return DV_FAIL(DV_EFORMAT,
                       "%s:%d: each line must be a JSON object, and this one is none: %s",
                       csv->path, csv->row_line, error.text);
    dv_status status =
        json_is_object(object)
            ? read_members(csv, object, row)
            : DV_FAIL(DV_EFORMAT,
                      "%s:%d: each line must be a JSON object, and this one is another value",
                      csv->path, csv->row_line);
    json_decref(object);
    return status;
}

dv_status dv_json_line_read(dv_csv *csv, dv_json_row *row, bool *more)
{
    row->count = 0;
    *more = false;
    while (!*more && *csv->next != '\0') {
        char *line = csv->next;
        char *end = line + strcspn(line, "\n");
        csv->row_line = csv->line;
        csv->line += *end == '\n';
        csv->next = end + (*end == '\n');
        *end = '\0';
        *more = line[strspn(line, " \t\r")] != '\0';
        if (*more)
            DV_TRY(read_object(csv, line, row));
    }
    return DV_OK;
}
