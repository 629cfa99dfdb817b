/* Reads, writes and prints JSON through the library jansson. */
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/atomic_file.h"
#include "engine/base/input_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

json_t *dv_text_json(const char *text)
{
    json_t *json = json_string(text);
    char *copy;
    if (json != NULL || dv_utf8_of(text, &copy) != DV_OK)
        return json;
    json = json_string(copy);
    free(copy);
    return json;
}

size_t dv_json_flags(FILE *out)
{
    return JSON_INDENT(2) | (isatty(fileno(out)) == 1 ? JSON_ENSURE_ASCII : 0);
}

dv_status dv_json_print(const json_t *json, FILE *out)
{
    if (json == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory while printing JSON");
    json_dumpf(json, out, dv_json_flags(out)); /* main checks the stream for errors */
    fputc('\n', out);
    return DV_OK;
}

dv_status dv_json_read(const char *path, json_t **out)
{
    json_error_t error;
    FILE *file;
    *out = NULL;
    DV_TRY(dv_input_open(path, &file));
    *out = json_loadf(file, 0, &error);
    fclose(file);
    if (*out == NULL)
        return DV_FAIL(DV_EFORMAT, "%s: line %d: %s", path, error.line, error.text);
    return DV_OK;
}

dv_status dv_json_write(const char *path, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (text == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: the text for %s", path);
    dv_status status = dv_atomic_file_store(path, text, strlen(text));
    free(text);
    return status;
}
