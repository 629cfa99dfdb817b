/*
 * Messages as protocol buffers encode them (https://protobuf.dev/programming-guides/encoding), for
 * files that other programs read.
 *
 *     dv_protobuf inner = {0}, outer = {0};
 *     dv_protobuf_text(&inner, NAME, "a");
 *     dv_protobuf_message(&outer, ITEM, &inner); // and frees inner
 *     if (outer.status == DV_OK)
 *         write(outer.bytes, outer.size);
 *     dv_protobuf_free(&outer);
 *
 * A message that fails keeps its status, takes nothing more, and passes it on to the message that
 * it becomes a part of: the outermost one is asked at the end.
 */
#ifndef DV_BASE_PROTOBUF_H
#define DV_BASE_PROTOBUF_H

#include "engine/base/status.h"

#include <stdint.h>

/* Zeroed, it is an empty message. */
typedef struct dv_protobuf {
    unsigned char *bytes; /* (size), owned */
    size_t size, capacity;
    dv_status status; /* DV_ENOMEM: no memory was left for it */
} dv_protobuf;

/* int32, int64, uint64, bool and enum. */
void dv_protobuf_integer(dv_protobuf *message, int field, int64_t value);
void dv_protobuf_double(dv_protobuf *message, int field, double value);
void dv_protobuf_float(dv_protobuf *message, int field, float value);
void dv_protobuf_bytes(dv_protobuf *message, int field, const void *bytes, size_t size);
void dv_protobuf_text(dv_protobuf *message, int field, const char *text);

/* Appends `part` as a field, and frees it. */
void dv_protobuf_message(dv_protobuf *message, int field, dv_protobuf *part);

/* Bytes without a field around them. */
void dv_protobuf_append(dv_protobuf *message, const void *bytes, size_t size);
void dv_protobuf_append_little_endian(dv_protobuf *message, uint64_t value, int size);

/* Frees the bytes; the message is empty afterwards. */
void dv_protobuf_free(dv_protobuf *message);

/* ---- Reading ---- */

/* What is left to read of a message: borrowed. */
typedef struct dv_protobuf_reader {
    const unsigned char *bytes;
    size_t size;
} dv_protobuf_reader;

typedef struct dv_protobuf_field {
    int number;
    uint64_t integer;           /* of a varint, or of 4 or 8 bytes */
    dv_protobuf_reader content; /* of a text, bytes or a message; its bytes are NULL for numbers */
} dv_protobuf_field;

/* The next field. DV_OK with number 0 at the end; DV_EFORMAT: what is left is no field. */
dv_status dv_protobuf_next(dv_protobuf_reader *reader, dv_protobuf_field *out);

#endif
