/* Showing texts of users: control characters and invalid UTF-8 are written out. */
#include "engine/base/file_names.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void test_shown(void **state)
{
    static const char *const cases[][2] = {
        {"a b.wav", "a b.wav"},
        {"\xC3\xA4\xE4\xB8\xAD\xF0\x9F\x8E\xA4", "\xC3\xA4\xE4\xB8\xAD\xF0\x9F\x8E\xA4"},
        {"\x1B[2J\r\n\t\x7F", "\\x1B[2J\\x0D\\x0A\\x09\\x7F"},
        {"a\xC2\x9B"
         "2Jb\xC2\xA0",
         "a\\xC2\\x9B2Jb\xC2\xA0"},                            /* CSI in one character */
        {"\x9B\xFF\xC3", "\\x9B\\xFF\\xC3"},                   /* not UTF-8 */
        {"\xED\xA0\x80\xC0\x8A", "\\xED\\xA0\\x80\\xC0\\x8A"}, /* a surrogate, an overlong form */
        {"\xE2\x80\xAE.wav\xE2\x80\xA8", "\\xE2\\x80\\xAE.wav\\xE2\\x80\\xA8"}, /* turns the line */
        {"\xE2\x81\xA6\xE2\x80\x93", "\\xE2\\x81\\xA6\xE2\x80\x93"},
        {"\\x1B", "\\x1B"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(dv_show(cases[i][0]).text, cases[i][1]);
}

/* Valid characters stay, control characters included. Invalid bytes are written out. */
static void test_utf8(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"a\n\xC3\xA4", "a\n\xC3\xA4"},
        {"caf\xC3\xA9\xFF", "caf\xC3\xA9\\xFF"},
        {"\xFF\xFE", "\\xFF\\xFE"},
        {"\xE4\xB8", "\\xE4\\xB8"},
        {"\xC2\x9B", "\xC2\x9B"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *mended;
        assert_int_equal(dv_utf8_of(cases[i][0], &mended), DV_OK);
        assert_string_equal(mended, cases[i][1]);
        assert_true(dv_is_utf8(mended));
        free(mended);
    }
}

/* No character is cut in its middle, whatever the size of the buffer. */
static void test_cut(void **state)
{
    static const char *const starts[] = {"", "a", "a\\x1B", "a\\x1B\xC3\xA4"};
    static const size_t lengths[] = {1, 2, 6, 8};
    (void)state;
    for (size_t size = 1, best = 0; size <= 8; size++) {
        char shown[9];
        memset(shown, '#', sizeof shown);
        while (best + 1 < 4 && lengths[best + 1] <= size)
            best++;
        dv_text_show("a\x1B\xC3\xA4", shown, size);
        assert_string_equal(shown, starts[best]);
        assert_int_equal(shown[size], '#');
    }
}

static void test_control_characters(void **state)
{
    static const char *const with[] = {"a\n",       "\x1B",     "\x7F",
                                       "a\xC2\x85", "\xC2\x9B", "\xE2\x80\xAE"};
    static const char *const without[] = {"",         "a b",          "\xC2\xA0",
                                          "\xC3\xA4", "\xE2\x80\x93", "\x9B\xFF"};
    (void)state;
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++)
        assert_true(dv_has_control_character(with[i]));
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        assert_false(dv_has_control_character(without[i]));
}

static void keep(void *user, dv_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 100, "%s", message);
}

/* Messages hold escaped names, so code that prints them need not escape them. */
static void test_messages(void **state)
{
    char kept[100];
    dv_log log = {.write = keep, .user = kept};
    (void)state;
    assert_int_equal(DV_FAIL(DV_EIO, "%s: missing", "\x1B[2Ja\nb\xFF"), DV_EIO);
    assert_string_equal(dv_error_message(), "\\x1B[2Ja\\x0Ab\\xFF: missing");
    assert_int_equal(dv_fail_within(DV_EIO, "%s", "c\n"), DV_EIO);
    assert_string_equal(dv_error_message(), "c\\x0A: \\x1B[2Ja\\x0Ab\\xFF: missing");
    dv_log_write(&log, DV_LOG_WARNING, "%s is left out", "\x1B]0;title\x07");
    assert_string_equal(kept, "\\x1B]0;title\\x07 is left out");
}

static void test_numbers_and_endings(void **state)
{
    (void)state;
    assert_string_equal(dv_plural(1), "");
    assert_string_equal(dv_plural(0), "s");
    assert_string_equal(dv_plural(2), "s");
    assert_true(dv_ends_with("a.onnx", ".onnx"));
    assert_true(dv_ends_with("A.ONNX", ".onnx"));
    assert_false(dv_ends_with("a.onn", ".onnx"));
    assert_false(dv_ends_with(".onnx", ".onnx"));
}

/* The names of files, and what a message offers of them. */
static void test_file_names(void **state)
{
    static const char *const files[] = {"mini.yaml", "big_10.yaml", "big_9.YAML", ".yaml",
                                        "notes.txt"};
    char path[SCRATCH_PATH_SIZE], text[DV_FILE_NAMES_SIZE];
    dv_file_names names = {.count = 0};
    assert_int_equal(dv_file_names_add("/nonexistent", ".yaml", &names), DV_OK);
    dv_file_names_offer(&names, "mini", text);
    assert_string_equal(text, "");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_path(*state, files[i], path);
        file_store(path, "", 0);
    }
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(dv_file_names_add(((scratch *)*state)->folder, ".yaml", &names), DV_OK);
    dv_file_names_offer(&names, "minni", text);
    assert_string_equal(text, "; did you mean 'mini'? There are big_9, big_10, mini");
    dv_file_names_list(&names, text);
    assert_string_equal(text, "big_9, big_10, mini");
    dv_file_names_offer(&names, "xyzzy", text);
    assert_string_equal(text, "; there are big_9, big_10, mini");
    dv_file_names_free(&names);
}

/* The names of folders that have a file. */
static void test_folders_with_a_file(void **state)
{
    static const char *const folders[] = {"run_10", "run_9", ".hidden", "empty"};
    const char *top = ((scratch *)*state)->folder;
    char path[SCRATCH_PATH_SIZE];
    dv_file_names names = {.count = 0};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        scratch_path(*state, folders[i], path);
        assert_int_equal(mkdir(path, 0700), 0);
        strcat(path, "/model");
        if (strcmp(folders[i], "empty") != 0)
            file_store(path, "", 0);
    }
    assert_int_equal(dv_file_names_add_folders(top, "model", &names), DV_OK);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.list[0], "run_9");
    assert_string_equal(names.list[1], "run_10");
    dv_file_names_free(&names);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) { /* scratch clears one level */
        scratch_path(*state, folders[i], path);
        strcat(path, "/model");
        remove(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_numbers_and_endings),
        cmocka_unit_test_setup_teardown(test_file_names, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_folders_with_a_file, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
