/* A folder for each test, with the files of a data set. A failure fails the test at once. */
#ifndef DV_TESTS_DATASET_FOLDER_H
#define DV_TESTS_DATASET_FOLDER_H

#include "frontends/dataset/dataset.h"

enum { PATH_SIZE = 700 };

/* Setup and teardown of each test. *state is the folder's path. The teardown removes the folder
   with all below it. */
int make_folder(void **state);
int drop_folder(void **state);
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

/* Puts "<folder>/<name>" into `path` and returns it. */
const char *path_in(const char *folder, const char *name, char path[PATH_SIZE]);
void make_subfolder(const char *folder, const char *name);

/* Writes a file of text. It need not be sound unless the test reads sound. */
void write_file(const char *folder, const char *name, const char *text);

/* Asserts that the message of the latest failure contains `part`. */
void assert_message(const char *part);

/* Calls dv_dataset_open, which must succeed. */
void open_good(const char *path, dv_dataset *dataset);

/* Calls dv_dataset_open, which must fail with this code and a message that contains `part`. */
void assert_open_fails(const char *path, dv_status code, const char *part);

/* The last part of the clip's path. */
const char *file_name(const dv_clip *clip);

/* Asserts the facts of clip i of a data set that is not loaded. */
void assert_clip(const dv_dataset *dataset, size_t i, const char *name, const char *label,
                 const char *speaker, int64_t index);

#endif
