/*
 * Backends in a module of their own, loaded when a device of theirs is asked for, so that a program
 * that never does starts without their libraries. libdecavox_<name>.so has one entry point.
 *
 * A module is part of the same release: structures are shared (dv_context, dv_node_step,
 * dv_backend, dv_dtype, ...), and DV_MODULE_ABI changes with any of them. Functions of the engine
 * that a module needs come to it through a table; module_shims.c makes functions of the usual names
 * out of it, so that implementations of operations are written like those of the other backends.
 */
#ifndef DV_BACKENDS_MODULE_H
#define DV_BACKENDS_MODULE_H

#include "engine/base/log.h"
#include "engine/core/backend.h"

enum { DV_MODULE_ABI = 8 };

struct dv_layout;

typedef struct dv_module_host {
    uint32_t abi; /* DV_MODULE_ABI of the engine */

    /* dv_fail with the finished text; the present message; dv_log_write with the finished text. */
    dv_status (*fail)(dv_status code, const char *text);
    const char *(*error_message)(void);
    void (*log)(const dv_log *log, dv_log_level level, const char *text);

    void (*planner_save)(dv_planner *planner, size_t bytes);
    void (*planner_scratch)(dv_planner *planner, size_t bytes);
    bool (*planner_set_layout)(dv_planner *planner, int i, struct dv_layout *layout);
    const struct dv_layout *(*planner_layout)(const dv_planner *planner, int i);
} dv_module_host;

/* The entry point, dv_module_open: remembers `host`, which stays valid; NULL where the module was
   built for another ABI. */
typedef const dv_backend *(*dv_module_open_fn)(const dv_module_host *host);

/* In a module: keeps the table. False: it is of another ABI. */
bool dv__module_bind(const dv_module_host *host);

/* Loads the module of backend `name` ("cuda", "cudasim"), once: it stays until the program ends.
   DV_EUNSUPPORTED: there is no such file, and where it was looked for; DV_EDEVICE: it cannot be
   used, and why. */
dv_status dv_module_load(const char *name, const dv_backend **out);

/* What the backend's module exports under this name beside the backend: a table of a room above.
   NULL: nothing, or the backend is part of the program. */
const void *dv_module_table(const dv_backend *backend, const char *name);

/* The file dv_module_load would load. False: there is none; `path` is then the list of the places
   that were looked at. */
bool dv_module_find(const char *name, char *path, size_t size);

#endif
