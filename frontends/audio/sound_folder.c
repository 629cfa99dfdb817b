/* Lists the sounds and the folders in one folder, and counts its other files by their endings. */
#include "frontends/audio/sound_folder.h"
#include "engine/base/path.h"
#include "frontends/audio/audio.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

void dv_sound_folder_free(dv_sound_folder *found)
{
    for (size_t i = 0; i < found->sound_count; i++)
        free(found->sounds[i]);
    for (size_t i = 0; i < found->folder_count; i++)
        free(found->folders[i]);
    free(found->sounds);
    free(found->folders);
    *found = (dv_sound_folder){0};
}

/* Counts `files` more files with this ending, in upper or lower case. Kinds beyond the
   end of a full list count only in the total. */
static void add_kind(dv_file_kinds *kinds, const char *ending, size_t files)
{
    int kind = 0;
    while (kind < kinds->count && strcasecmp(kinds->list[kind].ending, ending) != 0)
        kind++;
    if (kind == DV_FILE_KINDS)
        return;
    if (kind == kinds->count) { /* kept in small letters, whichever file comes first */
        char *to = kinds->list[kinds->count++].ending;
        for (size_t i = 0; ending[i] != '\0'; i++)
            to[i] = (char)tolower((unsigned char)ending[i]);
    }
    kinds->list[kind].files += files;
}

/* Counts a file. One without an ending, or with a very long one, counts only in the total. */
static void count_kind(dv_file_kinds *kinds, const char *name)
{
    const char *dot = strrchr(name, '.');
    kinds->total++;
    if (dot != NULL && strlen(dot) < DV_FILE_KIND_SIZE)
        add_kind(kinds, dot, 1);
}

void dv_add_file_kinds(dv_file_kinds *to, const dv_file_kinds *from)
{
    to->total += from->total;
    for (int i = 0; i < from->count; i++)
        add_kind(to, from->list[i].ending, from->list[i].files);
}

/* Adds one name to the sounds, to the folders, or to the count of other files. */
static dv_status folder_add(dv_sound_folder *found, const char *path, const char *name)
{
    if (name[0] == '.' || strcmp(name, DV_BACKGROUND_NOISE) == 0)
        return DV_OK;
    char *full;
    DV_TRY(dv_join(path, name, &full));
    struct stat info;
    bool is_folder = stat(full, &info) == 0 && S_ISDIR(info.st_mode);
    free(full);
    if (is_folder) {
        DV_TRY(dv_grow(found->folder_count, sizeof *found->folders, &found->folder_capacity,
                       &found->folders));
        DV_TRY(dv_strdup(name, &found->folders[found->folder_count]));
        found->folder_count++;
    } else if (dv_audio_kind(name) != DV_SOUND) {
        count_kind(&found->others, name);
    } else {
        DV_TRY(dv_grow(found->sound_count, sizeof *found->sounds, &found->sound_capacity,
                       &found->sounds));
        DV_TRY(dv_strdup(name, &found->sounds[found->sound_count]));
        found->sound_count++;
    }
    return DV_OK;
}

/* The system gives the names in any order, so they are sorted at the end. */
dv_status dv_sound_folder_read(const char *path, dv_sound_folder *found)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno));
    dv_status status = DV_OK;
    const struct dirent *item;
    errno = 0;
    while (status == DV_OK && (item = readdir(directory)) != NULL) {
        status = folder_add(found, path, item->d_name);
        errno = 0;
    }
    if (status == DV_OK && errno != 0)
        status = DV_FAIL(DV_EIO, "%s: cannot be read: %s", path, strerror(errno));
    closedir(directory);
    if (found->sound_count > 1)
        qsort(found->sounds, found->sound_count, sizeof *found->sounds, dv_by_name);
    if (found->folder_count > 1)
        qsort(found->folders, found->folder_count, sizeof *found->folders, dv_by_name);
    return status;
}
