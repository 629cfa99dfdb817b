/* Tells by its first bytes what a file is, for messages about a file in the place of another. */
#ifndef DV_AUDIO_FILE_CONTENT_H
#define DV_AUDIO_FILE_CONTENT_H

#include <stddef.h>

enum { DV_CONTENT_BYTES = 64 }; /* at the beginning of a file are enough */

typedef enum dv_content {
    DV_CONTENT_UNKNOWN,
    DV_CONTENT_SOUND,         /* of a format that is read */
    DV_CONTENT_FOREIGN_SOUND, /* of a known format that is not read */
    DV_CONTENT_SAFETENSORS,
    DV_CONTENT_ZIP, /* as PyTorch writes */
    DV_CONTENT_TEXT,
} dv_content;

/* *name: of the format of a sound ("WAV"), otherwise "". */
dv_content dv_content_of(const void *begin, size_t count, const char **name);

enum { DV_CONTENT_PHRASE_SIZE = 64 };

/* "a sound file (WAV)", "a checkpoint", "a configuration" (a text whose name ends as YAML), "a
   text", "a zip archive" or "a folder"; the empty text of what is not known. */
void dv_content_phrase_of(const char *name, const void *begin, size_t count,
                          char phrase[DV_CONTENT_PHRASE_SIZE]);

/* The same of a file that is looked at; the empty text where it cannot be read. */
void dv_content_phrase(const char *path, char phrase[DV_CONTENT_PHRASE_SIZE]);

#endif
