/* Makes folders together with their parents, and names the cache folder of the user. */
#include "engine/base/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void make_parents(const char *path)
{
    char part[4096];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part; *p != '\0'; p++) {
        if (*p != '/' || p == part)
            continue;
        *p = '\0';
        (void)mkdir(part, 0777); /* if it fails, making the folder itself fails too */
        *p = '/';
    }
}

dv_status dv_make_folders(const char *path)
{
    make_parents(path);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return DV_FAIL(DV_EIO, "cannot make the folder %s: %s", path, strerror(errno));
    return DV_OK;
}

dv_status dv_make_new_folder(char *path, size_t size)
{
    enum { MOST = 10000 };
    size_t length = strlen(path);
    make_parents(path);
    for (int number = 2; mkdir(path, 0777) != 0; number++) {
        if (errno != EEXIST || number > MOST)
            return DV_FAIL(DV_EIO, "cannot make the folder %s: %s", path, strerror(errno));
        int more = snprintf(path + length, size - length, "-%d", number);
        if (more < 0 || (size_t)more >= size - length)
            return DV_FAIL(DV_EARG, "the path of the folder is too long: %.60s...", path);
    }
    return DV_OK;
}

bool dv_cache_folder(char *path, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (cache != NULL && cache[0] == '/')
        length = snprintf(path, size, "%s/decavox", cache);
    else if (home != NULL && home[0] == '/')
        length = snprintf(path, size, "%s/.cache/decavox", home);
    return length > 0 && (size_t)length < size;
}
