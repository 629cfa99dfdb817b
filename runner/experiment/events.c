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
    VALUE_TENSOR = 8,
    VALUE_METADATA = 9,
    METADATA_PLUGIN = 1,
    METADATA_CLASS = 4,
    CLASS_TENSOR = 2,
    PLUGIN_NAME = 1,
    PLUGIN_CONTENT = 2,
    SESSION_LOG_STATUS = 1,
    SESSION_START = 1
};

/* Numbers of fields in tensor.proto and tensor_shape.proto. */
enum {
    TENSOR_TYPE = 1,
    TENSOR_SHAPE = 2,
    TENSOR_TEXT = 8,
    SHAPE_DIMENSION = 2,
    DIMENSION_SIZE = 1,
    TYPE_FLOAT = 1,
    TYPE_TEXT = 7
};

/* Numbers of fields in tensorboard/plugins/hparams/plugin_data.proto and in
   google/protobuf/struct.proto. */
enum {
    HPARAMS_START = 3,
    HPARAMS_END = 4,
    START_HPARAMS = 1,
    START_TIME = 5,
    END_STATUS = 1,
    END_TIME = 2,
    STATUS_SUCCESS = 1,
    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,
    OF_NUMBER = 2,
    OF_TEXT = 3,
    OF_BOOL = 4
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

/* tensorflow/core/lib/hash/crc32c.h masks a CRC, so that the CRC of data that hold CRCs is not
   trivial. */
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

static double wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* An event with the field that each of them begins with: the time. */
static dv_protobuf event_now(void)
{
    dv_protobuf event = {0};
    dv_protobuf_double(&event, EVENT_WALL_TIME, wall_time());
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

/* Writes an event of one value, which it frees. */
static dv_status write_value(dv_events *events, int64_t step, dv_protobuf *value)
{
    dv_protobuf event = event_now(), summary = {0};
    dv_protobuf_message(&summary, SUMMARY_VALUE, value);
    dv_protobuf_integer(&event, EVENT_STEP, step);
    dv_protobuf_message(&event, EVENT_SUMMARY, &summary);
    return write_record(events, &event);
}

static dv_status check_tag(const char *tag)
{
    if (strlen(tag) <= TAG_SIZE)
        return DV_OK;
    return DV_FAIL(DV_EARG, "the tag '%.40s...' has %zu bytes, at most %d are possible", tag,
                   strlen(tag), TAG_SIZE);
}

dv_status dv_events_add(dv_events *events, int64_t step, const char *tag, double value)
{
    dv_protobuf scalar = {0};
    DV_TRY(check_tag(tag));
    dv_protobuf_text(&scalar, VALUE_TAG, tag);
    dv_protobuf_float(&scalar, VALUE_SIMPLE_VALUE, (float)value);
    return write_value(events, step, &scalar);
}

/* ---- Values of plugins ---- */

/* Adds the metadata that give a value to a plugin of TensorBoard. `content` is freed. */
static void add_plugin(dv_protobuf *value, const char *name, dv_protobuf *content, int class)
{
    dv_protobuf metadata = {0}, plugin = {0};
    dv_protobuf_text(&plugin, PLUGIN_NAME, name);
    dv_protobuf_message(&plugin, PLUGIN_CONTENT, content);
    dv_protobuf_message(&metadata, METADATA_PLUGIN, &plugin);
    if (class != 0)
        dv_protobuf_integer(&metadata, METADATA_CLASS, class);
    dv_protobuf_message(value, VALUE_METADATA, &metadata);
}

dv_status dv_events_add_text(dv_events *events, int64_t step, const char *tag, const char *text)
{
    dv_protobuf value = {0}, tensor = {0}, shape = {0}, content = {0};
    DV_TRY(check_tag(tag));
    dv_protobuf_text(&value, VALUE_TAG, tag);
    dv_protobuf_integer(&tensor, TENSOR_TYPE, TYPE_TEXT);
    dv_protobuf_message(&tensor, TENSOR_SHAPE, &shape); /* a scalar */
    dv_protobuf_text(&tensor, TENSOR_TEXT, text);
    dv_protobuf_message(&value, VALUE_TENSOR, &tensor);
    add_plugin(&value, "text", &content, CLASS_TENSOR);
    return write_value(events, step, &value);
}

/* Writes a value of the plugin hparams, which looks at the metadata alone. `content` is freed. */
static dv_status write_hparams(dv_events *events, const char *tag, dv_protobuf *content)
{
    dv_protobuf value = {0}, tensor = {0}, shape = {0}, dimension = {0};
    dv_protobuf_text(&value, VALUE_TAG, tag);
    dv_protobuf_integer(&dimension, DIMENSION_SIZE, 0);
    dv_protobuf_message(&shape, SHAPE_DIMENSION, &dimension);
    dv_protobuf_integer(&tensor, TENSOR_TYPE, TYPE_FLOAT);
    dv_protobuf_message(&tensor, TENSOR_SHAPE, &shape);
    dv_protobuf_message(&value, VALUE_TENSOR, &tensor);
    add_plugin(&value, "hparams", content, 0);
    return write_value(events, 0, &value);
}

/* Adds an entry for a scalar: a number, a truth value or a text. */
static void add_hparam(dv_protobuf *start, const char *name, const dv_tree *scalar)
{
    dv_protobuf entry = {0}, value = {0};
    double number;
    bool is_true = strcmp(scalar->text, "true") == 0;
    bool is_bool = is_true || strcmp(scalar->text, "false") == 0;
    if (!scalar->quoted && dv_parse_float(scalar->text, &number))
        dv_protobuf_double(&value, OF_NUMBER, number);
    else if (!scalar->quoted && is_bool)
        dv_protobuf_integer(&value, OF_BOOL, is_true);
    else
        dv_protobuf_text(&value, OF_TEXT, scalar->text);
    dv_protobuf_text(&entry, ENTRY_KEY, name);
    dv_protobuf_message(&entry, ENTRY_VALUE, &value);
    dv_protobuf_message(start, START_HPARAMS, &entry);
}

/* Adds the scalars of a map and of the maps in it, with the names of all on the way to them. */
static void add_hparams(dv_protobuf *start, const char *before, const dv_tree *map)
{
    char name[TAG_SIZE];
    for (size_t i = 0; map->kind == DV_TREE_MAP && i < map->count; i++) {
        const dv_tree *child = map->children[i];
        snprintf(name, sizeof name, "%s%s%s", before, before[0] != '\0' ? "." : "", child->key);
        if (child->kind == DV_TREE_SCALAR)
            add_hparam(start, name, child);
        else
            add_hparams(start, name, child);
    }
}

dv_status dv_events_begin_hparams(dv_events *events, const dv_tree *config)
{
    dv_protobuf content = {0}, start = {0};
    add_hparams(&start, "", config);
    dv_protobuf_double(&start, START_TIME, wall_time());
    dv_protobuf_message(&content, HPARAMS_START, &start);
    return write_hparams(events, "_hparams_/session_start_info", &content);
}

dv_status dv_events_end_hparams(dv_events *events)
{
    dv_protobuf content = {0}, end = {0};
    dv_protobuf_integer(&end, END_STATUS, STATUS_SUCCESS);
    dv_protobuf_double(&end, END_TIME, wall_time());
    dv_protobuf_message(&content, HPARAMS_END, &end);
    return write_hparams(events, "_hparams_/session_end_info", &content);
}

/* ---- The file ---- */

/* Seconds in the name of the newest file in the folder. 0 stands for a folder without one. */
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
