/* What lies in a folder and in those below it. */
#include "frontends/audio/audio.h"
#include "frontends/dataset/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

void dv__folder_free(dv__folder *found)
{
    for (size_t i = 0; i < found->sound_count; i++)
        free(found->sounds[i]);
    for (size_t i = 0; i < found->folder_count; i++)
        free(found->folders[i]);
    free(found->sounds);
    free(found->folders);
    *found = (dv__folder){0};
}

/* ---- One folder ---- */

/* So many more files with the ending, ".TXT" or ".txt". Kinds beyond the first ones, and files
   without an ending, count in the total alone. */
static void add_kind(dv_file_kinds *kinds, const char *ending, size_t files)
{
    int kind = 0;
    while (kind < kinds->count && strcasecmp(kinds->list[kind].ending, ending) != 0)
        kind++;
    if (kind == DV_FILE_KINDS)
        return;
    if (kind == kinds->count) { /* in small letters, whichever file comes first */
        char *to = kinds->list[kinds->count++].ending;
        for (size_t i = 0; ending[i] != '\0'; i++)
            to[i] = (char)tolower((unsigned char)ending[i]);
    }
    kinds->list[kind].files += files;
}

static void count_kind(dv_file_kinds *kinds, const char *name)
{
    const char *dot = strrchr(name, '.');
    kinds->total++;
    if (dot != NULL && strlen(dot) < DV_FILE_KIND_SIZE)
        add_kind(kinds, dot, 1);
}

void dv__add_kinds(dv_file_kinds *to, const dv_file_kinds *from)
{
    to->total += from->total;
    for (int i = 0; i < from->count; i++)
        add_kind(to, from->list[i].ending, from->list[i].files);
}

static dv_status folder_add(dv__folder *found, const char *path, const char *name)
{
    if (name[0] == '.' || strcmp(name, DV_BACKGROUND_NOISE) == 0)
        return DV_OK;
    char *full;
    DV_TRY(dv__join(path, name, &full));
    struct stat info;
    bool is_folder = stat(full, &info) == 0 && S_ISDIR(info.st_mode);
    free(full);
    if (is_folder) {
        DV_TRY(dv__grow(found->folder_count, sizeof *found->folders, &found->folder_capacity,
                        &found->folders));
        DV_TRY(dv__strdup(name, &found->folders[found->folder_count]));
        found->folder_count++;
    } else if (dv_audio_kind(name) != DV_SOUND) {
        count_kind(&found->others, name);
    } else {
        DV_TRY(dv__grow(found->sound_count, sizeof *found->sounds, &found->sound_capacity,
                        &found->sounds));
        DV_TRY(dv__strdup(name, &found->sounds[found->sound_count]));
        found->sound_count++;
    }
    return DV_OK;
}

dv_status dv__folder_read(const char *path, dv__folder *found)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return DV_FAIL(DV_EIO, "%s: %s", path, strerror(errno));
    dv_status status = DV_OK;
    const struct dirent *item;
    errno = 0;
    while (status == DV_OK && (item = readdir(directory)) != NULL) {
        status = folder_add(found, path, item->d_name);
        errno = 0;
    }
    if (status == DV_OK && errno != 0)
        status = DV_FAIL(DV_EIO, "%s: %s", path, strerror(errno));
    closedir(directory);
    if (found->sound_count > 1)
        qsort(found->sounds, found->sound_count, sizeof *found->sounds, dv__by_name);
    if (found->folder_count > 1)
        qsort(found->folders, found->folder_count, sizeof *found->folders, dv__by_name);
    return status;
}

/* ---- A folder and those below it ---- */

void dv__survey_free(dv__survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        free(survey->clips[i].path);
        free(survey->clips[i].text);
    }
    free(survey->clips);
    *survey = (dv__survey){0};
}

/* `below`: the path below the root of the folder that holds the sound; "": the root. */
static dv_status add_found(dv__survey *survey, const char *below, const char *name)
{
    DV_TRY(dv__grow(survey->count, sizeof *survey->clips, &survey->capacity, &survey->clips));
    dv__found *found = &survey->clips[survey->count++];
    *found = (dv__found){.depth = 0};
    DV_TRY(dv__join(below, name, &found->path));
    DV_TRY(dv__strdup(found->path, &found->text));
    found->name = found->text;
    for (char *slash; (slash = strchr(found->name, '/')) != NULL; found->name = slash + 1) {
        *slash = '\0';
        found->folders[found->depth++] = found->name;
    }
    return DV_OK;
}

/* The folders on the way to one, which a link may lead back to. */
typedef struct folder_way {
    const struct folder_way *above; /* NULL: this is the root */
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

static dv_status survey_folder(const char *root, const char *below, const folder_way *above,
                               dv__survey *survey)
{
    dv_status status;
    dv__folder found = {0};
    struct stat info;
    char *path = NULL;
    folder_way way = {.above = above, .depth = above != NULL ? above->depth + 1 : 0};
    DV_TRY_GOTO(dv__join(root, below, &path));
    if (stat(path, &info) != 0)
        DV_TRY_GOTO(DV_FAIL(DV_EIO, "%s: %s", path, strerror(errno)));
    way.device = info.st_dev;
    way.inode = info.st_ino;
    if (is_on_way(above, &info))
        goto fail;
    DV_TRY_GOTO(dv__folder_read(path, &found));
    dv__add_kinds(&survey->others, &found.others);
    for (size_t i = 0; i < found.sound_count; i++)
        DV_TRY_GOTO(add_found(survey, below, found.sounds[i]));
    for (size_t i = 0; way.depth < DV__MOST_DEPTH && i < found.folder_count; i++) {
        char *next;
        DV_TRY_GOTO(dv__join(below, found.folders[i], &next));
        status = survey_folder(root, next, &way, survey);
        free(next);
        DV_TRY_GOTO(status);
    }
fail:
    free(path);
    dv__folder_free(&found);
    return status;
}

dv_status dv__survey_read(const char *path, dv__survey *out)
{
    *out = (dv__survey){0};
    return survey_folder(path, "", NULL, out);
}
