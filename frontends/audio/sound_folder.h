/* The content of a folder of recordings. */
#ifndef DV_AUDIO_SOUND_FOLDER_H
#define DV_AUDIO_SOUND_FOLDER_H

#include "engine/base/status.h"

#include <stddef.h>

/* The folder of Speech Commands with recordings of rooms in place of words. */
#define DV_BACKGROUND_NOISE "_background_noise_"

/* Numbers of files that are no sounds, by the endings of their names. */
enum { DV_FILE_KINDS = 24, DV_FILE_KIND_SIZE = 12 };
typedef struct dv_file_kind {
    char ending[DV_FILE_KIND_SIZE]; /* ".txt" */
    size_t files;
} dv_file_kind;
typedef struct dv_file_kinds {
    dv_file_kind list[DV_FILE_KINDS]; /* (count) */
    int count;
    size_t total; /* all files, also those of further kinds and those without an ending */
} dv_file_kinds;

/* The content of a folder without names that begin with a dot and without DV_BACKGROUND_NOISE. */
typedef struct dv_sound_folder {
    char **sounds; /* (sound_count) names in natural order, owned */
    size_t sound_count, sound_capacity;
    char **folders; /* (folder_count) names in natural order, owned */
    size_t folder_count, folder_capacity;
    dv_file_kinds others; /* files that are no sounds */
} dv_sound_folder;

/* Reads the names in one folder. DV_EIO. The caller frees *found, also after a failure. */
dv_status dv_sound_folder_read(const char *path, dv_sound_folder *found);
void dv_sound_folder_free(dv_sound_folder *found);

void dv_add_file_kinds(dv_file_kinds *to, const dv_file_kinds *from);

#endif
