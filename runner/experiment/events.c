/* Writes event files: messages as protocol buffers encode them, in records with checksums. */
#include "runner/experiment/events.h"
#include "engine/base/protobuf.h"

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

enum { TAG_SIZE = 200 };

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
static void append_masked_crc(dv_protobuf *record, const void *bytes, size_t size)
{
    uint32_t crc = dv__crc32c(bytes, size);
    dv_protobuf_append_little_endian(record, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8u), 4);
}

static dv_status fail_with_errno(const char *path)
{
    return DV_FAIL(DV_EIO, "cannot write '%s': %s", path, strerror(errno));
}

/* Frees the event. */
static dv_status write_record(dv_events *events, dv_protobuf *event)
{
    dv_protobuf record = {0};
    dv_protobuf_append_little_endian(&record, event->size, 8);
    append_masked_crc(&record, record.bytes, record.size);
    dv_protobuf_append(&record, event->bytes, event->size);
    append_masked_crc(&record, event->bytes, event->size);
    dv_status status = event->status != DV_OK ? event->status : record.status;
    if (status == DV_OK && fwrite(record.bytes, 1, record.size, events->file) != record.size)
        status = fail_with_errno(events->path);
    dv_protobuf_free(&record);
    dv_protobuf_free(event);
    return status;
}

/* ---- Events ---- */

/* What every event begins with: the time. */
static dv_protobuf event_now(void)
{
    struct timespec now;
    dv_protobuf event = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    dv_protobuf_double(&event, EVENT_WALL_TIME, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
    return event;
}

static dv_status write_version(dv_events *events)
{
    static const char version[] = "brain.Event:2";
    dv_protobuf event = event_now();
    dv_protobuf_text(&event, EVENT_FILE_VERSION, version);
    return write_record(events, &event);
}

static dv_status write_start(dv_events *events, int64_t step)
{
    dv_protobuf event = event_now(), session = {0};
    dv_protobuf_integer(&session, SESSION_LOG_STATUS, SESSION_START);
    dv_protobuf_integer(&event, EVENT_STEP, step);
    dv_protobuf_message(&event, EVENT_SESSION_LOG, &session);
    return write_record(events, &event);
}

dv_status dv_events_add(dv_events *events, int64_t step, const char *tag, double value)
{
    if (strlen(tag) > TAG_SIZE)
        return DV_FAIL(DV_EARG, "the tag '%.40s...' has %zu bytes, and at most %d are possible",
                       tag, strlen(tag), TAG_SIZE);
    dv_protobuf event = event_now(), summary = {0}, scalar = {0};
    dv_protobuf_text(&scalar, VALUE_TAG, tag);
    dv_protobuf_float(&scalar, VALUE_SIMPLE_VALUE, (float)value);
    dv_protobuf_message(&summary, SUMMARY_VALUE, &scalar);
    dv_protobuf_integer(&event, EVENT_STEP, step);
    dv_protobuf_message(&event, EVENT_SUMMARY, &summary);
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
