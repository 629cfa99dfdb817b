/* Writes event files: messages as protocol buffers encode them, in records with checksums. */
#include "runner/experiment/events.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct dv_events {
    char *path;
    FILE *file;
};

enum { TAG_SIZE = 200, MESSAGE_SIZE = TAG_SIZE + 64 };

/* Numbers of fields in event.proto and summary.proto. */
enum {
    EVENT_WALL_TIME = 1,
    EVENT_STEP = 2,
    EVENT_FILE_VERSION = 3,
    EVENT_SUMMARY = 5,
    EVENT_SESSION_LOG = 7,
    SUMMARY_VALUE = 1,
    VALUE_TAG = 1,
    VALUE_SIMPLE_VALUE = 2,
    SESSION_LOG_STATUS = 1,
    SESSION_START = 1
};

/* ---- Protocol buffers: https://protobuf.dev/programming-guides/encoding ---- */

typedef enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 } wire;

typedef struct message {
    unsigned char bytes[MESSAGE_SIZE];
    size_t size;
} message;

static void put_bytes(message *m, const void *bytes, size_t size)
{
    DV_ASSERT(m->size + size <= sizeof m->bytes);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void put_little_endian(message *m, uint64_t value, int size)
{
    for (int i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)(value >> (8 * i) & 0xff);
        put_bytes(m, &byte, 1);
    }
}

static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_little_endian(m, (value & 0x7f) | 0x80, 1);
    put_little_endian(m, value, 1);
}

static void put_key(message *m, int field, wire type)
{
    put_varint(m, (uint64_t)field << 3 | (uint64_t)type);
}

static void put_integer(message *m, int field, int64_t value)
{
    put_key(m, field, WIRE_VARINT);
    put_varint(m, (uint64_t)value);
}

static void put_block(message *m, int field, const void *bytes, size_t size)
{
    put_key(m, field, WIRE_BYTES);
    put_varint(m, size);
    put_bytes(m, bytes, size);
}

static void put_double(message *m, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, field, WIRE_64);
    put_little_endian(m, bits, 8);
}

static void put_float(message *m, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(m, field, WIRE_32);
    put_little_endian(m, bits, 4);
}

/* ---- Records ---- */

uint32_t dv__crc32c(const void *bytes, size_t size)
{
    const unsigned char *next = bytes;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= next[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

/* tensorflow/core/lib/hash/crc32c.h: a CRC of data that hold CRCs is not to be trivial. */
static void put_masked_crc(message *m, const void *bytes, size_t size)
{
    uint32_t crc = dv__crc32c(bytes, size);
    put_little_endian(m, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8u), 4);
}

static dv_status fail_with_errno(const char *path)
{
    return DV_FAIL(DV_EIO, "cannot write '%s': %s", path, strerror(errno));
}

static dv_status write_record(dv_events *events, const message *data)
{
    message head = {.size = 0}, tail = {.size = 0};
    put_little_endian(&head, data->size, 8);
    put_masked_crc(&head, head.bytes, head.size);
    put_masked_crc(&tail, data->bytes, data->size);
    if (fwrite(head.bytes, 1, head.size, events->file) == head.size &&
        fwrite(data->bytes, 1, data->size, events->file) == data->size &&
        fwrite(tail.bytes, 1, tail.size, events->file) == tail.size)
        return DV_OK;
    return fail_with_errno(events->path);
}

/* ---- Events ---- */

/* What every event begins with: the time. */
static message event_now(void)
{
    struct timespec now;
    message event = {.size = 0};
    clock_gettime(CLOCK_REALTIME, &now);
    put_double(&event, EVENT_WALL_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    return event;
}

static dv_status write_version(dv_events *events)
{
    static const char version[] = "brain.Event:2";
    message event = event_now();
    put_block(&event, EVENT_FILE_VERSION, version, strlen(version));
    return write_record(events, &event);
}

static dv_status write_start(dv_events *events, int64_t step)
{
    message event = event_now(), session = {.size = 0};
    put_integer(&session, SESSION_LOG_STATUS, SESSION_START);
    put_integer(&event, EVENT_STEP, step);
    put_block(&event, EVENT_SESSION_LOG, session.bytes, session.size);
    return write_record(events, &event);
}

dv_status dv_events_add(dv_events *events, int64_t step, const char *tag, double value)
{
    if (strlen(tag) > TAG_SIZE)
        return DV_FAIL(DV_EARG, "the tag '%.40s...' has %zu bytes, at most %d are possible", tag,
                       strlen(tag), TAG_SIZE);
    message event = event_now(), summary = {.size = 0}, scalar = {.size = 0};
    put_block(&scalar, VALUE_TAG, tag, strlen(tag));
    put_float(&scalar, VALUE_SIMPLE_VALUE, (float)value);
    put_block(&summary, SUMMARY_VALUE, scalar.bytes, scalar.size);
    put_integer(&event, EVENT_STEP, step);
    put_block(&event, EVENT_SUMMARY, summary.bytes, summary.size);
    return write_record(events, &event);
}

/* ---- The file ---- */

/* Seconds in the name of the newest file in the folder; 0: there is none. */
static int64_t newest(const char *folder)
{
    int64_t latest = 0, seconds;
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (sscanf(entry->d_name, "events.out.tfevents.%" SCNd64 ".", &seconds) == 1 &&
            seconds > latest)
            latest = seconds;
    }
    closedir(directory);
    return latest;
}

static dv_status create_file(const char *folder, dv_events *events)
{
    int64_t seconds = (int64_t)time(NULL), after = newest(folder);
    if (seconds <= after)
        seconds = after + 1;
    size_t size = strlen(folder) + 64;
    DV_TRY(dv_calloc(size, 1, &events->path));
    snprintf(events->path, size, "%s/events.out.tfevents.%010" PRId64 ".decavox", folder, seconds);
    events->file = fopen(events->path, "wbx");
    return events->file != NULL ? DV_OK : fail_with_errno(events->path);
}

dv_status dv_events_open(const char *folder, int64_t first_step, dv_events **out)
{
    dv_status status;
    dv_events *events;
    *out = NULL;
    DV_TRY(dv_calloc(1, sizeof *events, &events));
    DV_TRY_GOTO(create_file(folder, events));
    DV_TRY_GOTO(write_version(events));
    DV_TRY_GOTO(write_start(events, first_step));
    DV_TRY_GOTO(dv_events_flush(events));
    *out = events;
    return DV_OK;
fail:
    dv_events_close(events);
    return status;
}

dv_status dv_events_flush(dv_events *events)
{
    return fflush(events->file) == 0 ? DV_OK : fail_with_errno(events->path);
}

void dv_events_close(dv_events *events)
{
    if (events == NULL)
        return;
    if (events->file != NULL)
        fclose(events->file);
    free(events->path);
    free(events);
}
