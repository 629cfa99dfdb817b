/*
 * The bytes of a sound file, and what its header says that a decoder does not tell or tells
 * wrongly. Sound files are hostile: every walk through one is bounded.
 */
#ifndef DV_AUDIO_AUDIO_FILE_H
#define DV_AUDIO_AUDIO_FILE_H

#include "engine/base/status.h"

#include <stdbool.h>

/* An open sound file. */
typedef struct dv__sound_file {
    const char *path;      /* borrowed */
    int descriptor;        /* -1: not open */
    unsigned char *memory; /* (size) all bytes of a pipe or a small file, owned; NULL: they are
                              read from the descriptor */
    int64_t size;          /* bytes */
    int error;             /* errno of the first read that failed; 0: none did */
} dv__sound_file;

enum { DV__STREAM_SIZE = 256 << 20 }; /* bytes of a pipe, at most */

/* Opens a regular file that is not empty. `streams`: a pipe too, and by the path "-" standard
   input; they are read to their end, and may be waited for. DV_EIO: missing, not permitted, of
   another kind; DV_ESYSTEM: the system cannot; DV_EFORMAT: empty, or a stream of more than
   DV__STREAM_SIZE bytes. Close with dv__sound_file_close, on failure too. */
dv_status dv__sound_file_open(const char *path, bool streams, dv__sound_file *file);
void dv__sound_file_close(dv__sound_file *file);

/* Reads up to `count` bytes from byte `at`; how many there were. */
int64_t dv__sound_file_read(dv__sound_file *file, int64_t at, int64_t count, void *bytes);

/* DV_ESYSTEM where a read has failed. */
dv_status dv__sound_file_check(const dv__sound_file *file);

/* What the decoder is to be shown in place of the file as it is. */
typedef struct dv__sound_header {
    int64_t first;    /* the bytes before this one are hidden */
    int64_t patch_at; /* here stands the size of the samples that the file really has, */
    int patch_size;   /* in so many bytes; 0: nothing is replaced */
    unsigned char patch[8];
    bool endless;    /* the decoder would guess the length and stop there: it is not told the end */
    bool unmeasured; /* what the decoder says of the length is not believed */
    unsigned remarks; /* bits of dv_audio_remark */
} dv__sound_header;

/* DV_EFORMAT: truncated, or of a format that is known and not read; DV_ESYSTEM. */
dv_status dv__sound_header_read(dv__sound_file *file, dv__sound_header *header);

#endif
