/* Lists the sound files in a folder and in the folders below it. */
#include "frontends/dataset/dataset_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void dv__survey_free(dv__survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        free(survey->clips[i].path);
        free(survey->clips[i].text);
    }
    free(survey->clips);
    *survey = (dv__survey){0};
}

/* Adds a sound. `below` is the path of its folder relative to the root, "" for the root itself. */
static dv_status add_found(dv__survey *survey, const char *below, const char *name)
{
    DV_TRY(dv_grow(survey->count, sizeof *survey->clips, &survey->capacity, &survey->clips));
    dv__found *found = &survey->clips[survey->count++];
    *found = (dv__found){.depth = 0};
    DV_TRY(dv_join(below, name, &found->path));
    DV_TRY(dv_strdup(found->path, &found->text));
    found->name = found->text;
    for (char *slash; (slash = strchr(found->name, '/')) != NULL; found->name = slash + 1) {
        *slash = '\0';
        found->folders[found->depth++] = found->name;
    }
    return DV_OK;
}

/* A folder with the folders above it. A link may lead back to any of them. */
typedef struct folder_way {
    const struct folder_way *above; /* NULL for the root */
    dev_t device;
    ino_t inode;
    int depth;
} folder_way;

static bool is_on_way(const folder_way *way, const struct stat *info)
{
    for (; way != NULL; way = way->above) {
        if (way->device == info->st_dev && way->inode == info->st_ino)
            return true;
    }
    return false;
}

/* Adds the sounds of a folder, and then those of the folders in it. It does not follow a link back
   to a folder above. */
static dv_status survey_folder(const char *root, const char *below, const folder_way *above,
                               dv__survey *survey)
{
    dv_status status;
    dv_sound_folder found = {0};
    struct stat info;
    char *path = NULL;
    folder_way way = {.above = above, .depth = above != NULL ? above->depth + 1 : 0};
    DV_TRY_GOTO(dv_join(root, below, &path));
    if (stat(path, &info) != 0)
        DV_TRY_GOTO(DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno)));
    way.device = info.st_dev;
    way.inode = info.st_ino;
    if (is_on_way(above, &info))
        goto fail;
    DV_TRY_GOTO(dv_sound_folder_read(path, &found));
    dv_add_file_kinds(&survey->others, &found.others);
    for (size_t i = 0; i < found.sound_count; i++)
        DV_TRY_GOTO(add_found(survey, below, found.sounds[i]));
    for (size_t i = 0; way.depth < DV__MOST_DEPTH && i < found.folder_count; i++) {
        char *next;
        DV_TRY_GOTO(dv_join(below, found.folders[i], &next));
        status = survey_folder(root, next, &way, survey);
        free(next);
        DV_TRY_GOTO(status);
    }
fail:
    free(path);
    dv_sound_folder_free(&found);
    return status;
}

dv_status dv__survey_read(const char *path, dv__survey *out)
{
    *out = (dv__survey){0};
    return survey_folder(path, "", NULL, out);
}
