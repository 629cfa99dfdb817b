/*
 * Finds decavox's own files, those in the folders `configs` and `checkpoints`. These are searched
 * in the following order, and the first that has the file wins:
 *
 *     $DECAVOX_HOME
 *     the working folder
 *     ../share/decavox, then ../../share/decavox, from the folder of the file that holds this code:
 *         the program, or the library if another program has loaded it
 *     share/decavox of the prefix that the program was built for
 */
#ifndef DV_EXPERIMENT_HOME_H
#define DV_EXPERIMENT_HOME_H

#include "engine/base/file_names.h"

#include <stdbool.h>
#include <stddef.h>

enum { DV_HOME_FOLDERS = 5, DV_HOME_PATH_SIZE = 1024 };

typedef struct dv_home {
    char folders[DV_HOME_FOLDERS][DV_HOME_PATH_SIZE]; /* (count) in the order of the search */
    int count;
} dv_home;

/* Lists the folders above with `name` below each, whether they exist or not. */
void dv_home_list(const char *name, dv_home *out);

/* Finds a file, for example "configs/mini.yaml", in the first folder that has it. If none has it,
   the result is false and `path` lists the places that were searched, for a message. */
bool dv_home_find(const char *name, char *path, size_t size);

/* Resolves the name of a file on the command line. If `operand` does not exist and begins with
   "configs/" or "checkpoints/", `path` is that of the file that comes with decavox; else it is
   `operand` itself. */
void dv_home_file(const char *operand, char *path, size_t size);

/* Like dv_home_file, for a checkpoint. The folder of a run stands for its model.safetensors. A
   checkpoint that comes with decavox also has a short name, which contains no '/'; an existing file
   or run of that name takes precedence. */
void dv_home_checkpoint(const char *operand, char *path, size_t size);

/* Adds the names of decavox's own files in `folder` ("configs/models") that end in `ending`, as
   dv_file_names_add does. */
dv_status dv_home_names(const char *folder, const char *ending, dv_file_names *names);

/* Passes on `status`, which opening the checkpoint `path` gave. If `path` is a name that no file
   has, the names of the checkpoints that come with decavox are added to the message; if it is in a
   folder without a model, such as that of a cross-validation, the names of the runs in that folder.
 */
dv_status dv_home_offer(const char *path, dv_status status);

/* Passes on `status`, which reading the configuration `path` gave. If there is no such file, the
   configuration of decavox with the nearest name is added to the message; if `path` is the folder
   of a run, the run's configuration. For another folder the message tells where recordings are
   named. */
dv_status dv_home_offer_config(const char *path, dv_status status);

#endif
