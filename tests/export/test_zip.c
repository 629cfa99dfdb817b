/* Archives: written files are found again, and damage is reported. tests/e2e/test_export.py lets
   Python read them. */
#include "runner/export/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "the text of an entry";

static void make(dv_protobuf *out)
{
    dv_zip zip = {0};
    dv_protobuf part = {0};
    unsigned char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * i);
    dv_zip_add(&zip, "first", text, strlen(text));
    dv_zip_add(&zip, "none", NULL, 0);
    dv_protobuf_append(&part, bytes, sizeof bytes);
    dv_zip_add_part(&zip, "folder/part", &part);
    assert_null(part.bytes);
    assert_int_equal(dv_zip_end(&zip, out), DV_OK);
}

static void test_found_again(void **state)
{
    (void)state;
    dv_protobuf bytes, again;
    dv_zip_reader zip;
    dv_zip_entry entry;
    make(&bytes);
    make(&again);
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.bytes, again.bytes, bytes.size);
    assert_memory_equal(bytes.bytes, "PK\x03\x04", 4);
    assert_memory_equal(bytes.bytes + 30, "decavox/first", 13);
    assert_int_equal(dv_zip_open(bytes.bytes, bytes.size, &zip), DV_OK);
    assert_int_equal(dv_zip_expect(&zip, "first", text, strlen(text)), DV_OK);
    assert_int_equal(dv_zip_expect(&zip, "none", NULL, 0), DV_OK);
    assert_int_equal(dv_zip_find(&zip, "folder/part", &entry), DV_OK);
    assert_int_equal(entry.size, 1000);
    assert_int_equal(entry.bytes[3], 9);
    assert_int_equal((entry.bytes - bytes.bytes) % DV_ZIP_ALIGNMENT, 0);
    assert_int_equal(dv_zip_find(&zip, "part", &entry), DV_EFORMAT);
    assert_non_null(strstr(dv_error_message(), "no 'decavox/part'"));
    assert_int_equal(dv_zip_expect(&zip, "first", text, 3), DV_EFORMAT);
    assert_int_equal(dv_zip_expect(&zip, "first", "The text of an entry", strlen(text)),
                     DV_EFORMAT);
    dv_protobuf_free(&bytes);
    dv_protobuf_free(&again);
}

static void test_cut_off(void **state)
{
    (void)state;
    dv_protobuf bytes;
    dv_zip_reader zip;
    make(&bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        unsigned char *cut =
            malloc(size + 1); /* a copy, so that a sanitizer finds reads beyond it */
        memcpy(cut, bytes.bytes, size);
        assert_int_equal(dv_zip_open(realloc(cut, size > 0 ? size : 1), size, &zip), DV_EFORMAT);
        free((void *)(uintptr_t)zip.bytes);
    }
    dv_protobuf_free(&bytes);
}

/* Damages every byte in turn. Damage of data or of a name is always reported, and no other damage
   does harm. */
static void test_damaged(void **state)
{
    (void)state;
    dv_protobuf bytes;
    dv_zip_reader zip, whole;
    dv_zip_entry entry;
    make(&bytes);
    assert_int_equal(dv_zip_open(bytes.bytes, bytes.size, &whole), DV_OK);
    assert_int_equal(dv_zip_find(&whole, "folder/part", &entry), DV_OK);
    for (size_t at = 0; at < bytes.size; at++) {
        bool is_data = bytes.bytes + at >= entry.bytes && bytes.bytes + at < entry.bytes + 1000;
        bool is_name = at >= 30 && at < 43;
        for (int bit = 0; bit < 8; bit++) {
            bytes.bytes[at] ^= (unsigned char)(1 << bit);
            dv_status status = dv_zip_open(bytes.bytes, bytes.size, &zip);
            assert_true(status == DV_EFORMAT || (status == DV_OK && !is_data && !is_name));
            bytes.bytes[at] ^= (unsigned char)(1 << bit);
        }
    }
    dv_protobuf_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_again),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
