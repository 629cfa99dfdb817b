#include "tests/support/dataset_folder.h"

#include "engine/base/temporary.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Deletes a folder and all below it. */
static void remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (const struct dirent *item; (item = readdir(directory)) != NULL;) {
        char full[PATH_SIZE];
        struct stat info;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        snprintf(full, sizeof full, "%s/%s", path, item->d_name);
        if (stat(full, &info) == 0 && S_ISDIR(info.st_mode))
            remove_tree(full);
        else
            assert_int_equal(unlink(full), 0);
    }
    closedir(directory);
    assert_int_equal(rmdir(path), 0);
}

int make_folder(void **state)
{
    char name[PATH_SIZE / 2];
    if (dv_temporary_folder(name, sizeof name) != DV_OK)
        return -1;
    *state = strdup(name);
    return 0;
}

int drop_folder(void **state)
{
    remove_tree(*state);
    free(*state);
    return 0;
}

const char *path_in(const char *folder, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

void make_subfolder(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    assert_int_equal(mkdir(path_in(folder, name, path), 0777), 0);
}

void write_file(const char *folder, const char *name, const char *text)
{
    char path[PATH_SIZE];
    FILE *file = fopen(path_in(folder, name, path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

void assert_message(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("the message '%s' does not have '%s'", dv_error_message(), part);
}

void open_good(const char *path, dv_dataset *dataset)
{
    if (dv_dataset_open(path, dataset) != DV_OK)
        fail_msg("%s", dv_error_message());
}

void assert_open_fails(const char *path, dv_status code, const char *part)
{
    dv_dataset dataset;
    assert_int_equal(dv_dataset_open(path, &dataset), code);
    assert_message(part);
    assert_null(dataset.clips);
    assert_int_equal(dataset.count, 0);
}

const char *file_name(const dv_clip *clip)
{
    return strrchr(clip->path, '/') + 1;
}

void assert_clip(const dv_dataset *dataset, size_t i, const char *name, const char *label,
                 const char *speaker, int64_t index)
{
    assert_true(i < dataset->count);
    const dv_clip *clip = &dataset->clips[i];
    assert_string_equal(file_name(clip), name);
    assert_string_equal(dataset->labels[clip->label], label);
    assert_string_equal(clip->speaker, speaker);
    assert_int_equal(clip->index, index);
    assert_null(clip->samples);
}
