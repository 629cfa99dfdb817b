/* Files of rows: begun, left and resumed, and those that must not be resumed. */
#include "runner/predict/rows_file.h"
#include "tests/support/scratch.h"
#include "tests/support/tree_helpers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const names[] = {"a.wav", "b,\"c\"\n.wav", " d.wav", "e.wav"};
enum { NAMES = sizeof names / sizeof names[0] };

static const char header[] = "file,label,confidence,seconds,seconds_seen,seen_from,error\n";
static const char *const csv_rows[NAMES] = {"a.wav,1,0.5,1,1,0,\n",
                                            "\"b,\"\"c\"\"\n.wav\",,,,,,no such file\n",
                                            "\" d.wav\",,0.25,1,1,0,\n", "e.wav,2,0.75,1,1,0,\n"};
static const char *const json_rows[NAMES] = {
    "{\"file\":\"a.wav\",\"label\":\"1\"}\n",
    "{\"file\":\"b,\\\"c\\\"\\n.wav\",\"error\":\"no such file\"}\n",
    "{\"file\":\" d.wav\",\"label\":null}\n", "{\"file\":\"e.wav\",\"label\":\"2\"}\n"};

typedef struct attempt {
    char path[SCRATCH_PATH_SIZE], part[SCRATCH_PATH_SIZE], job[SCRATCH_PATH_SIZE];
    int format;
    size_t count; /* number of names */
    const char *precision, *weights;
    dv_names *names;
    dv_names_request wanted;
    dv_rows_file *file;
    dv_rows_file_state state;
} attempt;

static attempt begin(const scratch *folder, int format)
{
    attempt a = {.format = format, .count = NAMES, .precision = "fp32", .weights = "1234"};
    scratch_clear(folder);
    scratch_path(folder, "rows", a.path);
    scratch_path(folder, "rows.part", a.part);
    scratch_path(folder, "rows.job", a.job);
    return a;
}

static dv_status open_rows(attempt *a, bool resume, bool force)
{
    json_t *made = json_pack("{s:s, s:s}", "precision", a->precision, DV_ROWS_WEIGHTS, a->weights);
    const dv_row_style style = {.format = a->format, .top = 1};
    a->wanted = (dv_names_request){.operands = names, .count = a->count, .shard = 1, .shards = 1};
    const dv_rows_file_request request = {
        .path = a->path, .style = &style, .made_with = made, .resume = resume, .force = force};
    assert_int_equal(dv_names_open(&a->wanted, &a->names), DV_OK);
    dv_status status = dv_rows_file_open(&request, a->names, &a->state, &a->file);
    json_decref(made);
    return status;
}

static void close_rows(attempt *a, bool finish)
{
    if (finish)
        assert_int_equal(dv_rows_file_finish(a->file), DV_OK);
    else
        dv_rows_file_leave(a->file);
    a->file = NULL;
    dv_names_close(a->names);
}

static void write_row(attempt *a, int number)
{
    const char *row = a->format == DV_ROWS_CSV ? csv_rows[number] : json_rows[number];
    assert_int_equal(dv_rows_file_write(a->file, row, strlen(row)), DV_OK);
}

static void assert_whole(const attempt *a)
{
    char expected[1024] = "";
    size_t size;
    unsigned char *found = file_load(a->path, &size);
    if (a->format == DV_ROWS_CSV)
        strcat(expected, header);
    for (int i = 0; i < NAMES; i++)
        strcat(expected, a->format == DV_ROWS_CSV ? csv_rows[i] : json_rows[i]);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(found, expected, size);
    free(found);
    assert_int_not_equal(access(a->part, F_OK), 0);
    assert_int_equal(access(a->job, F_OK), 0); /* the file of their settings stays */
}

/* A file that is cut off behind any byte, as by a kill, can be resumed. */
static void test_gone_on_from_any_byte(void **state)
{
    static const int formats[] = {DV_ROWS_JSONL, DV_ROWS_CSV};
    for (size_t f = 0; f < 2; f++) {
        for (off_t cut = 0;; cut++) {
            attempt a = begin(*state, formats[f]);
            struct stat facts;
            assert_int_equal(open_rows(&a, false, false), DV_OK);
            for (int i = 0; i < NAMES; i++)
                write_row(&a, i);
            close_rows(&a, false);
            assert_int_equal(stat(a.part, &facts), 0);
            if (cut > facts.st_size)
                break;
            assert_int_equal(truncate(a.part, cut), 0);
            assert_int_equal(open_rows(&a, true, false), DV_OK);
            assert_true(a.state.done <= NAMES && !a.state.complete);
            assert_int_equal(a.state.failed, a.state.done > 1 ? 1 : 0);
            for (int i = (int)a.state.done; i < NAMES; i++)
                write_row(&a, i);
            close_rows(&a, true);
            assert_whole(&a);
        }
    }
}

static void test_complete(void **state)
{
    attempt a = begin(*state, DV_ROWS_CSV);
    assert_int_equal(open_rows(&a, true, false), DV_OK); /* nothing to resume */
    assert_int_equal(a.state.done, 0);
    for (int i = 0; i < NAMES; i++)
        write_row(&a, i);
    close_rows(&a, true);
    assert_int_equal(open_rows(&a, true, false), DV_OK);
    assert_true(a.state.complete);
    assert_null(a.file);
    assert_int_equal(a.state.done, NAMES);
    assert_int_equal(a.state.failed, 1);
    close_rows(&a, false);
    assert_whole(&a);
    a.count = NAMES - 1;
    assert_int_equal(open_rows(&a, true, false), DV_EARG);
    assert_message("has more rows than there are files: row 4");
    close_rows(&a, false);
}

static void test_other_names(void **state)
{
    attempt a = begin(*state, DV_ROWS_JSONL);
    assert_int_equal(open_rows(&a, false, false), DV_OK);
    write_row(&a, 0);
    write_row(&a, 2);
    close_rows(&a, false);
    assert_int_equal(open_rows(&a, true, false), DV_EARG);
    assert_message("row 2 is of ' d.wav', and the file with this number is 'b,");
    close_rows(&a, false);
    file_store(a.part, "{\"file\":3}\n", 11);
    assert_int_equal(open_rows(&a, true, false), DV_EFORMAT);
    assert_message("row 1 was not written by decavox");
    close_rows(&a, false);
}

static void test_other_work(void **state)
{
    attempt a = begin(*state, DV_ROWS_JSONL);
    assert_int_equal(open_rows(&a, false, false), DV_OK);
    write_row(&a, 0);
    close_rows(&a, false);
    a.precision = "bf16";
    assert_int_equal(open_rows(&a, true, false), DV_EARG);
    assert_message("its rows were made with precision \"fp32\", and now it is \"bf16\"");
    close_rows(&a, false);
    a.precision = "fp32";
    a.weights = "abcd";
    assert_int_equal(open_rows(&a, true, false), DV_EARG);
    assert_message("rows: its rows were made with another model: use the same, or begin anew");
    close_rows(&a, false);
    assert_int_equal(open_rows(&a, false, false), DV_EARG);
    assert_message("holds the rows of a call that was interrupted; --resume");
    close_rows(&a, false);
    assert_int_equal(unlink(a.job), 0);
    assert_int_equal(open_rows(&a, true, false), DV_EIO);
    assert_message("rows.job is missing, which says how the rows beside it were made");
    close_rows(&a, false);
    assert_int_equal(open_rows(&a, false, true), DV_OK); /* starts again */
    assert_int_equal(a.state.done, 0);
    close_rows(&a, false);
}

/* Files of other programs are taken neither for rows nor for the settings beside them. */
static void test_files_of_others(void **state)
{
    attempt a = begin(*state, DV_ROWS_CSV);
    file_store(a.part, "mine", 4);
    assert_int_equal(open_rows(&a, false, true), DV_EIO);
    assert_message("rows.part: exists, and decavox did not write it");
    close_rows(&a, false);
    assert_int_equal(unlink(a.part), 0);
    file_store(a.job, "{\"mine\": 1}", 11);
    for (int resume = 0; resume < 2; resume++) {
        assert_int_equal(open_rows(&a, resume == 1, true), DV_EIO);
        assert_message("rows.job: was not written by decavox and is not replaced");
        close_rows(&a, false);
    }
    assert_int_equal(scratch_count(*state), 1);
}

/* Complete rows that were made with other settings; and zeros at the end, as after a power
   failure. */
static void test_complete_with_others(void **state)
{
    static const char zeros[100];
    attempt a = begin(*state, DV_ROWS_JSONL);
    assert_int_equal(open_rows(&a, false, false), DV_OK);
    write_row(&a, 0);
    assert_int_equal(dv_rows_file_write(a.file, zeros, sizeof zeros), DV_OK);
    assert_int_equal(dv_rows_file_write(a.file, "\n", 1), DV_OK);
    close_rows(&a, false);
    assert_int_equal(open_rows(&a, true, false), DV_OK);
    assert_int_equal(a.state.done, 1);
    for (int i = 1; i < NAMES; i++)
        write_row(&a, i);
    close_rows(&a, true);
    assert_whole(&a);
    a.precision = "bf16";
    assert_int_equal(open_rows(&a, true, false), DV_EARG);
    assert_message("its rows were made with precision");
    close_rows(&a, false);
    assert_int_equal(unlink(a.job), 0); /* a user may tidy up */
    assert_int_equal(open_rows(&a, true, false), DV_OK);
    assert_true(a.state.complete);
    close_rows(&a, false);
}

static void test_one_writes(void **state)
{
    attempt a = begin(*state, DV_ROWS_JSONL), other = a;
    assert_int_equal(open_rows(&a, false, false), DV_OK);
    write_row(&a, 0);
    assert_int_equal(open_rows(&other, true, false), DV_EARG);
    assert_message("another process is writing these rows");
    close_rows(&other, false);
    assert_int_equal(open_rows(&other, false, true), DV_EARG);
    assert_message("another process is writing these rows");
    close_rows(&other, false);
    close_rows(&a, false);
    assert_int_equal(open_rows(&other, true, false), DV_OK);
    assert_int_equal(other.state.done, 1);
    close_rows(&other, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gone_on_from_any_byte),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_other_names),
        cmocka_unit_test(test_other_work),
        cmocka_unit_test(test_one_writes),
        cmocka_unit_test(test_files_of_others),
        cmocka_unit_test(test_complete_with_others),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
