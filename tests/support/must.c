#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

void must(dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s", dv_status_text(status), dv_error_message());
}

void *allocated(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    assert_non_null(memory);
    return memory;
}
