/* Lists the names of files, and offers them where a name is wrong. */
#include "engine/base/file_names.h"
#include "engine/base/field.h"
#include "engine/base/path.h"
#include "engine/base/text.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static dv_status add(const char *name, size_t length, dv_file_names *names)
{
    char *copy;
    DV_TRY(dv_grow(names->count, sizeof *names->list, &names->capacity, &names->list));
    DV_TRY(dv_strdup(name, &copy));
    copy[length] = '\0';
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->list[i], copy) == 0) {
            free(copy);
            return DV_OK;
        }
    }
    names->list[names->count++] = copy;
    return DV_OK;
}

static bool has_file(const char *folder, const char *name, const char *file)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s/%s", folder, name, file);
    return length > 0 && length < PATH_MAX && access(path, F_OK) == 0;
}

/* Adds the names in `folder` that end in `ending`, without it, and that are folders with `file` if
   it is not NULL. */
static dv_status add_all(const char *folder, const char *ending, const char *file,
                         dv_file_names *names)
{
    dv_status status = DV_OK;
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return DV_OK;
    for (struct dirent *entry; status == DV_OK && (entry = readdir(directory)) != NULL;) {
        const char *name = entry->d_name;
        if (dv_ends_with(name, ending) && name[0] != '.' &&
            (file == NULL || has_file(folder, name, file)))
            status = add(name, strlen(name) - strlen(ending), names);
    }
    closedir(directory);
    if (names->count > 0)
        qsort(names->list, names->count, sizeof *names->list, dv_by_name);
    return status;
}

dv_status dv_file_names_add(const char *folder, const char *ending, dv_file_names *names)
{
    return add_all(folder, ending, NULL, names);
}

dv_status dv_file_names_add_folders(const char *folder, const char *file, dv_file_names *names)
{
    return add_all(folder, "", file, names);
}

void dv_file_names_list(const dv_file_names *names, char text[DV_FILE_NAMES_SIZE])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < names->count && used < DV_FILE_NAMES_SIZE; i++)
        used += (size_t)snprintf(text + used, DV_FILE_NAMES_SIZE - used, "%s%s", i == 0 ? "" : ", ",
                                 names->list[i]);
}

void dv_file_names_offer(const dv_file_names *names, const char *wrong,
                         char text[DV_FILE_NAMES_SIZE])
{
    enum { LEAD_SIZE = 150 };
    char lead[LEAD_SIZE] = "; there are", list[DV_FILE_NAMES_SIZE];
    text[0] = '\0';
    if (names->count == 0)
        return;
    const char *nearest = dv_nearest(wrong, (const char *const *)names->list, names->count);
    if (nearest != NULL)
        snprintf(lead, sizeof lead, "; did you mean '%.100s'? There are", nearest);
    dv_file_names_list(names, list);
    snprintf(text, DV_FILE_NAMES_SIZE, "%s %.*s", lead, DV_FILE_NAMES_SIZE - LEAD_SIZE, list);
}

void dv_file_names_free(dv_file_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (dv_file_names){.count = 0};
}
