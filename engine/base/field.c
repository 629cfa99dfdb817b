/* Reads maps into records and writes records into maps, both by field tables. The strict
   conversions of numbers and the search for the nearest name are here too. */
#include "engine/base/field.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_SIZE = 768, SHOWN_SIZE = 96, NAME_SIZE = 64, NUMBER_SIZE = 40 };

static const char *const true_texts[] = {"true", "yes", "on"};
static const char *const false_texts[] = {"false", "no", "off"};

bool dv_parse_int(const char *text, int64_t *out)
{
    char *end;
    if (strspn(text, "+-0123456789") != strlen(text))
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0)
        return false;
    *out = value;
    return true;
}

bool dv_parse_float(const char *text, double *out)
{
    char *end;
    if (strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value))
        return false;
    *out = value;
    return true;
}

static bool parse_bool(const char *text, bool *out)
{
    for (size_t i = 0; i < sizeof true_texts / sizeof true_texts[0]; i++) {
        bool is_true = strcasecmp(text, true_texts[i]) == 0;
        if (is_true || strcasecmp(text, false_texts[i]) == 0) {
            *out = is_true;
            return true;
        }
    }
    return false;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The restricted Damerau-Levenshtein distance of two names with fewer than NAME_SIZE characters:
   the number of edits that insert, delete, replace or swap characters. Keeps three rows. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][NAME_SIZE];
    size_t length = strlen(b);
    size_t i = 0;
    for (size_t j = 0; j <= length; j++)
        rows[0][j] = j;
    for (i = 1; a[i - 1] != '\0'; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
            row[j] = smaller(row[j], smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], second[j - 2] + 1);
        }
    }
    return rows[(i - 1) % 3][length];
}

/* A search for the nearest of several names. */
typedef struct nearest {
    const char *name;
    const char *found;
    size_t distance;
} nearest;

/* Keeps the candidate if it is nearer. At most one edit in three characters is near. A candidate
   that begins with the name counts as two edits. */
static void consider(nearest *search, const char *candidate)
{
    size_t length = strlen(search->name);
    size_t other = strlen(candidate);
    if (length >= NAME_SIZE || other >= NAME_SIZE)
        return;
    size_t distance = edit_distance(search->name, candidate);
    size_t limit = ((length > other ? length : other) + 1) / 3;
    if (distance > 2 && length >= 3 && strncmp(search->name, candidate, length) == 0)
        distance = limit = 2;
    if (distance <= limit && (search->found == NULL || distance < search->distance)) {
        search->found = candidate;
        search->distance = distance;
    }
}

const char *dv_nearest(const char *name, const char *const *names, size_t count)
{
    nearest search = {.name = name};
    for (size_t i = 0; i < count; i++)
        consider(&search, names[i]);
    return search.found;
}

const dv_field *dv_fields_find(const dv_field *fields, const char *key)
{
    for (const dv_field *field = fields; field->kind != DV_FIELD_END; field++)
        if (strcmp(field->key, key) == 0)
            return field;
    return NULL;
}

void dv_field_range(const dv_field *field, char text[DV_RANGE_SIZE])
{
    /* A bound at the end of the type's range is no limit. */
    double open = field->kind == DV_FIELD_FLOAT ? DBL_MAX : 0x1p63;
    bool below = field->minimum > -open;
    bool above = field->maximum < open;
    if (below && above)
        snprintf(text, DV_RANGE_SIZE, "%.15g to %.15g", field->minimum, field->maximum);
    else if (below)
        snprintf(text, DV_RANGE_SIZE, "at least %.15g", field->minimum);
    else if (above)
        snprintf(text, DV_RANGE_SIZE, "at most %.15g", field->maximum);
    else
        snprintf(text, DV_RANGE_SIZE, "any");
}

/* A value that is being read into a record, and the data for messages about it. */
typedef struct reading {
    const dv_field *field;
    const dv_tree *node;
    const char *section;
    void *slot;
} reading;

static dv_status fail_field(const reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static dv_status fail_field(const reading *r, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *section = r->section != NULL ? r->section : "";
    return dv_tree_fail(r->node, "%s%s%s: %s", section, *section != '\0' ? ": " : "", r->field->key,
                        text);
}

/* Fails with a message about the value in the file and the expected one. */
static dv_status fail_type(const reading *r, const dv_tree *node, const char *expected)
{
    char shown[SHOWN_SIZE];
    static const char *const kinds[] = {"nothing", NULL, "a list", "a map"};
    if (node->kind == DV_TREE_SCALAR)
        snprintf(shown, sizeof shown, "%s'%.60s'", node->quoted ? "the string " : "", node->text);
    else
        snprintf(shown, sizeof shown, "%s", kinds[node->kind]);
    return fail_field(r, "expected %s, got %s", expected, shown);
}

static dv_status fail_range(const reading *r, const char *text)
{
    char range[DV_RANGE_SIZE];
    dv_field_range(r->field, range);
    return fail_field(r, "%.60s is out of range (%s)", text, range);
}

static bool is_plain_scalar(const dv_tree *node)
{
    return node->kind == DV_TREE_SCALAR && !node->quoted;
}

static dv_status read_int(const reading *r, const dv_tree *node, int64_t *out)
{
    if (!is_plain_scalar(node))
        return fail_type(r, node, "an integer");
    if (!dv_parse_int(node->text, out)) {
        const char *digits = node->text + (*node->text == '-' || *node->text == '+' ? 1 : 0);
        bool too_long = *digits != '\0' && strspn(digits, "0123456789") == strlen(digits);
        return too_long ? fail_range(r, node->text) : fail_type(r, node, "an integer");
    }
    if ((double)*out < r->field->minimum || (double)*out > r->field->maximum)
        return fail_range(r, node->text);
    return DV_OK;
}

static dv_status read_float(const reading *r)
{
    double *value = r->slot;
    if (!is_plain_scalar(r->node) || !dv_parse_float(r->node->text, value))
        return fail_type(r, r->node, "a number");
    if (*value < r->field->minimum || *value > r->field->maximum)
        return fail_range(r, r->node->text);
    return DV_OK;
}

static dv_status read_bool(const reading *r)
{
    if (!is_plain_scalar(r->node) || !parse_bool(r->node->text, r->slot))
        return fail_type(r, r->node, "true or false");
    return DV_OK;
}

/* Appends a name to the list "a, b, c" of a message; the list is cut at the end of `text`. */
static void append_name(char text[TEXT_SIZE], const char *name)
{
    size_t length = strlen(text);
    snprintf(text + length, TEXT_SIZE - length, "%s%s", length > 0 ? ", " : "", name);
}

static dv_status read_enum(const reading *r)
{
    if (r->node->kind != DV_TREE_SCALAR)
        return fail_type(r, r->node, "a word");
    nearest search = {.name = r->node->text};
    char known[TEXT_SIZE] = "";
    for (int i = 0; r->field->choices[i] != NULL; i++) {
        if (strcmp(r->node->text, r->field->choices[i]) == 0) {
            *(int *)r->slot = i;
            return DV_OK;
        }
        consider(&search, r->field->choices[i]);
        append_name(known, r->field->choices[i]);
    }
    if (search.found != NULL)
        return fail_field(r, "unknown value '%.60s', did you mean '%s'? Choices: %s", r->node->text,
                          search.found, known);
    return fail_field(r, "unknown value '%.60s'. Choices: %s", r->node->text, known);
}

static dv_status read_string(const reading *r)
{
    if (r->node->kind != DV_TREE_SCALAR)
        return fail_type(r, r->node, "a string");
    size_t length = strlen(r->node->text);
    if (length >= DV_STRING_SIZE)
        return fail_field(r, "the text has %zu bytes, and at most %d fit", length,
                          DV_STRING_SIZE - 1);
    /* Clear the rest too, so that equal records have equal bytes. */
    memset(r->slot, 0, DV_STRING_SIZE);
    memcpy(r->slot, r->node->text, length);
    return DV_OK;
}

static dv_status read_pair(const reading *r)
{
    int64_t *pair = r->slot;
    if (r->node->kind != DV_TREE_LIST) {
        if (r->node->kind != DV_TREE_SCALAR)
            return fail_type(r, r->node, "an integer or a list of two integers");
        DV_TRY(read_int(r, r->node, &pair[0]));
        pair[1] = pair[0];
        return DV_OK;
    }
    if (r->node->count != 2)
        return fail_field(r, "expected an integer or a list of two integers, got a list of %zu",
                          r->node->count);
    DV_TRY(read_int(r, r->node->children[0], &pair[0]));
    return read_int(r, r->node->children[1], &pair[1]);
}

/* Reads the node into the slot with the reader of the field's kind. A tree is borrowed. */
static dv_status read_value(const reading *r)
{
    switch (r->field->kind) {
    case DV_FIELD_INT:
        return read_int(r, r->node, r->slot);
    case DV_FIELD_FLOAT:
        return read_float(r);
    case DV_FIELD_BOOL:
        return read_bool(r);
    case DV_FIELD_ENUM:
        return read_enum(r);
    case DV_FIELD_STRING:
    case DV_FIELD_PATH:
        return read_string(r);
    case DV_FIELD_PAIR:
        return read_pair(r);
    case DV_FIELD_TREE:
        *(const dv_tree **)r->slot = r->node;
        return DV_OK;
    case DV_FIELD_END:
        break;
    }
    return DV_FAIL(DV_EARG, "%s: a field kind without a reader", r->field->key);
}

/* Reads the default like a value from a file, so that a table cannot have a default that a file
   could not. */
static dv_status read_default(const reading *r)
{
    if (r->field->kind == DV_FIELD_TREE) {
        *(const dv_tree **)r->slot = NULL;
        return DV_OK;
    }
    char first[DV_STRING_SIZE];
    char source[] = "default";
    size_t length = strlen(r->field->fallback);
    DV_ASSERT(length < sizeof first);
    memcpy(first, r->field->fallback, length + 1);
    dv_tree node = {.kind = DV_TREE_SCALAR, .text = first, .source = source};
    dv_tree second = node;
    dv_tree *both[] = {&node, &second};
    dv_tree pair = {.kind = DV_TREE_LIST, .children = both, .count = 2, .source = source};
    reading of_default = *r;
    of_default.node = &node;
    char *comma = r->field->kind == DV_FIELD_PAIR ? strchr(first, ',') : NULL;
    if (comma != NULL) {
        *comma = '\0';
        second.text = comma + 1;
        of_default.node = &pair;
    }
    return read_value(&of_default);
}

static dv_status fail_unknown(const dv_field *fields, const dv_tree *child, const char *section)
{
    nearest search = {.name = child->key};
    char known[TEXT_SIZE] = "";
    for (const dv_field *field = fields; field->kind != DV_FIELD_END; field++) {
        consider(&search, field->key);
        append_name(known, field->key);
    }
    const char *name = section != NULL ? section : "";
    const char *colon = *name != '\0' ? ": " : "";
    if (search.found != NULL)
        return dv_tree_fail(child, "%s%sunknown key '%.60s', did you mean '%s'?", name, colon,
                            child->key, search.found);
    return dv_tree_fail(child, "%s%sunknown key '%.60s'. Keys: %s", name, colon, child->key,
                        *known != '\0' ? known : "none");
}

/* Refuses unknown keys first, then reads the fields in the order of the table. A field without a
   key in the map takes its default. */
dv_status dv_fields_read(const dv_field *fields, const dv_tree *map, const char *section,
                         void *record)
{
    if (map != NULL && map->kind != DV_TREE_NULL && map->kind != DV_TREE_MAP)
        return dv_tree_fail(map, "%s: expected a map of keys, got %s",
                            section != NULL ? section : "configuration",
                            map->kind == DV_TREE_LIST ? "a list" : "a single value");
    for (size_t i = 0; map != NULL && i < map->count; i++)
        if (dv_fields_find(fields, map->children[i]->key) == NULL)
            return fail_unknown(fields, map->children[i], section);
    for (const dv_field *field = fields; field->kind != DV_FIELD_END; field++) {
        const dv_tree *node = dv_tree_get(map, field->key);
        reading r = {field, node, section, (char *)record + field->offset};
        if (node != NULL) {
            DV_TRY(read_value(&r));
        } else if (field->fallback != NULL) {
            DV_TRY(read_default(&r));
        } else {
            r.node = map;
            return fail_field(&r, "is missing, and it has no default");
        }
    }
    return DV_OK;
}

dv_status dv_fields_default(const dv_field *fields, void *record)
{
    return dv_fields_read(fields, NULL, NULL, record);
}

/* Whether a reader of YAML may take the unquoted text for something other than a string. */
static bool needs_quotes(const char *text)
{
    bool ignored;
    return strchr("+-.0123456789", text[0]) != NULL || dv_tree_is_null_text(text) ||
           parse_bool(text, &ignored) || strcasecmp(text, "y") == 0 || strcasecmp(text, "n") == 0;
}

static dv_status format_float(const dv_field *field, double value, char text[NUMBER_SIZE])
{
    if (!isfinite(value))
        return DV_FAIL(DV_EARG, "%s: %g cannot be written", field->key, value);
    double back = 0;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, NUMBER_SIZE, "%.*g", digits, value);
        if (dv_parse_float(text, &back) && back == value)
            break;
    }
    /* In YAML 1.1, 1e-05 is a string and 1.0e-05 a number. */
    if (strchr(text, 'e') != NULL && strchr(text, '.') == NULL)
        snprintf(text, NUMBER_SIZE, "%.1e", value);
    return DV_OK;
}

/* Writes a pair of equal numbers as one scalar, any other pair as a list of two. */
static dv_status write_pair(const int64_t pair[2], dv_tree **out)
{
    dv_status status;
    char text[NUMBER_SIZE];
    dv_tree *list = NULL;
    snprintf(text, sizeof text, "%lld", (long long)pair[0]);
    if (pair[0] == pair[1])
        return dv_tree_new_scalar(text, NULL, 0, out);
    DV_TRY_GOTO(dv_tree_new(DV_TREE_LIST, NULL, 0, &list));
    for (int i = 0; i < 2; i++) {
        dv_tree *item;
        snprintf(text, sizeof text, "%lld", (long long)pair[i]);
        DV_TRY_GOTO(dv_tree_new_scalar(text, NULL, 0, &item));
        DV_TRY_GOTO(dv_tree_append(list, NULL, item));
    }
    *out = list;
    return DV_OK;
fail:
    dv_tree_free(list);
    return status;
}

static dv_status write_text(const char *text, dv_tree **out)
{
    DV_TRY(dv_tree_new_scalar(text, NULL, 0, out));
    (*out)->quoted = needs_quotes(text);
    return DV_OK;
}

static dv_status write_enum(const dv_field *field, int value, dv_tree **out)
{
    int count = 0;
    while (field->choices[count] != NULL)
        count++;
    if (value < 0 || value >= count)
        return DV_FAIL(DV_EARG, "%s: %d is none of its %d choices", field->key, value, count);
    return write_text(field->choices[value], out);
}

/* Makes the node of a field's value. *out is NULL for a tree that is NULL. */
static dv_status write_value(const dv_field *field, const void *slot, dv_tree **out)
{
    char text[NUMBER_SIZE];
    switch (field->kind) {
    case DV_FIELD_INT:
        snprintf(text, sizeof text, "%lld", (long long)*(const int64_t *)slot);
        return dv_tree_new_scalar(text, NULL, 0, out);
    case DV_FIELD_FLOAT:
        DV_TRY(format_float(field, *(const double *)slot, text));
        return dv_tree_new_scalar(text, NULL, 0, out);
    case DV_FIELD_BOOL:
        return dv_tree_new_scalar(*(const bool *)slot ? "true" : "false", NULL, 0, out);
    case DV_FIELD_ENUM:
        return write_enum(field, *(const int *)slot, out);
    case DV_FIELD_STRING:
    case DV_FIELD_PATH:
        return write_text(slot, out);
    case DV_FIELD_PAIR:
        return write_pair(slot, out);
    case DV_FIELD_TREE:
        *out = NULL;
        return *(dv_tree *const *)slot != NULL ? dv_tree_copy(*(dv_tree *const *)slot, out) : DV_OK;
    case DV_FIELD_END:
        break;
    }
    return DV_FAIL(DV_EARG, "%s: a field kind without a writer", field->key);
}

dv_status dv_fields_write(const dv_field *fields, const void *record, dv_tree *map)
{
    for (const dv_field *field = fields; field->kind != DV_FIELD_END; field++) {
        dv_tree *value;
        DV_TRY(write_value(field, (const char *)record + field->offset, &value));
        if (value != NULL)
            DV_TRY(dv_tree_append(map, field->key, value));
    }
    return DV_OK;
}
