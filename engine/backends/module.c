/* Finds the module of a backend, loads it, and gives it the table of the engine's functions. */
#define _GNU_SOURCE /* dladdr */
#include "engine/backends/module.h"
#include "engine/core/plan.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

/* ---- Functions for modules ---- */

static dv_status fail(dv_status code, const char *text)
{
    return dv_fail(code, "%s", text);
}

static void log_text(const dv_log *log, dv_log_level level, const char *text)
{
    dv_log_write(log, level, "%s", text);
}

static const dv_module_host host = {
    .abi = DV_MODULE_ABI,
    .fail = fail,
    .error_message = dv_error_message,
    .log = log_text,
    .planner_save = dv_planner_save,
    .planner_scratch = dv_planner_scratch,
    .planner_set_layout = dv_planner_set_layout,
    .planner_layout = dv_planner_layout,
};

/* ---- Search ---- */

/* Writes the folders to search, separated by colons. If DECAVOX_MODULE_PATH is set, it is the only
   one. Otherwise they are the program's folder, as in a build folder, and the folders into which
   `cmake --install` puts modules. */
static void search_path(char *path, size_t size)
{
    const char *chosen = getenv("DECAVOX_MODULE_PATH");
    if (chosen != NULL) {
        snprintf(path, size, "%s", chosen);
        return;
    }
    char program[PATH_SIZE];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(path, size, "%s:%s/" DV_MODULE_FROM_PROGRAM ":" DV_MODULE_FOLDER, program, program);
}

bool dv_module_find(const char *name, char *path, size_t size)
{
    char folders[3 * PATH_SIZE];
    search_path(folders, sizeof folders);
    for (const char *folder = folders; *folder != '\0';) {
        int length = (int)strcspn(folder, ":");
        snprintf(path, size, "%.*s/libdecavox_%s.so", length, folder, name);
        if (length > 0 && access(path, R_OK) == 0)
            return true;
        folder += length + (folder[length] == ':');
    }
    snprintf(path, size, "%s", folders);
    return false;
}

/* ---- Loading ---- */

static dv_status enter(void *module, const char *path, const dv_backend **out)
{
    dv_module_open_fn open;
    void *symbol = dlsym(module, "dv_module_open");
    if (symbol == NULL)
        return DV_FAIL(DV_EDEVICE, "module %s is not one of decavox: %s", path, dlerror());
    memcpy(&open, &symbol, sizeof open); /* C cannot convert an object pointer to a function's */
    *out = open(&host);
    if (*out == NULL)
        return DV_FAIL(DV_EDEVICE,
                       "module %s is of another version of decavox: interface %d is "
                       "needed",
                       path, DV_MODULE_ABI);
    return DV_OK;
}

dv_status dv_module_load(const char *name, const dv_backend **out)
{
    *out = NULL;
    char path[3 * PATH_SIZE];
    if (!dv_module_find(name, path, sizeof path))
        return DV_FAIL(
            DV_EUNSUPPORTED,
            "there is no module libdecavox_%s.so in %s; a build with -D DV_CUDA=ON makes "
            "it, and DECAVOX_MODULE_PATH can name its folder",
            name, path);
    /* NODELETE, because the module's libraries register destructors and thread-local data. */
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == NULL)
        return DV_FAIL(DV_EDEVICE, "module %s cannot be loaded: %s", path, dlerror());
    dv_status status = enter(module, path, out);
    dlclose(module);
    return status;
}

/* Finds the backend's file by the address of its name, which works for a copy of the table too. */
const void *dv_module_table(const dv_backend *backend, const char *name)
{
    Dl_info file;
    if (dladdr(backend->name, &file) == 0)
        return NULL;
    void *module = dlopen(file.dli_fname, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
    if (module == NULL)
        return NULL;
    const void *table = dlsym(module, name);
    dlclose(module);
    return table;
}
