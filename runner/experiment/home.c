/* Searches the folders of decavox's own files. */
#define _GNU_SOURCE /* dladdr */
#include "runner/experiment/home.h"
#include "engine/base/field.h"
#include "engine/base/file_names.h"
#include "runner/experiment/run_folder.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODEL_FILE "model.safetensors" /* the model in the folder of a run */

/* Finds the real path of the file that holds this code, the program or the library. False if it
   cannot be found. For a program started through $PATH, dladdr knows only the bare name. */
static bool find_self(char path[PATH_MAX])
{
    static const char here;
    Dl_info object;
    bool known = dladdr(&here, &object) != 0 && strchr(object.dli_fname, '/') != NULL;
    return realpath(known ? object.dli_fname : "/proc/self/exe", path) != NULL;
}

static void add(const char *folder, const char *name, dv_home *out)
{
    bool here = strcmp(folder, ".") == 0; /* written without "./", as users do */
    int length = snprintf(out->folders[out->count], DV_HOME_PATH_SIZE, "%s%s%s", here ? "" : folder,
                          here ? "" : "/", name);
    if (length > 0 && length < DV_HOME_PATH_SIZE)
        out->count++;
}

/* Adds the folder `more` relative to the folder of the file `self`. */
static void add_beside(const char *self, const char *more, const char *name, dv_home *out)
{
    char folder[DV_HOME_PATH_SIZE];
    int length = (int)(strrchr(self, '/') - self);
    int size = snprintf(folder, sizeof folder, "%.*s%s", length, self, more);
    if (size > 0 && size < DV_HOME_PATH_SIZE)
        add(folder, name, out);
}

void dv_home_list(const char *name, dv_home *out)
{
    char self[PATH_MAX];
    const char *chosen = getenv("DECAVOX_HOME");
    out->count = 0;
    if (chosen != NULL && chosen[0] != '\0')
        add(chosen, name, out);
    add(".", name, out);
    if (find_self(self)) {
        add_beside(self, "/../share/decavox", name, out);
        add_beside(self, "/../../share/decavox", name, out);
    }
    add(DV_DATA_FOLDER, name, out);
}

bool dv_home_find(const char *name, char *path, size_t size)
{
    dv_home home;
    size_t used = 0;
    dv_home_list(name, &home);
    for (int i = 0; i < home.count; i++) {
        if (strlen(home.folders[i]) < size && access(home.folders[i], R_OK) == 0) {
            strcpy(path, home.folders[i]);
            return true;
        }
    }
    path[0] = '\0';
    for (int i = 0; i < home.count && used < size; i++)
        used += (size_t)snprintf(path + used, size - used, "%s%s", i > 0 ? " nor " : "",
                                 home.folders[i]);
    return false;
}

void dv_home_file(const char *operand, char *path, size_t size)
{
    bool own = strncmp(operand, "configs/", 8) == 0 || strncmp(operand, "checkpoints/", 12) == 0;
    if (!own || access(operand, F_OK) == 0 || !dv_home_find(operand, path, size))
        snprintf(path, size, "%s", operand);
}

/* The checkpoint that the run in the folder `operand` has left. False: there is no such folder. */
static bool find_in_run(const char *operand, char *path, size_t size)
{
    struct stat info;
    size_t length = strlen(operand);
    if (stat(operand, &info) != 0 || !S_ISDIR(info.st_mode))
        return false;
    while (length > 1 && operand[length - 1] == '/')
        length--;
    snprintf(path, size, "%.*s/" MODEL_FILE, (int)length, operand);
    return true;
}

void dv_home_checkpoint(const char *operand, char *path, size_t size)
{
    char name[DV_HOME_PATH_SIZE];
    bool is_folder = find_in_run(operand, path, size);
    if (is_folder && access(path, F_OK) == 0)
        return;
    int length = snprintf(name, sizeof name, "checkpoints/%s.safetensors", operand);
    bool is_name = strchr(operand, '/') == NULL && (is_folder || access(operand, F_OK) != 0);
    if (is_name && length < DV_HOME_PATH_SIZE && dv_home_find(name, path, size))
        return;
    if (!find_in_run(operand, path, size)) /* its message names the file that is not there */
        dv_home_file(operand, path, size);
}

dv_status dv_home_names(const char *folder, const char *ending, dv_file_names *names)
{
    dv_home home;
    dv_home_list(folder, &home);
    for (int i = 0; i < home.count; i++)
        DV_TRY(dv_file_names_add(home.folders[i], ending, names));
    return DV_OK;
}

/* ---- Offers in messages ---- */

static dv_status offer_checkpoints(const char *name, dv_status status)
{
    char offer[DV_FILE_NAMES_SIZE];
    dv_file_names names = {.count = 0};
    dv_status listed = dv_home_names("checkpoints", ".safetensors", &names);
    if (listed == DV_OK) {
        dv_file_names_offer(&names, name, offer);
        dv_fail(status, "%s%s", dv_error_message(), offer);
    }
    dv_file_names_free(&names);
    return listed == DV_OK ? status : listed;
}

/* What can be done with a folder that has no model: the training in it goes on, or the runs in it
   have one. */
static dv_status offer_runs(const char *folder, dv_status status)
{
    char runs[DV_FILE_NAMES_SIZE];
    if (dv_run_has(folder, "last.safetensors"))
        return DV_FAIL(status,
                       "%s: the training in this folder is not finished; decavox train --resume "
                       "goes on with it, and '%s/last.safetensors' has its weights until now",
                       folder, folder);
    dv_file_names names = {.count = 0};
    dv_status listed = dv_file_names_add_folders(folder, MODEL_FILE, &names);
    dv_file_names_list(&names, runs);
    if (listed == DV_OK && names.count > 0)
        dv_fail(status, "%s; the runs in the folder '%s' have one: %s", dv_error_message(), folder,
                runs);
    dv_file_names_free(&names);
    return listed == DV_OK ? status : listed;
}

dv_status dv_home_offer(const char *path, dv_status status)
{
    char folder[DV_HOME_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    if (status != DV_EIO || access(path, F_OK) == 0)
        return status;
    if (slash == NULL)
        return offer_checkpoints(path, status);
    if (strcmp(slash + 1, MODEL_FILE) != 0)
        return status;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return offer_runs(folder, status);
}

/* Names the configuration of decavox whose name is nearest to that of `path`, folder and ending
   aside. */
static dv_status offer_nearest_config(const char *path, dv_status status)
{
    char name[DV_HOME_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(last, "."), last);
    dv_file_names names = {.count = 0};
    dv_status listed = dv_home_names("configs", ".yaml", &names);
    const char *nearest = listed == DV_OK && name[0] != '\0'
                              ? dv_nearest(name, (const char *const *)names.list, names.count)
                              : NULL;
    if (nearest != NULL)
        dv_fail(status, "%s; did you mean 'configs/%s.yaml'?", dv_error_message(), nearest);
    dv_file_names_free(&names);
    return listed == DV_OK ? status : listed;
}

dv_status dv_home_offer_config(const char *path, dv_status status)
{
    struct stat info;
    if (status != DV_EIO)
        return status;
    if (stat(path, &info) != 0)
        return offer_nearest_config(path, status);
    if (!S_ISDIR(info.st_mode))
        return status;
    if (dv_run_has(path, "config.yaml"))
        return DV_FAIL(status, "%s; did you mean '%s/config.yaml'?", dv_error_message(), path);
    return DV_FAIL(status,
                   "%s: is a folder, not a configuration; the key data.path (--data) names a "
                   "folder of recordings",
                   path);
}
