/* The two folder forms. */
#include "frontends/dataset/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

bool dv__is_sound_name(const char *name)
{
    static const char *const extensions[] = {".wav", ".flac", ".ogg", ".mp3"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof extensions / sizeof extensions[0]; i++) {
        if (strcasecmp(dot, extensions[i]) == 0)
            return true;
    }
    return false;
}

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

static int by_name(const void *a, const void *b)
{
    return dv__natural_order(*(char *const *)a, *(char *const *)b);
}

static dv_status folder_add(dv__folder *found, const char *path, const char *name)
{
    if (name[0] == '.' || strcmp(name, "_background_noise_") == 0)
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
    } else if (dv__is_sound_name(name)) {
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
        qsort(found->sounds, found->sound_count, sizeof *found->sounds, by_name);
    if (found->folder_count > 1)
        qsort(found->folders, found->folder_count, sizeof *found->folders, by_name);
    return status;
}

/* Cuts {label}_{speaker}_{index} apart in place; false where the stem does not fit. */
static bool cut_name(char *stem, dv__entry *entry)
{
    char *first = strchr(stem, '_');
    char *last = strrchr(stem, '_');
    if (first == NULL || first == stem || last <= first + 1)
        return false;
    size_t digits = strspn(last + 1, "0123456789");
    if (digits == 0 || digits > 18 || last[1 + digits] != '\0')
        return false;
    *first = '\0';
    *last = '\0';
    entry->label = stem;
    entry->speaker = first + 1;
    entry->index = strtoll(last + 1, NULL, 10);
    return true;
}

static dv_status add_named(const char *path, const char *name, dv__listing *listing)
{
    dv_status status = DV_OK;
    char *stem = NULL;
    dv__entry entry = {.part = DV_TRAIN};
    DV_TRY_GOTO(dv__join(path, name, &entry.path));
    DV_TRY_GOTO(dv__strdup(name, &stem));
    *strrchr(stem, '.') = '\0';
    if (!cut_name(stem, &entry))
        DV_TRY_GOTO(DV_FAIL(DV_EFORMAT,
                            "%s: the name is not {label}_{speaker}_{index}; name the files so, use "
                            "one folder per class, or write a CSV manifest",
                            entry.path));
    status = dv__listing_add(listing, &entry);
fail:
    free(entry.path);
    free(stem);
    return status;
}

/* The speaker in a name of the class-folder form, cut in place: Speech Commands writes
   {speaker}_nohash_{index}. */
static char *cut_speaker(char *stem)
{
    char *end = strstr(stem, "_nohash_");
    if (end == NULL)
        end = strchr(stem, '_');
    if (end == NULL)
        return stem + strlen(stem);
    *end = '\0';
    return stem;
}

static dv_status add_classified(const char *path, char *label, const char *name,
                                dv__listing *listing)
{
    dv_status status;
    char *stem = NULL;
    char *full = NULL;
    DV_TRY_GOTO(dv__join(path, name, &full));
    DV_TRY_GOTO(dv__strdup(name, &stem));
    *strrchr(stem, '.') = '\0';
    status = dv__listing_add(listing, &(dv__entry){.path = full,
                                                   .label = label,
                                                   .speaker = cut_speaker(stem),
                                                   .index = -1,
                                                   .part = DV_TRAIN});
fail:
    free(full);
    free(stem);
    return status;
}

static dv_status scan_class(const char *path, char *label, dv__listing *listing)
{
    dv_status status;
    dv__folder found = {0};
    char *full = NULL;
    DV_TRY_GOTO(dv__join(path, label, &full));
    DV_TRY_GOTO(dv__folder_read(full, &found));
    for (size_t i = 0; i < found.sound_count; i++)
        DV_TRY_GOTO(add_classified(full, label, found.sounds[i], listing));
fail:
    free(full);
    dv__folder_free(&found);
    return status;
}

dv_status dv__scan_folder(const char *path, dv__listing *listing)
{
    dv_status status;
    dv__folder found = {0};
    DV_TRY_GOTO(dv__folder_read(path, &found));
    for (size_t i = 0; i < found.folder_count; i++)
        DV_TRY_GOTO(scan_class(path, found.folders[i], listing));
    if (found.sound_count > 0 && listing->count > 0)
        DV_TRY_GOTO(DV_FAIL(DV_EFORMAT,
                            "%s: holds both sound files ('%s') and folders with sound files "
                            "('%s'); data are one or the other",
                            path, found.sounds[0], listing->entries[0].path));
    for (size_t i = 0; i < found.sound_count; i++)
        DV_TRY_GOTO(add_named(path, found.sounds[i], listing));
fail:
    dv__folder_free(&found);
    return status;
}
