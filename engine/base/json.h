/* Reads, writes and prints JSON. */
#ifndef DV_BASE_JSON_H
#define DV_BASE_JSON_H

#include "engine/base/status.h"

#include <jansson.h>
#include <stdio.h>

/* The first key of every JSON file that decavox writes, and its value. */
#define DV_JSON_GENERATOR "generator"
#define DV_JSON_DECAVOX "decavox " DV_VERSION

/* A text as a JSON string, which must be UTF-8. Each byte that is not UTF-8 (names of files may
   have some) becomes \xNN. */
json_t *dv_text_json(const char *text);

/* Jansson's flags for printing to `out`: indented, and in ASCII alone if `out` is a terminal, since
   terminals obey some characters beyond ASCII. */
size_t dv_json_flags(FILE *out);

/* Prints `json` to `out` with dv_json_flags and a newline. Fails with DV_ENOMEM if `json` is
   NULL. */
dv_status dv_json_print(const json_t *json, FILE *out);

/* Reads a JSON file. *out is a new reference, or NULL on failure. Fails with DV_EIO, DV_ESYSTEM, or
   DV_EFORMAT, whose message names the line. */
dv_status dv_json_read(const char *path, json_t **out);

/* Writes `json` atomically to `path`, and takes over the reference. */
dv_status dv_json_write(const char *path, json_t *json);

#endif
