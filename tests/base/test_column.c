/* Columns of tables: their cells, and texts that are cut and padded. */
#include "engine/base/column.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void test_cells(void **state)
{
    (void)state;
    assert_int_equal(dv_cells(""), 0);
    assert_int_equal(dv_cells("seven"), 5);
    assert_int_equal(dv_cells("na\u00EFve"), 5);
    assert_int_equal(dv_cells("nai\u0308ve"), 5); /* the dots are a character of no width */
    assert_int_equal(dv_cells("\u0633\u0628\u0639\u0629"), 4);
    assert_int_equal(dv_cells("\u4E09\u5341"), 4);
    assert_int_equal(dv_cells("\x1B\xFF"), 8); /* displayed as \x1B\xFF */
}

static void test_padded(void **state)
{
    (void)state;
    assert_string_equal(dv_column("seven", 7, 40).text, "seven  ");
    assert_string_equal(dv_column("seven", -7, 40).text, "  seven");
    assert_string_equal(dv_column("seven", 3, 40).text, "seven");
    assert_string_equal(dv_column("\u4E09", 4, 40).text, "\u4E09  ");
    assert_string_equal(dv_column("\u4E09", -4, 40).text, "  \u4E09");
    assert_string_equal(dv_column("", 2, 40).text, "  ");
}

static void test_cut(void **state)
{
    (void)state;
    assert_string_equal(dv_column("seven", 0, 3).text, "sev");
    assert_string_equal(dv_column("seven", 4, 3).text, "sev ");
    assert_string_equal(dv_column("\u4E09\u5341", 0, 3).text, "\u4E09");
    assert_string_equal(dv_column("\u4E09\u5341", 3, 3).text, "\u4E09 ");
}

/* The widths do not depend on the locale of the thread, which stays as it was. */
static void test_locale(void **state)
{
    (void)state;
    locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    assert_true(own != (locale_t)0);
    locale_t before = uselocale(own);
    assert_int_equal(dv_cells("\u4E09"), 2);
    assert_true(uselocale(before) == own);
    freelocale(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_padded),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_locale),
    };
    return cmocka_run_group_tests_name("column", tests, NULL, NULL);
}
