/*
 * Backends in modules of their own. A module is loaded when one of its devices is opened, so that
 * other programs start without its libraries. libdecavox_<name>.so has one entry point.
 *
 * A module belongs to the same release: it shares structures (dv_context, dv_node_step, dv_backend,
 * dv_dtype, ...), and DV_MODULE_ABI changes with any of them. A table gives the module the engine's
 * functions that it needs. module_shims.c wraps them in functions of the usual names, so that
 * operations of a module are written like those of the other backends.
 */
#ifndef DV_BACKENDS_MODULE_H
#define DV_BACKENDS_MODULE_H

#include "engine/base/log.h"
#include "engine/core/backend.h"

enum { DV_MODULE_ABI = 8 };

struct dv_layout;

typedef struct dv_module_host {
    uint32_t abi; /* DV_MODULE_ABI of the engine */

    dv_status (*fail)(dv_status code, const char *text); /* dv_fail with a formatted text */
    const char *(*error_message)(void);
    void (*log)(const dv_log *log, dv_log_level level, const char *text); /* formatted likewise */

    void (*planner_save)(dv_planner *planner, size_t bytes);
    void (*planner_scratch)(dv_planner *planner, size_t bytes);
    bool (*planner_set_layout)(dv_planner *planner, int i, struct dv_layout *layout);
    const struct dv_layout *(*planner_layout)(const dv_planner *planner, int i);
} dv_module_host;

/* The entry point, dv_module_open. The module keeps `host`, which stays valid. Returns NULL if the
   module was built for another ABI. */
typedef const dv_backend *(*dv_module_open_fn)(const dv_module_host *host);

/* Called in a module: keeps the table. Returns false if the table has another ABI. */
bool dv__module_bind(const dv_module_host *host);

/* Loads the module of backend `name` ("cuda", "cudasim") once; it stays until the program ends.
   Fails with DV_EUNSUPPORTED if there is no such file (the message lists the searched places), and
   with DV_EDEVICE if it cannot be used (the message says why). */
dv_status dv_module_load(const char *name, const dv_backend **out);

/* A further table that the backend's module exports under this name, for code outside the engine.
   NULL if there is none, or if the backend is part of the program. */
const void *dv_module_table(const dv_backend *backend, const char *name);

/* Finds the file that dv_module_load would load. If there is none, returns false and writes the
   list of the searched places to `path`. */
bool dv_module_find(const char *name, char *path, size_t size);

#endif
