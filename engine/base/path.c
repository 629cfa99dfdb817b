/* Joins paths, and compares names with the values of the numbers in them. */
#include "engine/base/path.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

dv_status dv_join(const char *folder, const char *name, char **out)
{
    size_t length = strlen(folder);
    bool slash = length > 0 && folder[length - 1] != '/';
    size_t size = length + (slash ? 1 : 0) + strlen(name) + 1;
    DV_TRY(dv_calloc(size, 1, out));
    snprintf(*out, size, "%s%s%s", folder, slash ? "/" : "", name);
    return DV_OK;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Compares two runs of digits by value and moves both pointers behind them. */
static int compare_numbers(const char **a, const char **b)
{
    const char *x = *a + strspn(*a, "0");
    const char *y = *b + strspn(*b, "0");
    size_t x_length = strspn(x, "0123456789");
    size_t y_length = strspn(y, "0123456789");
    *a = x + x_length;
    *b = y + y_length;
    if (x_length != y_length)
        return x_length < y_length ? -1 : 1;
    return memcmp(x, y, x_length);
}

int dv_natural_order(const char *a, const char *b)
{
    const char *x = a;
    const char *y = b;
    while (*x != '\0' && *y != '\0') {
        if (is_digit(*x) && is_digit(*y)) {
            int order = compare_numbers(&x, &y);
            if (order != 0)
                return order;
        } else if (*x != *y) {
            return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
        } else {
            x++;
            y++;
        }
    }
    if (*x != *y)
        return *x == '\0' ? -1 : 1;
    return strcmp(a, b);
}

int dv_by_name(const void *a, const void *b)
{
    return dv_natural_order(*(const char *const *)a, *(const char *const *)b);
}
