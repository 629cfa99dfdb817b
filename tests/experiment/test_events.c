#define _GNU_SOURCE /* memmem */
/* Event files: the checksum, the bytes of every record, names, failures. */
#include "runner/experiment/events.h"
#include "tests/support/scratch.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

static int clear_before(void **state)
{
    scratch_clear(*state);
    return 0;
}

/* ---- The checksum ---- */

/* RFC 3720, appendix B.4. */
static void test_crc_of_the_rfc(void **state)
{
    (void)state;
    static const unsigned char read_command[48] = {
        [0] = 0x01,  [1] = 0xc0,  [16] = 0x14, [22] = 0x04,
        [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    unsigned char zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xff, sizeof ones);
    for (int i = 0; i < 32; i++) {
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    assert_int_equal(dv__crc32c(zeros, 32), 0x8a9136aa);
    assert_int_equal(dv__crc32c(ones, 32), 0x62a8ab43);
    assert_int_equal(dv__crc32c(up, 32), 0x46dd794e);
    assert_int_equal(dv__crc32c(down, 32), 0x113fdb5c);
    assert_int_equal(dv__crc32c(read_command, 48), 0xd9963a56);
    assert_int_equal(dv__crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(dv__crc32c("", 0), 0);
}

/* ---- Records ---- */

typedef struct record_reader {
    unsigned char *bytes; /* owned */
    size_t size, at;
} record_reader;

static uint64_t little_endian(const unsigned char *bytes, int size)
{
    uint64_t value = 0;
    for (int i = size - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static uint32_t unmasked(const unsigned char *bytes)
{
    uint32_t rotated = (uint32_t)little_endian(bytes, 4) - 0xa282ead8u;
    return rotated >> 17 | rotated << 15;
}

/* The data of the next record. Its frame must be right. */
static const unsigned char *next_record(record_reader *reader, size_t *size)
{
    const unsigned char *head = reader->bytes + reader->at;
    assert_true(reader->at + 12 <= reader->size);
    *size = (size_t)little_endian(head, 8);
    assert_true(reader->at + 16 + *size <= reader->size);
    assert_int_equal(unmasked(head + 8), dv__crc32c(head, 8));
    assert_int_equal(unmasked(head + 12 + *size), dv__crc32c(head + 12, *size));
    reader->at += 16 + *size;
    return head + 12;
}

/* Asserts that the next record holds the time and then these bytes. */
static void assert_record(record_reader *reader, const char *bytes, size_t size)
{
    size_t length;
    const unsigned char *data = next_record(reader, &length);
    assert_int_equal(length, 9 + size);
    assert_int_equal(data[0], 0x09); /* field 1, 64 bits */
    uint64_t bits = little_endian(data + 1, 8);
    double wall_time;
    memcpy(&wall_time, &bits, 8);
    assert_true(wall_time > (double)time(NULL) - 60 && wall_time < (double)time(NULL) + 60);
    assert_memory_equal(data + 9, bytes, size);
}
#define ASSERT_RECORD(reader, text) assert_record(reader, text, sizeof(text) - 1)

/* Lists the names in the folder in order. Returns their number. */
static size_t list(const scratch *folder, char names[4][SCRATCH_PATH_SIZE])
{
    size_t count = 0;
    struct dirent **entries;
    int found = scandir(folder->folder, &entries, NULL, alphasort);
    assert_true(found >= 0);
    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.') {
            assert_true(count < 4);
            snprintf(names[count++], SCRATCH_PATH_SIZE, "%s", entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return count;
}

static void load(const scratch *folder, const char *name, record_reader *out)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(folder, name, path);
    out->bytes = file_load(path, &out->size);
    out->at = 0;
}

static void test_every_byte(void **state)
{
    const scratch *folder = *state;
    dv_events *events;
    assert_int_equal(dv_events_open(folder->folder, 3, &events), DV_OK);
    assert_int_equal(dv_events_add(events, 3, "loss/train", 0.5), DV_OK);
    assert_int_equal(dv_events_add(events, 300, "learning_rate", -2), DV_OK);
    assert_int_equal(dv_events_flush(events), DV_OK);
    char names[4][SCRATCH_PATH_SIZE];
    assert_int_equal(list(folder, names), 1);
    record_reader reader;
    load(folder, names[0], &reader); /* flushed, although it is still open */
    ASSERT_RECORD(&reader, "\x1a\x0d"
                           "brain.Event:2");
    ASSERT_RECORD(&reader, "\x10\x03\x3a\x02\x08\x01");
    ASSERT_RECORD(&reader, "\x10\x03\x2a\x13\x0a\x11\x0a\x0a"
                           "loss/train"
                           "\x15\0\0\0\x3f");
    ASSERT_RECORD(&reader, "\x10\xac\x02\x2a\x16\x0a\x14\x0a\x0d"
                           "learning_rate"
                           "\x15\0\0\0\xc0");
    assert_int_equal(reader.at, reader.size);
    free(reader.bytes);
    dv_events_close(events);
}

static void add_scalar(dv_tree *map, const char *path, const char *text, bool quoted)
{
    dv_tree *scalar;
    assert_int_equal(dv_tree_new_scalar(text, NULL, 0, &scalar), DV_OK);
    scalar->quoted = quoted;
    assert_int_equal(dv_tree_set(map, path, scalar), DV_OK);
}

/* By TensorBoard's own classes: Summary.Value, and HParamsPluginData in its metadata. */
static void test_every_byte_of_a_text(void **state)
{
    const scratch *folder = *state;
    char names[4][SCRATCH_PATH_SIZE];
    dv_events *events;
    record_reader reader;
    size_t size;
    assert_int_equal(dv_events_open(folder->folder, 1, &events), DV_OK);
    assert_int_equal(dv_events_add_text(events, 2, "t", "a"), DV_OK);
    dv_events_close(events);
    assert_int_equal(list(folder, names), 1);
    load(folder, names[0], &reader);
    next_record(&reader, &size);
    next_record(&reader, &size);
    ASSERT_RECORD(&reader, "\x10\x02\x2a\x1c\x0a\x1a\x0a\x01t"
                           "\x42\x07\x08\x07\x12\0\x42\x01"
                           "a"
                           "\x4a\x0c\x0a\x08\x0a\x04text\x12\0\x20\x02");
    free(reader.bytes);
}

/* The bytes of the map's entries, each a key and a google.protobuf.Value. */
static void test_hparams(void **state)
{
    const scratch *folder = *state;
    static const char entries[] = "\x0a\x12\x0a\x05"
                                  "a.one\x12\x09\x11\0\0\0\0\0\0\xf8\x3f"
                                  "\x0a\x0b\x0a\x05"
                                  "a.two\x12\x02\x20\x01"
                                  "\x0a\x0a\x0a\x01"
                                  "b\x12\x05\x1a\x03"
                                  "1.5";
    char names[4][SCRATCH_PATH_SIZE];
    dv_events *events;
    dv_tree *config, *items;
    record_reader reader;
    size_t size;
    assert_int_equal(dv_tree_new(DV_TREE_MAP, NULL, 0, &config), DV_OK);
    add_scalar(config, "a.one", "1.5", false);
    add_scalar(config, "a.two", "true", false);
    add_scalar(config, "b", "1.5", true);
    assert_int_equal(dv_tree_new(DV_TREE_LIST, NULL, 0, &items), DV_OK);
    assert_int_equal(dv_tree_set(config, "layers", items), DV_OK);
    assert_int_equal(dv_events_open(folder->folder, 1, &events), DV_OK);
    assert_int_equal(dv_events_begin_hparams(events, config), DV_OK);
    assert_int_equal(dv_events_end_hparams(events), DV_OK);
    dv_events_close(events);
    dv_tree_free(config);
    assert_int_equal(list(folder, names), 1);
    load(folder, names[0], &reader);
    next_record(&reader, &size);
    next_record(&reader, &size);
    const unsigned char *data = next_record(&reader, &size);
    assert_non_null(memmem(data, size, entries, sizeof entries - 1));
    assert_non_null(memmem(data, size, "_hparams_/session_start_info", 28));
    data = next_record(&reader, &size);
    assert_non_null(memmem(data, size, "_hparams_/session_end_info", 26));
    assert_non_null(memmem(data, size, "hparams\x12\x0d\x22\x0b\x08\x01\x11", 13));
    free(reader.bytes);
}

/* ---- Names ---- */

static void test_names_do_not_clash_and_sort(void **state)
{
    const scratch *folder = *state;
    char names[4][SCRATCH_PATH_SIZE], start[4] = {0};
    for (int64_t run = 1; run <= 3; run++) { /* usually within one second */
        dv_events *events;
        assert_int_equal(dv_events_open(folder->folder, 10 * run, &events), DV_OK);
        dv_events_close(events);
    }
    assert_int_equal(list(folder, names), 3);
    for (int i = 0; i < 3; i++) {
        record_reader reader;
        size_t size;
        load(folder, names[i], &reader);
        next_record(&reader, &size);
        const unsigned char *data = next_record(&reader, &size);
        start[i] = (char)data[10]; /* the step at which the session begins */
        free(reader.bytes);
        int64_t seconds = strtoll(names[i] + strlen("events.out.tfevents."), NULL, 10);
        assert_in_range(seconds, time(NULL) - 60, time(NULL) + 60);
    }
    assert_memory_equal(start, ((char[]){10, 20, 30}), 3);
}

static void test_a_clock_that_went_back(void **state)
{
    const scratch *folder = *state;
    char path[SCRATCH_PATH_SIZE], names[4][SCRATCH_PATH_SIZE];
    scratch_path(folder, "events.out.tfevents.9000000000.elsewhere", path);
    file_store(path, "", 0);
    dv_events *events;
    assert_int_equal(dv_events_open(folder->folder, 1, &events), DV_OK);
    dv_events_close(events);
    assert_int_equal(list(folder, names), 2);
    assert_string_equal(names[1], "events.out.tfevents.9000000001.decavox");
}

/* ---- Failures ---- */

static void assert_message_has(const char *part)
{
    if (strstr(dv_error_message(), part) == NULL)
        fail_msg("'%s' is not in the message: %s", part, dv_error_message());
}

static void test_refusals(void **state)
{
    const scratch *folder = *state;
    char absent[SCRATCH_PATH_SIZE], tag[202];
    scratch_path(folder, "absent", absent);
    dv_events *events = (dv_events *)absent;
    assert_int_equal(dv_events_open(absent, 1, &events), DV_EIO);
    assert_null(events);
    assert_message_has(absent);
    assert_message_has("No such file");
    assert_int_equal(dv_events_open(folder->folder, 1, &events), DV_OK);
    memset(tag, 'x', sizeof tag - 1);
    tag[201] = '\0';
    assert_int_equal(dv_events_add(events, 1, tag, 1), DV_EARG);
    assert_message_has("'xxx");
    assert_message_has("201");
    assert_int_equal(dv_events_add(events, INT64_MAX, tag + 1, 1e300), DV_OK); /* the longest */
    dv_events_close(events);
    dv_events_close(NULL);
}

static void test_full_disk(void **state)
{
    const scratch *folder = *state;
    struct rlimit old_limit, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
    limit = old_limit;
    limit.rlim_cur = 100;
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    dv_events *events;
    assert_int_equal(dv_events_open(folder->folder, 1, &events), DV_OK);
    assert_int_equal(dv_events_add(events, 1, "loss/train", 1), DV_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    dv_status status = dv_events_flush(events);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    signal(SIGXFSZ, old_handler);
    assert_int_equal(status, DV_EIO);
    assert_message_has("File too large");
    assert_message_has(folder->folder);
    dv_events_close(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc_of_the_rfc),
        cmocka_unit_test_setup(test_every_byte, clear_before),
        cmocka_unit_test_setup(test_every_byte_of_a_text, clear_before),
        cmocka_unit_test_setup(test_hparams, clear_before),
        cmocka_unit_test_setup(test_names_do_not_clash_and_sort, clear_before),
        cmocka_unit_test_setup(test_a_clock_that_went_back, clear_before),
        cmocka_unit_test_setup(test_refusals, clear_before),
        cmocka_unit_test_setup(test_full_disk, clear_before),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
