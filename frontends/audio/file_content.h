/* Tells by its first bytes what a file is, for messages about a file in the place of another. */
#ifndef DV_AUDIO_FILE_CONTENT_H
#define DV_AUDIO_FILE_CONTENT_H

#include <stddef.h>

enum { DV_CONTENT_BYTES = 64 }; /* bytes at the beginning of a file that are enough */

typedef enum dv_content {
    DV_CONTENT_UNKNOWN,
    DV_CONTENT_SOUND,         /* a format that is read */
    DV_CONTENT_FOREIGN_SOUND, /* a known format that is not read */
    DV_CONTENT_SAFETENSORS,
    DV_CONTENT_ZIP, /* PyTorch writes its files so */
    DV_CONTENT_ONNX,
    DV_CONTENT_TEXT,
} dv_content;

/* Gives the kind of a file by its first `count` bytes. *name becomes the format of a sound, for
   example "WAV", or "". */
dv_content dv_content_of(const void *begin, size_t count, const char **name);

enum { DV_CONTENT_PHRASE_SIZE = 64 };

/* Describes a file as "a sound file (WAV)", "a checkpoint", "a configuration" (a text whose name
   ends as YAML), "a text", "a zip archive", "an ONNX model" or "a folder"; an unknown kind gives
   "". */
void dv_content_phrase_of(const char *name, const void *begin, size_t count,
                          char phrase[DV_CONTENT_PHRASE_SIZE]);

/* The same for the file `path`, which is read. A file that cannot be read gives "". */
void dv_content_phrase(const char *path, char phrase[DV_CONTENT_PHRASE_SIZE]);

#endif
