/*
 * Writes and reads protocol buffers (https://protobuf.dev/programming-guides/encoding), for file
 * formats of other programs.
 *
 *     dv_protobuf inner = {0}, outer = {0};
 *     dv_protobuf_text(&inner, NAME, "a");
 *     dv_protobuf_message(&outer, ITEM, &inner); // and frees inner
 *     if (outer.status == DV_OK)
 *         write(outer.bytes, outer.size);
 *     dv_protobuf_free(&outer);
 *
 * A message that fails keeps its status, ignores further calls, and passes the status on to the
 * message that it becomes a part of. So it is enough to check the outermost message at the end.
 */
#ifndef DV_BASE_PROTOBUF_H
#define DV_BASE_PROTOBUF_H

#include "engine/base/status.h"

#include <stdint.h>

/* A zeroed dv_protobuf is an empty message. */
typedef struct dv_protobuf {
    unsigned char *bytes; /* (size), owned */
    size_t size, capacity;
    dv_status status; /* DV_OK or DV_ENOMEM */
} dv_protobuf;

/* dv_protobuf_integer serves the types int32, int64, uint64, bool and enum. */
void dv_protobuf_integer(dv_protobuf *message, int field, int64_t value);
void dv_protobuf_double(dv_protobuf *message, int field, double value);
void dv_protobuf_float(dv_protobuf *message, int field, float value);
void dv_protobuf_bytes(dv_protobuf *message, int field, const void *bytes, size_t size);
void dv_protobuf_text(dv_protobuf *message, int field, const char *text);

/* Appends the message `part` as a field, and frees it. */
void dv_protobuf_message(dv_protobuf *message, int field, dv_protobuf *part);

/* Append bytes without a field around them. */
void dv_protobuf_append(dv_protobuf *message, const void *bytes, size_t size);
void dv_protobuf_append_little_endian(dv_protobuf *message, uint64_t value, int size);

/* Frees the bytes; the message is empty afterwards. */
void dv_protobuf_free(dv_protobuf *message);

/* ---- Reading ---- */

/* The unread rest of a message, borrowed. */
typedef struct dv_protobuf_reader {
    const unsigned char *bytes;
    size_t size;
} dv_protobuf_reader;

typedef struct dv_protobuf_field {
    int number;
    uint64_t integer;           /* value of a varint, or of 4 or 8 bytes */
    dv_protobuf_reader content; /* a text, bytes or a message; bytes is NULL for numbers */
} dv_protobuf_field;

/* Reads the next field. Its number is 0 at the end. Fails with DV_EFORMAT if the rest is not a
   field. */
dv_status dv_protobuf_next(dv_protobuf_reader *reader, dv_protobuf_field *out);

#endif
