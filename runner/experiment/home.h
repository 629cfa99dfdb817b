/*
 * Where decavox's own files lie, the folders `configs` and `checkpoints`: in
 *
 *     $DECAVOX_HOME
 *     the working folder
 *     ../share/decavox, or ../../share/decavox, from the folder of the program, or of the library
 *         where a program of another has loaded that, as they are installed
 *     share/decavox of the prefix that the program was built for
 *
 * What several of them have is that of the first.
 */
#ifndef DV_EXPERIMENT_HOME_H
#define DV_EXPERIMENT_HOME_H

#include "engine/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { DV_HOME_FOLDERS = 5, DV_HOME_PATH_SIZE = 1024 };

typedef struct dv_home {
    char folders[DV_HOME_FOLDERS][DV_HOME_PATH_SIZE]; /* (count) in the order of the search */
    int count;
} dv_home;

/* The folders above with `name` below each, whether they are there or not. */
void dv_home_list(const char *name, dv_home *out);

/* The path of a file, "configs/mini.yaml", in the first folder that has it. False: none has; `path`
   is then the list of the places that were looked at, for a message. */
bool dv_home_find(const char *name, char *path, size_t size);

/* What a file is called by on the command line: a path, or, where nothing is there and it begins
   with "configs/" or "checkpoints/", that of a file that comes with decavox. The path of the file,
   or `operand` itself. */
void dv_home_file(const char *operand, char *path, size_t size);

/* The same of a checkpoint. The folder of a run stands for its model.safetensors. A checkpoint that
   comes with decavox may be called by its name, too: that has no '/', and is neither a file nor the
   folder of a run. */
void dv_home_checkpoint(const char *operand, char *path, size_t size);

/* What becomes of `status` where `operand` was to be opened as a checkpoint. If it is a name that
   no file has, the message is lengthened by the names of the checkpoints that come with decavox. */
dv_status dv_home_offer(const char *operand, dv_status status);

#endif
