/* Writes and reads the wire format of protocol buffers. */
#include "engine/base/protobuf.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 } wire;

/* ---- Writing ---- */

/* Makes room for `size` more bytes. Returns false if the message has failed. */
static bool reserve(dv_protobuf *message, size_t size)
{
    if (message->status != DV_OK)
        return false;
    if (size <= message->capacity - message->size)
        return true;
    size_t capacity = message->capacity < 64 ? 64 : message->capacity;
    while (capacity - message->size < size && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    unsigned char *bytes =
        capacity - message->size < size ? NULL : realloc(message->bytes, capacity);
    if (bytes == NULL) {
        message->status = dv_fail(DV_ENOMEM, "out of memory: a message of %zu bytes", capacity);
        return false;
    }
    message->bytes = bytes;
    message->capacity = capacity;
    return true;
}

void dv_protobuf_append(dv_protobuf *message, const void *bytes, size_t size)
{
    if (size == 0 || !reserve(message, size))
        return;
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

void dv_protobuf_append_little_endian(dv_protobuf *message, uint64_t value, int size)
{
    unsigned char bytes[8];
    DV_ASSERT(size >= 1 && size <= 8);
    for (int i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> (8 * i) & 0xff);
    dv_protobuf_append(message, bytes, (size_t)size);
}

static void append_varint(dv_protobuf *message, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        dv_protobuf_append_little_endian(message, (value & 0x7f) | 0x80, 1);
    dv_protobuf_append_little_endian(message, value, 1);
}

static void append_key(dv_protobuf *message, int field, wire type)
{
    append_varint(message, (uint64_t)field << 3 | (uint64_t)type);
}

void dv_protobuf_integer(dv_protobuf *message, int field, int64_t value)
{
    append_key(message, field, WIRE_VARINT);
    append_varint(message, (uint64_t)value);
}

void dv_protobuf_double(dv_protobuf *message, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    append_key(message, field, WIRE_64);
    dv_protobuf_append_little_endian(message, bits, 8);
}

void dv_protobuf_float(dv_protobuf *message, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    append_key(message, field, WIRE_32);
    dv_protobuf_append_little_endian(message, bits, 4);
}

void dv_protobuf_bytes(dv_protobuf *message, int field, const void *bytes, size_t size)
{
    append_key(message, field, WIRE_BYTES);
    append_varint(message, size);
    dv_protobuf_append(message, bytes, size);
}

void dv_protobuf_text(dv_protobuf *message, int field, const char *text)
{
    dv_protobuf_bytes(message, field, text, strlen(text));
}

void dv_protobuf_message(dv_protobuf *message, int field, dv_protobuf *part)
{
    if (message->status == DV_OK)
        message->status = part->status;
    dv_protobuf_bytes(message, field, part->bytes, part->size);
    dv_protobuf_free(part);
}

void dv_protobuf_free(dv_protobuf *message)
{
    free(message->bytes);
    *message = (dv_protobuf){0};
}

/* ---- Reading ---- */

static dv_status fail_to_read(void)
{
    return DV_FAIL(DV_EFORMAT,
                   "this is no protocol buffer: a field is cut off or of an unknown kind");
}

static bool take(dv_protobuf_reader *reader, size_t size, const unsigned char **out)
{
    if (reader->size < size)
        return false;
    *out = reader->bytes;
    reader->bytes += size;
    reader->size -= size;
    return true;
}

static bool take_little_endian(dv_protobuf_reader *reader, size_t size, uint64_t *out)
{
    const unsigned char *bytes;
    if (!take(reader, size, &bytes))
        return false;
    *out = 0;
    for (size_t i = 0; i < size; i++)
        *out |= (uint64_t)bytes[i] << (8 * i);
    return true;
}

static bool take_varint(dv_protobuf_reader *reader, uint64_t *out)
{
    const unsigned char *byte;
    *out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (!take(reader, 1, &byte))
            return false;
        *out |= (uint64_t)(*byte & 0x7f) << shift;
        if (*byte < 0x80)
            return true;
    }
    return false;
}

static bool take_content(dv_protobuf_reader *reader, dv_protobuf_field *out)
{
    uint64_t size;
    if (!take_varint(reader, &size) || size > reader->size)
        return false;
    out->content.size = (size_t)size;
    return take(reader, (size_t)size, &out->content.bytes);
}

/* Reads a key, which has the field's number and wire type, then the value. */
dv_status dv_protobuf_next(dv_protobuf_reader *reader, dv_protobuf_field *out)
{
    uint64_t key;
    bool read = false;
    *out = (dv_protobuf_field){0};
    if (reader->size == 0)
        return DV_OK;
    if (!take_varint(reader, &key) || key >> 3 == 0 || key >> 3 > INT32_MAX)
        return fail_to_read();
    out->number = (int)(key >> 3);
    switch ((wire)(key & 7)) {
    case WIRE_VARINT:
        read = take_varint(reader, &out->integer);
        break;
    case WIRE_64:
        read = take_little_endian(reader, 8, &out->integer);
        break;
    case WIRE_32:
        read = take_little_endian(reader, 4, &out->integer);
        break;
    case WIRE_BYTES:
        read = take_content(reader, out);
        break;
    }
    return read ? DV_OK : fail_to_read();
}
