/* Looks for decavox's own files in the folders where they may lie. */
#include "runner/experiment/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "DIR/../share/decavox", DIR being the folder of this program; "" where that cannot be told. */
static void installed_beside(char folder[DV_HOME_PATH_SIZE])
{
    static const char more[] = "/../share/decavox";
    ssize_t length = readlink("/proc/self/exe", folder, DV_HOME_PATH_SIZE - sizeof more);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        strcpy(slash, more);
}

static void add(const char *folder, const char *name, dv_home *out)
{
    bool here = strcmp(folder, ".") == 0; /* as a user writes it */
    int length = snprintf(out->folders[out->count], DV_HOME_PATH_SIZE, "%s%s%s", here ? "" : folder,
                          here ? "" : "/", name);
    if (length > 0 && length < DV_HOME_PATH_SIZE)
        out->count++;
}

void dv_home_list(const char *name, dv_home *out)
{
    char beside[DV_HOME_PATH_SIZE];
    const char *chosen = getenv("DECAVOX_HOME");
    installed_beside(beside);
    out->count = 0;
    if (chosen != NULL && chosen[0] != '\0')
        add(chosen, name, out);
    add(".", name, out);
    if (beside[0] != '\0')
        add(beside, name, out);
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

void dv_home_checkpoint(const char *operand, char *path, size_t size)
{
    char name[DV_HOME_PATH_SIZE];
    int length = snprintf(name, sizeof name, "checkpoints/%s.safetensors", operand);
    bool is_name = strchr(operand, '/') == NULL && access(operand, F_OK) != 0;
    if (!is_name || length >= DV_HOME_PATH_SIZE || !dv_home_find(name, path, size))
        dv_home_file(operand, path, size);
}
