/* Reads the lists of Speech Commands. Each has CLASS/NAME.wav of each clip of a part. */
#include "frontends/dataset/dataset_internal.h"

#include <stdlib.h>
#include <sys/stat.h>

static const char *const list_names[] = {"testing_list.txt", "validation_list.txt"};
static const dv_part list_parts[] = {DV_PART_TEST, DV_PART_VALIDATION};
enum { LISTS = 2 };

/* *out tells whether all lists exist. The caller owns the paths (LISTS), also after a failure. */
static dv_status find_lists(const char *folder, char **paths, bool *out)
{
    struct stat info;
    *out = true;
    for (int k = 0; k < LISTS; k++) {
        DV_TRY(dv_join(folder, list_names[k], &paths[k]));
        *out = *out && stat(paths[k], &info) == 0 && S_ISREG(info.st_mode);
    }
    return DV_OK;
}

/* Gives each clip the part of the list that names it, or training if none does. A list that names
   no clip belongs to other data, and fails. */
static dv_status give_parts(const char *const *paths, const dv__names *names, dv__listing *listing)
{
    size_t matched[LISTS] = {0};
    for (size_t i = 0; i < listing->count; i++) {
        dv__entry *entry = &listing->entries[i];
        int lists = 0;
        entry->part = DV_PART_TRAIN;
        entry->part_given = true;
        for (int k = 0; k < LISTS; k++) {
            if (!dv__names_have(&names[k], entry->path))
                continue;
            entry->part = list_parts[k];
            matched[k]++;
            lists++;
        }
        if (lists > 1)
            return DV_FAIL(DV_EFORMAT, "%s: is in both %s and %s", entry->path, paths[0], paths[1]);
    }
    for (int k = 0; k < LISTS; k++) {
        if (matched[k] == 0 && names[k].count > 0)
            return DV_FAIL(DV_EFORMAT,
                           "%s: none of its lines, such as '%s', is a clip of the folder", paths[k],
                           names[k].list[0]);
    }
    return DV_OK;
}

dv_status dv__read_part_lists(const char *folder, dv__listing *listing)
{
    dv_status status;
    char *paths[LISTS] = {NULL};
    dv__names names[LISTS] = {{.count = 0}};
    bool found;
    DV_TRY_GOTO(find_lists(folder, paths, &found));
    if (!found)
        goto fail;
    for (int k = 0; k < LISTS; k++)
        DV_TRY_GOTO(dv__names_read(paths[k], &names[k]));
    status = give_parts((const char *const *)paths, names, listing);
fail:
    for (int k = 0; k < LISTS; k++) {
        dv__names_free(&names[k]);
        free(paths[k]);
    }
    return status;
}
