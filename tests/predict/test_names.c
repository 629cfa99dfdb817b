/* Names of folders, lists, manifests and pipes, and shares of them. */
#include "runner/predict/lines.h"
#include "runner/predict/names.h"
#include "tests/support/scratch.h"
#include "tests/support/tree_helpers.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void store(const scratch *folder, const char *name, const char *text,
                  char path[SCRATCH_PATH_SIZE])
{
    scratch_path(folder, name, path);
    file_store(path, text, strlen(text));
}

/* Asserts that the names of the input, without folders, are `expected`, with a space behind each.
 */
static void assert_names(const char *input, int64_t shard, int64_t shards, const char *expected)
{
    const dv_names_request request = {.input = input, .shard = shard, .shards = shards};
    char found[512] = "";
    const char *name;
    int64_t count = 0;
    dv_names *names;
    if (dv_names_open(&request, &names) != DV_OK)
        fail_msg("%s", dv_error_message());
    int64_t promised = dv_names_count(names);
    for (;; count++) {
        assert_int_equal(dv_names_next(names, true, &name), DV_OK);
        if (name == NULL)
            break;
        const char *slash = strrchr(name, '/');
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s ", slash != NULL ? slash + 1 : name);
    }
    assert_true(dv_names_ended(names));
    assert_string_equal(found, expected);
    assert_true(promised == -1 || promised == count);
    dv_names_close(names);
}

static void assert_no_names(const char *input, dv_status code, const char *part)
{
    const dv_names_request request = {.input = input, .shard = 1, .shards = 1};
    dv_names *names;
    assert_int_equal(dv_names_open(&request, &names), code);
    assert_null(names);
    assert_message(part);
}

static void test_lists(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"a.wav\nb.wav\n", "a.wav b.wav "},
        {"a.wav\r\n\r\n\nb.wav", "a.wav b.wav "},
        {"\xEF\xBB\xBF"
         "a.wav\n b c.wav\n",
         "a.wav  b c.wav "},
        {"-\n--help\n\xFF.wav\n", "- --help \xFF.wav "},
        {"a.wav\na.wav\n", "a.wav a.wav "},
    };
    char path[SCRATCH_PATH_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        store(*state, "list.txt", cases[i].text, path);
        assert_names(path, 1, 1, cases[i].expected);
    }
    store(*state, "list.txt", "\n\r\n", path);
    assert_no_names(path, DV_EFORMAT, "names no sound file");
    file_store(path, "a\0b\n", 4);
    assert_no_names(path, DV_EFORMAT, "list.txt:1: the line has a zero byte");
    scratch_path(*state, "absent", path);
    assert_no_names(path, DV_EIO, "absent: cannot be read: No such file");
}

static void test_lines_of_any_length(void **state)
{
    enum { LONGEST = 1 << 16 };
    static char text[LONGEST + 8];
    char path[SCRATCH_PATH_SIZE];
    const char *line;
    dv_lines *lines;
    scratch_path(*state, "long.txt", path);
    memset(text, 'x', sizeof text);
    for (int more = -2; more <= 1; more++) {
        size_t length = (size_t)(LONGEST + more);
        text[length] = '\n';
        file_store(path, text, length + 3); /* and a line of two */
        assert_int_equal(dv_lines_open(path, &lines), DV_OK);
        dv_status status = dv_lines_next(lines, true, &line);
        assert_int_equal(status, more < 0 ? DV_OK : DV_EFORMAT);
        if (status == DV_OK) {
            assert_int_equal(strlen(line), length);
            assert_int_equal(dv_lines_next(lines, true, &line), DV_OK);
            assert_string_equal(line, "xx");
            assert_int_equal(dv_lines_next(lines, true, &line), DV_OK);
            assert_null(line);
        }
        dv_lines_close(lines);
        text[length] = 'x';
    }
}

static void test_shares(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    store(*state, "list.txt", "0\n1\n2\n3\n4\n5\n6\n", path);
    assert_names(path, 1, 3, "0 3 6 ");
    assert_names(path, 2, 3, "1 4 ");
    assert_names(path, 3, 3, "2 5 ");
    assert_names(path, 8, 9, ""); /* fewer names than shares */
}

/* A folder gives its sound files in order, before those of its folders, and no other files. */
static void test_folders(void **state)
{
    const scratch *folder = *state;
    char path[SCRATCH_PATH_SIZE], inner[SCRATCH_PATH_SIZE];
    scratch_path(folder, "sounds", path);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_no_names(path, DV_EFORMAT, "names no sound file");
    scratch_path(folder, "sounds/0", inner);
    assert_int_equal(mkdir(inner, 0755), 0);
    store(folder, "sounds/10.wav", "x", inner);
    store(folder, "sounds/9.flac", "x", inner);
    store(folder, "sounds/0/5.wav", "x", inner);
    store(folder, "sounds/notes.txt", "x", inner);
    store(folder, "sounds/.hidden.wav", "x", inner);
    assert_names(path, 1, 1, "9.flac 10.wav 5.wav ");
    static const char *const made[] = {
        "sounds/10.wav",      "sounds/9.flac", "sounds/0/5.wav", "sounds/notes.txt",
        "sounds/.hidden.wav", "sounds/0",      "sounds"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        scratch_path(folder, made[i], path);
        assert_int_equal(remove(path), 0);
    }
}

static void test_manifests(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    store(*state, "m.csv", "file,length\na.wav,3\n\"b,c.wav\",4\n", path);
    assert_names(path, 1, 1, "a.wav b,c.wav ");
    store(*state, "m.jsonl",
          "{\"file\":\"d.wav\",\"label\":null,\"confidence\":0.5}\n{\"file\": \"e.wav\"}\n", path);
    assert_names(path, 1, 1, "d.wav e.wav ");
    store(*state, "m.csv", "label\n1\n", path);
    assert_no_names(path, DV_EFORMAT, "no column 'path'");
}

/* ---- Pipes ---- */

typedef struct writer {
    int descriptor;
} writer;

static void *write_slowly(void *user)
{
    static const char *const parts[] = {"a.wav\nb.w", "av\n", "c.wav"};
    const writer *w = user;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        (void)poll(NULL, 0, 30);
        assert_int_equal(write(w->descriptor, parts[i], strlen(parts[i])), strlen(parts[i]));
    }
    close(w->descriptor);
    return NULL;
}

static void test_pipes(void **state)
{
    char path[64];
    int ends[2];
    pthread_t thread;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    writer w = {ends[1]};
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_int_equal(pthread_create(&thread, NULL, write_slowly, &w), 0);
    assert_names(path, 1, 1, "a.wav b.wav c.wav ");
    pthread_join(thread, NULL);
    close(ends[0]);
}

/* Names that have arrived are given at once, without a wait for later ones. */
static void test_nothing_is_waited_for(void **state)
{
    char path[64];
    int ends[2];
    const char *name;
    dv_names *names;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    const dv_names_request request = {.input = path, .shard = 1, .shards = 1};
    assert_int_equal(dv_names_open(&request, &names), DV_OK);
    assert_int_equal(write(ends[1], "a.wav\nb", 7), 7);
    assert_int_equal(dv_names_next(names, false, &name), DV_OK);
    assert_string_equal(name, "a.wav");
    assert_int_equal(dv_names_next(names, false, &name), DV_OK);
    assert_null(name);
    assert_false(dv_names_ended(names));
    assert_int_equal(write(ends[1], ".wav\n", 5), 5);
    close(ends[1]);
    assert_int_equal(dv_names_next(names, false, &name), DV_OK);
    assert_string_equal(name, "b.wav");
    assert_int_equal(dv_names_next(names, false, &name), DV_OK);
    assert_null(name);
    assert_true(dv_names_ended(names));
    dv_names_close(names);
    close(ends[0]);
}

static void *stop_soon(void *user)
{
    (void)poll(NULL, 0, 50);
    dv_names_stop(user);
    return NULL;
}

static void test_waiting_can_be_stopped(void **state)
{
    char path[64];
    int ends[2];
    const char *name;
    pthread_t thread;
    dv_names *names;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    const dv_names_request request = {.input = path, .shard = 1, .shards = 1};
    assert_int_equal(dv_names_open(&request, &names), DV_OK);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, names), 0);
    assert_int_equal(dv_names_next(names, true, &name), DV_OK);
    assert_null(name);
    assert_false(dv_names_ended(names));
    pthread_join(thread, NULL);
    dv_names_close(names);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_lines_of_any_length),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_manifests),
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_nothing_is_waited_for),
        cmocka_unit_test(test_waiting_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
