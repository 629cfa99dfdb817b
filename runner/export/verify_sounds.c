/* Finds sounds to verify an exported file with. */
#include "engine/base/path.h"
#include "frontends/audio/sound_folder.h"
#include "runner/export/verify.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { MOST_SOUNDS = 100, DEEPEST = 16 };

void dv_verify_sounds_free(dv_verify_sounds *sounds)
{
    for (size_t i = 0; i < sounds->count; i++)
        free(sounds->paths[i]);
    free(sounds->paths);
    *sounds = (dv_verify_sounds){0};
}

static dv_status add_sound(dv_verify_sounds *sounds, const char *folder, const char *name)
{
    DV_TRY(dv_grow(sounds->count, sizeof *sounds->paths, &sounds->capacity, &sounds->paths));
    DV_TRY(dv_join(folder, name, &sounds->paths[sounds->count]));
    sounds->count++;
    return DV_OK;
}

static dv_status add_folder(dv_verify_sounds *sounds, const char *folder, int depth);

/* Adds the sounds of a folder in a folder, unless it is a link. */
static dv_status add_below(dv_verify_sounds *sounds, const char *folder, const char *name,
                           int depth)
{
    char *path;
    struct stat facts;
    DV_TRY(dv_join(folder, name, &path));
    dv_status status = DV_OK;
    if (depth < DEEPEST && lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
        status = add_folder(sounds, path, depth + 1);
    free(path);
    return status;
}

static dv_status add_folder(dv_verify_sounds *sounds, const char *folder, int depth)
{
    dv_sound_folder found = {0};
    dv_status status = dv_sound_folder_read(folder, &found);
    for (size_t i = 0; status == DV_OK && i < found.sound_count; i++)
        status = add_sound(sounds, folder, found.sounds[i]);
    for (size_t i = 0; status == DV_OK && i < found.folder_count; i++)
        status = add_below(sounds, folder, found.folders[i], depth);
    dv_sound_folder_free(&found);
    return status;
}

/* Keeps MOST_SOUNDS sounds, evenly spaced from the first one on. */
static void thin(dv_verify_sounds *sounds)
{
    size_t all = sounds->count, next = 0;
    if (all <= MOST_SOUNDS)
        return;
    for (size_t i = 0; i < all; i++) {
        if (i == next * all / MOST_SOUNDS && next < MOST_SOUNDS)
            sounds->paths[next++] = sounds->paths[i];
        else
            free(sounds->paths[i]);
    }
    sounds->count = next;
}

dv_status dv_verify_sounds_find(const char *folder, dv_verify_sounds *out)
{
    *out = (dv_verify_sounds){0};
    DV_TRY(add_folder(out, folder, 0));
    if (out->count == 0)
        return DV_FAIL(DV_EIO, "'%s' holds no sound files to verify with", folder);
    thin(out);
    return DV_OK;
}
