/* Writes the instructions of pickles. */
#include "runner/export/pickle.h"

#include <string.h>

enum { PROTOCOL = 0x80, GLOBAL = 'c', TEXT = 'X', TRUE = 0x88, FALSE = 0x89 };
enum { BYTE = 'K', TWO_BYTES = 'M', FOUR_BYTES = 'J', LONG = 0x8a };

static void put(dv_protobuf *out, uint64_t value, int size)
{
    dv_protobuf_append_little_endian(out, value, size);
}

void dv_pickle_begin(dv_protobuf *out)
{
    put(out, PROTOCOL, 1);
    put(out, 2, 1);
}

void dv_pickle_step_add(dv_protobuf *out, dv_pickle_step step)
{
    put(out, (uint64_t)step, 1);
}

void dv_pickle_global(dv_protobuf *out, const char *module, const char *name)
{
    put(out, GLOBAL, 1);
    dv_protobuf_append(out, module, strlen(module));
    put(out, '\n', 1);
    dv_protobuf_append(out, name, strlen(name));
    put(out, '\n', 1);
}

void dv_pickle_text(dv_protobuf *out, const char *text)
{
    put(out, TEXT, 1);
    put(out, strlen(text), 4);
    dv_protobuf_append(out, text, strlen(text));
}

void dv_pickle_integer(dv_protobuf *out, int64_t value)
{
    if (value >= 0 && value <= UINT8_MAX) {
        put(out, BYTE, 1);
        put(out, (uint64_t)value, 1);
    } else if (value >= 0 && value <= UINT16_MAX) {
        put(out, TWO_BYTES, 1);
        put(out, (uint64_t)value, 2);
    } else if (value >= INT32_MIN && value <= INT32_MAX) {
        put(out, FOUR_BYTES, 1);
        put(out, (uint64_t)value, 4);
    } else {
        put(out, LONG, 1);
        put(out, 8, 1); /* number of bytes */
        put(out, (uint64_t)value, 8);
    }
}

void dv_pickle_bool(dv_protobuf *out, bool value)
{
    put(out, value ? TRUE : FALSE, 1);
}

void dv_pickle_integers(dv_protobuf *out, const int64_t *values, int count)
{
    dv_pickle_step_add(out, DV_PICKLE_MARK);
    for (int i = 0; i < count; i++)
        dv_pickle_integer(out, values[i]);
    dv_pickle_step_add(out, DV_PICKLE_TUPLE);
}
