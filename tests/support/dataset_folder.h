/* A folder with the files of a data set for each test; all fail the test at once. */
#ifndef DV_TESTS_DATASET_FOLDER_H
#define DV_TESTS_DATASET_FOLDER_H

#include "frontends/dataset/dataset.h"

enum { PATH_SIZE = 700 };

/* Setup and teardown of each test: *state is the folder's path. All below it is removed. */
int make_folder(void **state);
int drop_folder(void **state);
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

/* Puts "<folder>/<name>" into `path` and returns it. */
const char *path_in(const char *folder, const char *name, char path[PATH_SIZE]);
void make_subfolder(const char *folder, const char *name);

/* Writes a file; `text` need not be sound where no sound is read. */
void write_file(const char *folder, const char *name, const char *text);

/* The latest failure's message has this part. */
void assert_message(const char *part);

/* dv_dataset_open that must succeed. */
void open_good(const char *path, dv_dataset *dataset);

/* dv_dataset_open that must fail, with this part in its message. */
void assert_open_fails(const char *path, dv_status code, const char *part);

/* The last part of the clip's path. */
const char *file_name(const dv_clip *clip);

/* Clip i of a data set that is not loaded. */
void assert_clip(const dv_dataset *dataset, size_t i, const char *name, const char *label,
                 const char *speaker, int64_t index);

#endif
