/* Pickles against bytes written by hand after Python's pickletools. */
#include "runner/export/pickle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_bytes(dv_protobuf *pickle, const char *bytes, size_t size)
{
    assert_int_equal(pickle->status, DV_OK);
    assert_int_equal(pickle->size, size);
    assert_memory_equal(pickle->bytes, bytes, size);
    dv_protobuf_free(pickle);
}

#define ASSERT_BYTES(pickle, text) assert_bytes(pickle, text, sizeof(text) - 1)

/* Each integer takes the fewest bytes that hold it. */
static void test_integers(void **state)
{
    (void)state;
    const int64_t values[] = {0, 255, 256, 65535, 65536, -1, INT32_MAX, (int64_t)INT32_MAX + 1};
    dv_protobuf pickle = {0};
    dv_pickle_integers(&pickle, values, 8);
    ASSERT_BYTES(&pickle, "(K\x00K\xffM\x00\x01M\xff\xffJ\x00\x00\x01\x00J\xff\xff\xff\xff"
                          "J\xff\xff\xff\x7f\x8a\x08\x00\x00\x00\x80\x00\x00\x00\x00t");
    dv_pickle_integers(&pickle, NULL, 0);
    ASSERT_BYTES(&pickle, "(t");
}

/* An object of a class with a text, a boolean and the result of a call as attributes. */
static void test_object(void **state)
{
    (void)state;
    dv_protobuf pickle = {0};
    dv_pickle_begin(&pickle);
    dv_pickle_global(&pickle, "a.b", "C");
    dv_pickle_step_add(&pickle, DV_PICKLE_EMPTY_TUPLE);
    dv_pickle_step_add(&pickle, DV_PICKLE_NEW_OBJECT);
    dv_pickle_step_add(&pickle, DV_PICKLE_EMPTY_DICT);
    dv_pickle_step_add(&pickle, DV_PICKLE_MARK);
    dv_pickle_text(&pickle, "yes");
    dv_pickle_bool(&pickle, true);
    dv_pickle_text(&pickle, "\xc3\xa9");
    dv_pickle_bool(&pickle, false);
    dv_pickle_step_add(&pickle, DV_PICKLE_SET_ITEMS);
    dv_pickle_step_add(&pickle, DV_PICKLE_SET_STATE);
    dv_pickle_step_add(&pickle, DV_PICKLE_STOP);
    ASSERT_BYTES(&pickle, "\x80\x02"
                          "ca.b\nC\n)\x81}("
                          "X\x03\x00\x00\x00yes\x88"
                          "X\x02\x00\x00\x00\xc3\xa9\x89ub.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
