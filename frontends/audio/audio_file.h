/*
 * The bytes of a sound file, and the facts in its header that the decoder hides or gets wrong.
 * Sound files may be hostile, so every walk through one is bounded.
 */
#ifndef DV_AUDIO_AUDIO_FILE_H
#define DV_AUDIO_AUDIO_FILE_H

#include "engine/base/status.h"

#include <stdbool.h>

/* An open sound file. */
typedef struct dv__sound_file {
    const char *path;      /* borrowed */
    int descriptor;        /* -1 if it is not open */
    unsigned char *memory; /* (size) all bytes of a pipe or a small file, owned; NULL if bytes are
                              read from the descriptor */
    int64_t size;          /* bytes */
    int error;             /* errno of the first read that failed; 0 if none did */
} dv__sound_file;

enum { DV__STREAM_SIZE = 256 << 20 }; /* the most bytes of a pipe */

/* Opens a regular file that is not empty. With `streams`, `path` may also name a pipe, or be "-"
   for standard input; a stream is read to its end, so the call may wait. DV_EIO if the file is
   missing, not permitted or of another kind. DV_ESYSTEM if the system fails. DV_EFORMAT if the file
   is empty or the stream has more than DV__STREAM_SIZE bytes. The caller closes the file with
   dv__sound_file_close, also after a failure. */
dv_status dv__sound_file_open(const char *path, bool streams, dv__sound_file *file);
void dv__sound_file_close(dv__sound_file *file);

/* Reads up to `count` bytes from byte `at` on, and returns how many there were. */
int64_t dv__sound_file_read(dv__sound_file *file, int64_t at, int64_t count, void *bytes);

/* DV_ESYSTEM if a read has failed. */
dv_status dv__sound_file_check(const dv__sound_file *file);

/* The changes to the file that the decoder is shown. */
typedef struct dv__sound_header {
    int64_t first;          /* the bytes before this one are hidden */
    int64_t patch_at;       /* byte at which `patch` replaces the size of the samples */
    int patch_size;         /* bytes of `patch`; 0 if nothing is replaced */
    unsigned char patch[8]; /* the size that the samples really have */
    bool endless;           /* the decoder may not find the end of the file, since it would guess
                               the length and stop there */
    bool unmeasured;        /* the length that the decoder reports must not be used */
    unsigned remarks;       /* bits of dv_audio_remark */
} dv__sound_header;

/* DV_EFORMAT if the file is truncated, or of a known format that is not read. DV_ESYSTEM if a read
   has failed. */
dv_status dv__sound_header_read(dv__sound_file *file, dv__sound_header *header);

#endif
