/*
 * Marks the sounds that decavox writes: each ends with a LIST chunk of the kind INFO that names the
 * software (ISFT). The format is that of Multimedia Programming Interface and Data Specifications
 * 1.0 (IBM and Microsoft, 1991).
 */
#include "runner/experiment/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, SIZE_AT = 4 /* offset of the field that holds the file's size less 8 */ };

static const char signature[] = "LIST\x14\0\0\0INFOISFT\x08\0\0\0decavox"; /* and its NUL */

/* ---- Writing ---- */

static dv_status fail_with_errno(const char *path)
{
    return DV_FAIL(DV_EIO, "%s: cannot be written: %s", path, strerror(errno));
}

/* Appends the chunk to the samples. These have an even length, so no padding is needed. */
static dv_status sign(const char *path)
{
    FILE *file = fopen(path, "r+b");
    if (file == NULL)
        return fail_with_errno(path);
    uint8_t bytes[4];
    bool good = fseek(file, 0, SEEK_END) == 0;
    long end = ftell(file);
    good = good && end > 0 && fwrite(signature, sizeof signature, 1, file) == 1;
    uint64_t size = (uint64_t)end + sizeof signature - 8;
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(size >> (8 * i));
    good = good && fseek(file, SIZE_AT, SEEK_SET) == 0 && fwrite(bytes, sizeof bytes, 1, file) == 1;
    good = fclose(file) == 0 && good;
    return good ? DV_OK : fail_with_errno(path);
}

/* Writes under a name with a leading dot, which data sets ignore, until the file is complete. */
dv_status dv_output_write_sound(const char *path, const dv_audio *audio)
{
    char hidden[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash - path) + 1 : 0;
    int length = snprintf(hidden, sizeof hidden, "%.*s.%s", folder, path, path + folder);
    if (length < 0 || length >= PATH_SIZE)
        return DV_FAIL(DV_EARG, "the path '%.40s...' is too long", path);
    DV_TRY(dv_audio_write_wav(hidden, audio));
    dv_status status = sign(hidden);
    if (status == DV_OK && rename(hidden, path) != 0)
        status = fail_with_errno(path);
    if (status != DV_OK)
        unlink(hidden);
    return status;
}

/* ---- Looking ---- */

static bool is_signed(int folder, const char *name)
{
    char end[sizeof signature];
    int descriptor = openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool found = lseek(descriptor, -(off_t)sizeof end, SEEK_END) > 0 &&
                 read(descriptor, end, sizeof end) == (ssize_t)sizeof end &&
                 memcmp(end, signature, sizeof end) == 0;
    close(descriptor);
    return found;
}

static dv_status check_folder(const char *path, bool deeper);

/* Checks the file or folder `name` in the open folder `path`. */
static dv_status check_entry(const char *path, int folder, const char *name, bool deeper)
{
    struct stat facts;
    if (name[0] == '.' || fstatat(folder, name, &facts, 0) != 0)
        return DV_OK;
    if (dv_audio_kind(name) != DV_NO_SOUND && !is_signed(folder, name))
        return DV_FAIL(DV_EARG,
                       "--out: %s/%s is a sound file that decavox did not make: nothing is written "
                       "among recordings; choose another folder",
                       path, name);
    char below[PATH_SIZE];
    int length = snprintf(below, sizeof below, "%s/%s", path, name);
    bool fits = length > 0 && length < PATH_SIZE;
    return deeper && fits && S_ISDIR(facts.st_mode) ? check_folder(below, false) : DV_OK;
}

/* Checks the sounds of a folder and, if `deeper`, those in its folders, where data sets have their
   classes. */
static dv_status check_folder(const char *path, bool deeper)
{
    DIR *directory = opendir(path);
    if (directory == NULL && (errno == ENOENT || !deeper))
        return DV_OK;
    if (directory == NULL)
        return DV_FAIL(DV_EIO, "cannot read the folder %s: %s", path, strerror(errno));
    dv_status status = DV_OK;
    for (const struct dirent *entry; status == DV_OK && (entry = readdir(directory)) != NULL;)
        status = check_entry(path, dirfd(directory), entry->d_name, deeper);
    closedir(directory);
    return status;
}

dv_status dv_output_check_sounds(const char *folder)
{
    return check_folder(folder, true);
}
