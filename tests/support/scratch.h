/* A folder for the files of one test program, and small file helpers. A failure fails the test at
   once. */
#ifndef DV_TESTS_SCRATCH_H
#define DV_TESTS_SCRATCH_H

#include <stddef.h>

enum { SCRATCH_PATH_SIZE = 512 };

typedef struct scratch {
    char folder[SCRATCH_PATH_SIZE / 2];
} scratch;

/* Group setup and teardown for cmocka. *state is the scratch. The teardown removes the folder. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* Puts "<folder>/<name>" into `path`. */
void scratch_path(const scratch *folder, const char *name, char path[SCRATCH_PATH_SIZE]);

/* Number of files in the folder. */
size_t scratch_count(const scratch *folder);

/* Removes every file in the folder. */
void scratch_clear(const scratch *folder);

/* Reads a whole file and its size. The caller frees the content. */
unsigned char *file_load(const char *path, size_t *size);

void file_store(const char *path, const void *bytes, size_t size);

#endif
