/* JSON texts: files of it, and how it is printed. */
#ifndef DV_BASE_JSON_H
#define DV_BASE_JSON_H

#include "engine/base/status.h"

#include <jansson.h>
#include <stdio.h>

/* The first key of a file that decavox makes, and what it says. */
#define DV_JSON_GENERATOR "generator"
#define DV_JSON_DECAVOX "decavox " DV_VERSION

/* A text for JSON, which is UTF-8: in any other, like the names that file systems allow, each byte
   that is none is written as \xNN. */
json_t *dv_text_json(const char *text);

/* How JSON is printed to `out`: indented, and where that is a terminal in ASCII alone, since beyond
   it there are characters that a terminal obeys. */
size_t dv_json_flags(FILE *out);

/* Prints JSON to `out` in that way, and ends the line. DV_ENOMEM: `json` is NULL. */
dv_status dv_json_print(const json_t *json, FILE *out);

/* Reads a file of JSON: a new reference, NULL on failure. DV_EIO, DV_ESYSTEM; DV_EFORMAT names the
   line. */
dv_status dv_json_read(const char *path, json_t **out);

/* Writes `json` (reference stolen) as text to `path`, whole or not at all. */
dv_status dv_json_write(const char *path, json_t *json);

#endif
