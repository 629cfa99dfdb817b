/* Messages against bytes written by hand after the specification of the encoding. */
#include "engine/base/protobuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_bytes(const dv_protobuf *message, const char *bytes, size_t size)
{
    assert_int_equal(message->status, DV_OK);
    assert_int_equal(message->size, size);
    assert_memory_equal(message->bytes, bytes, size);
}

#define ASSERT_BYTES(message, text) assert_bytes(message, text, sizeof(text) - 1)

/* The examples of the specification, and both ends of the integers. */
static void test_numbers(void **state)
{
    (void)state;
    dv_protobuf m = {0};
    dv_protobuf_integer(&m, 1, 150);
    dv_protobuf_integer(&m, 16, 0);
    dv_protobuf_integer(&m, 2, -2);
    ASSERT_BYTES(&m, "\x08\x96\x01\x80\x01\x00\x10\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    dv_protobuf_free(&m);
    assert_int_equal(m.size, 0);
    dv_protobuf_float(&m, 3, 1.0F);
    dv_protobuf_double(&m, 4, -2.0);
    ASSERT_BYTES(&m, "\x1d\x00\x00\x80\x3f\x21\x00\x00\x00\x00\x00\x00\x00\xc0");
    dv_protobuf_free(&m);
}

static void test_nested(void **state)
{
    (void)state;
    dv_protobuf outer = {0}, inner = {0}, empty = {0};
    dv_protobuf_text(&inner, 2, "testing");
    dv_protobuf_message(&outer, 3, &inner);
    dv_protobuf_message(&outer, 4, &empty);
    assert_null(inner.bytes);
    ASSERT_BYTES(&outer, "\x1a\x09\x12\x07testing\x22\x00");
    dv_protobuf_free(&outer);
}

/* A message that grows beyond its first buffer is read again field by field. */
static void test_read(void **state)
{
    (void)state;
    static char text[5000];
    dv_protobuf m = {0};
    dv_protobuf_field field;
    memset(text, 'x', sizeof text);
    dv_protobuf_bytes(&m, 7, text, sizeof text);
    dv_protobuf_integer(&m, 8, INT64_MAX);
    dv_protobuf_float(&m, 9, 1.0F);
    dv_protobuf_reader reader = {m.bytes, m.size};
    assert_int_equal(dv_protobuf_next(&reader, &field), DV_OK);
    assert_int_equal(field.number, 7);
    assert_int_equal(field.content.size, sizeof text);
    assert_memory_equal(field.content.bytes, text, sizeof text);
    assert_int_equal(dv_protobuf_next(&reader, &field), DV_OK);
    assert_true(field.number == 8 && field.integer == INT64_MAX && field.content.bytes == NULL);
    assert_int_equal(dv_protobuf_next(&reader, &field), DV_OK);
    assert_true(field.number == 9 && field.integer == 0x3f800000);
    assert_int_equal(dv_protobuf_next(&reader, &field), DV_OK);
    assert_int_equal(field.number, 0);
    dv_protobuf_free(&m);
}

/* A message that is cut off, or has a field of an unknown kind, is refused, and nothing is read
   beyond its end. */
static void test_damaged(void **state)
{
    (void)state;
    static const char *const cases[] = {"\x08",
                                        "\x08\x80",
                                        "\x12\x05"
                                        "abcd",
                                        "\x1d\x01\x01\x01",
                                        "\x21\x01",
                                        "\x0b\x01",
                                        "\x02\x01",
                                        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_protobuf_field field;
        dv_protobuf_reader reader = {(const unsigned char *)cases[i], strlen(cases[i])};
        assert_int_equal(dv_protobuf_next(&reader, &field), DV_EFORMAT);
    }
}

/* A failed part makes the whole message fail. */
static void test_failure(void **state)
{
    (void)state;
    dv_protobuf outer = {0}, inner = {.status = DV_ENOMEM};
    dv_protobuf_integer(&inner, 1, 1);
    assert_int_equal(inner.size, 0);
    dv_protobuf_message(&outer, 1, &inner);
    assert_int_equal(outer.status, DV_ENOMEM);
    dv_protobuf_free(&outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_nested),  cmocka_unit_test(test_read),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
