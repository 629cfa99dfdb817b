/* Files that are too large to be read into memory as a whole. */
#include "frontends/model/safetensors.h"
#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const unsigned char bytes[5] = {0, 1, 127, 128, 255};

static const dv_safetensors_entry small = {
    .name = "small", .dtype = DV_SAFETENSORS_U8, .rank = 1, .dim = {5}, .data = bytes};

/* KiB of a mapped file in this process's memory, -1 if the system does not tell. */
static long resident(const char *path)
{
    char line[4096];
    long kibibytes = -1;
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, path) != NULL)
            inside = true;
        else if (inside && sscanf(line, "Rss: %ld", &kibibytes) == 1)
            break;
    }
    if (file != NULL)
        fclose(file);
    return kibibytes;
}

enum { LARGE_COUNT = 3 << 20 }; /* floats, 12 MiB */

static float large_value(int64_t i)
{
    return (float)(i % 4099) - 2000;
}

static void write_large(const char *path)
{
    float *values = calloc(LARGE_COUNT, sizeof *values);
    assert_non_null(values);
    for (int64_t i = 0; i < LARGE_COUNT; i++)
        values[i] = large_value(i);
    /* The large tensor comes first, because one that is not aligned in the file is copied. */
    const dv_safetensors_entry entries[] = {{.name = "large",
                                             .dtype = DV_SAFETENSORS_F32,
                                             .rank = 1,
                                             .dim = {LARGE_COUNT},
                                             .data = values},
                                            small};
    assert_int_equal(dv_safetensors_write(path, NULL, 0, entries, 2), DV_OK);
    free(values);
}

static void assert_large(const dv_safetensors_entry *entry)
{
    const float *values = entry->data;
    for (int64_t i = 0; i < LARGE_COUNT; i++)
        if (values[i] != large_value(i))
            fail_msg("value %lld is %g", (long long)i, (double)values[i]);
}

static void test_large_files_leave_memory(void **state)
{
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "large.safetensors", path);
    write_large(path);
    dv_safetensors *file;
    assert_int_equal(dv_safetensors_read(path, &file), DV_OK);
    const dv_safetensors_entry *entry = dv_safetensors_find(file, "large");
    long after_checksum = resident(path);
    assert_large(entry);
    long read = resident(path);
    dv_safetensors_forget(file, entry);
    long forgotten = resident(path);
    assert_large(entry);
    dv_safetensors_forget(file, dv_safetensors_find(file, "small"));
    entry = dv_safetensors_find(file, "small");
    assert_memory_equal(entry->data, bytes, sizeof bytes);
    dv_safetensors_free(file);
    if (read < 0) {
        print_message("skipped: /proc/self/smaps does not tell what lies in memory\n");
        skip();
    }
    assert_in_range(read, 12 << 10, 13 << 10);
    assert_in_range(after_checksum, 0, 3 << 10);
    assert_in_range(forgotten, 0, 1 << 10);
}

/* The checksum of a large file is computed window by window. */
static void test_damage_in_large_files_is_found(void **state)
{
    static const long places[] = {-1, -(3L << 20), -(8L << 20), -(12L << 20)}; /* from the end */
    char path[SCRATCH_PATH_SIZE];
    scratch_path(*state, "damaged.safetensors", path);
    write_large(path);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        assert_int_equal(fseek(file, places[i], SEEK_END), 0);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, places[i], SEEK_END), 0);
        fputc(byte ^ 1, file);
        fclose(file);
        dv_safetensors *damaged;
        assert_int_equal(dv_safetensors_read(path, &damaged), DV_EFORMAT);
        assert_null(damaged);
        assert_non_null(strstr(dv_error_message(), "the file is damaged"));
        file = fopen(path, "r+b");
        assert_int_equal(fseek(file, places[i], SEEK_END), 0);
        fputc(byte, file);
        fclose(file);
    }
    dv_safetensors *file;
    assert_int_equal(dv_safetensors_read(path, &file), DV_OK);
    dv_safetensors_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_files_leave_memory),
        cmocka_unit_test(test_damage_in_large_files_is_found),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
