/* The command line that repeats a training, from any folder. */
#ifndef DV_EXPERIMENT_REPEAT_H
#define DV_EXPERIMENT_REPEAT_H

#include "runner/experiment/experiment.h"

/* The path from the root of the file system on: a relative path gets the working folder before it.
   Links and dots stay. *out is owned by the caller. DV_ENOMEM, DV_ESYSTEM. */
dv_status dv_absolute_path(const char *path, char **out);

/* The same of the file `name` in a folder. */
dv_status dv_absolute_file(const char *folder, const char *name, char **out);

/* How a training was started, besides its configuration. All texts are borrowed. */
typedef struct dv_repeated {
    const char *folder; /* folder of the run, with config.yaml */
    const char *device;
    int threads;
} dv_repeated;

/*
 * "decavox train /runs/one/config.yaml --data /data --device cpu --threads 2" for a run of
 * `experiment`: *out is owned by the caller. Every path is absolute. A relative path of the
 * configuration is set anew behind --set where a file or folder of that name is there now; a name
 * of one of decavox's own files stays as it is. DV_ENOMEM, DV_ESYSTEM.
 */
dv_status dv_repeat_command(const dv_experiment *experiment, const dv_repeated *how, char **out);

#endif
