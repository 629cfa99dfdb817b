/*
 * Field tables. One table per section of the configuration (and per layer) serves the parser, the
 * defaults, the range checks, the help, the command-line overrides and the resolved copy.
 *
 *     typedef struct conv2d_attr { int64_t filters; int64_t kernel[2]; bool bias; } conv2d_attr;
 *
 *     static const dv_field conv2d_fields[] = {
 *         DV_INT(conv2d_attr, filters, DV_REQUIRED, 1, 65536, "output channels"),
 *         DV_PAIR(conv2d_attr, kernel, "3", 1, 1024, "kernel height and width, or one for both"),
 *         DV_BOOL(conv2d_attr, bias, "true", "add a bias"),
 *         DV_END,
 *     };
 *
 *     conv2d_attr attr;
 *     DV_TRY(dv_fields_read(conv2d_fields, map, "conv2d", &attr));    // unknown keys are errors
 */
#ifndef DV_BASE_FIELD_H
#define DV_BASE_FIELD_H

#include "engine/base/tree.h"

#include <stddef.h>
#include <stdint.h>

typedef enum dv_field_kind {
    DV_FIELD_END,
    DV_FIELD_INT,    /* int64_t */
    DV_FIELD_FLOAT,  /* double */
    DV_FIELD_BOOL,   /* bool: true|false|yes|no|on|off */
    DV_FIELD_ENUM,   /* int: index of the text in `choices` */
    DV_FIELD_STRING, /* char[DV_STRING_SIZE] */
    DV_FIELD_PATH,   /* char[DV_STRING_SIZE]: comma-separated paths, each PATH or PREFIX=PATH */
    DV_FIELD_PAIR,   /* int64_t[2]: one integer for both or a list of two; a default is "3,5" */
    DV_FIELD_TREE,   /* const dv_tree *: the unparsed value, borrowed; the default is NULL */
} dv_field_kind;

enum { DV_STRING_SIZE = 512 };

#define DV_REQUIRED NULL /* the default of a key that must be given */

typedef struct dv_field {
    dv_field_kind kind;
    const char *key;
    size_t offset;
    const char *fallback;       /* the default as text, or DV_REQUIRED */
    double minimum, maximum;    /* inclusive limits of INT, FLOAT and PAIR; may be infinite */
    const char *const *choices; /* texts of an ENUM, NULL-terminated */
    const char *help;
} dv_field;

/* clang-format off */
#define DV_INT(type, member, fallback, minimum, maximum, help) \
    {DV_FIELD_INT, #member, offsetof(type, member), fallback, minimum, maximum, NULL, help}
#define DV_FLOAT(type, member, fallback, minimum, maximum, help) \
    {DV_FIELD_FLOAT, #member, offsetof(type, member), fallback, minimum, maximum, NULL, help}
#define DV_BOOL(type, member, fallback, help) \
    {DV_FIELD_BOOL, #member, offsetof(type, member), fallback, 0, 0, NULL, help}
#define DV_ENUM(type, member, fallback, choices, help) \
    {DV_FIELD_ENUM, #member, offsetof(type, member), fallback, 0, 0, choices, help}
#define DV_STRING(type, member, fallback, help) \
    {DV_FIELD_STRING, #member, offsetof(type, member), fallback, 0, 0, NULL, help}
#define DV_PATH(type, member, fallback, help) \
    {DV_FIELD_PATH, #member, offsetof(type, member), fallback, 0, 0, NULL, help}
#define DV_PAIR(type, member, fallback, minimum, maximum, help) \
    {DV_FIELD_PAIR, #member, offsetof(type, member), fallback, minimum, maximum, NULL, help}
#define DV_TREE_FIELD(type, member, help) \
    {DV_FIELD_TREE, #member, offsetof(type, member), "", 0, 0, NULL, help}
#define DV_END {DV_FIELD_END, NULL, 0, NULL, 0, 0, NULL, NULL}
/* clang-format on */

/*
 * Fills `record` from `map`, a DV_TREE_MAP. A `map` of NULL or DV_TREE_NULL gives all defaults.
 * Fails with DV_ECONFIG and "file:line: <section>: ..." for an unknown key (and names the nearest
 * key), a wrong type, a number out of range (and names the range) or a missing required key.
 * `section` may be NULL. A quoted scalar is a string, which only STRING and ENUM accept; STRING
 * accepts every scalar.
 */
dv_status dv_fields_read(const dv_field *fields, const dv_tree *map, const char *section,
                         void *record);

/* Appends every field of `record` to `map`. dv_fields_read makes the same record, bit for bit, from
   this resolved copy. DV_FIELD_TREE values are copied, or left out if they are NULL. Fails with
   DV_EARG for a value that no file can express: a number that is not finite, or an ENUM beyond its
   choices. */
dv_status dv_fields_write(const dv_field *fields, const void *record, dv_tree *map);

/* Shortens each path of `map` to its last name, so that a file which leaves this machine does not
   tell where other files lie. `map` may be NULL. */
void dv_fields_shorten_paths(const dv_field *fields, dv_tree *map);

/* Fills `record` with all defaults; a required field is an error. */
dv_status dv_fields_default(const dv_field *fields, void *record);

/* The field with this key, or NULL. */
const dv_field *dv_fields_find(const dv_field *fields, const char *key);

/* The nearest of `count` names by edit distance, or NULL if none is near. Messages suggest it. */
const char *dv_nearest(const char *name, const char *const *names, size_t count);

/* The range of an INT, FLOAT or PAIR in words: "1 to 10", "at least 1", "any". */
enum { DV_RANGE_SIZE = 64 };
void dv_field_range(const dv_field *field, char text[DV_RANGE_SIZE]);

/* Strict conversions of the whole text: "inf", "nan", hex and a trailing blank fail. */
bool dv_parse_int(const char *text, int64_t *out);
bool dv_parse_float(const char *text, double *out);

#endif
