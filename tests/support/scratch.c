#include "tests/support/scratch.h"

#include "engine/base/temporary.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int scratch_setup(void **state)
{
    scratch *folder = calloc(1, sizeof *folder);
    *state = folder;
    return dv_temporary_folder(folder->folder, sizeof folder->folder) == DV_OK ? 0 : -1;
}

int scratch_teardown(void **state)
{
    scratch *folder = *state;
    scratch_clear(folder);
    int result = rmdir(folder->folder);
    free(folder);
    return result;
}

void scratch_path(const scratch *folder, const char *name, char path[SCRATCH_PATH_SIZE])
{
    int length = snprintf(path, SCRATCH_PATH_SIZE, "%s/%s", folder->folder, name);
    assert_in_range(length, 1, SCRATCH_PATH_SIZE - 1);
}

/* Counts the files, and removes them unless `clear` is 0. */
static size_t walk(const scratch *folder, int clear)
{
    size_t count = 0;
    DIR *entries = opendir(folder->folder);
    assert_non_null(entries);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char path[SCRATCH_PATH_SIZE];
        scratch_path(folder, entry->d_name, path);
        if (clear)
            assert_int_equal(remove(path), 0);
        count++;
    }
    closedir(entries);
    return count;
}

size_t scratch_count(const scratch *folder)
{
    return walk(folder, 0);
}

void scratch_clear(const scratch *folder)
{
    walk(folder, 1);
}

unsigned char *file_load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

void file_store(const char *path, const void *bytes, size_t size)
{
    remove(path); /* some file systems write a shortened file to the disk at once, but no new one */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}
