#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

void must(dv_status status)
{
    if (status != DV_OK)
        fail_msg("%s: %s", dv_status_text(status), dv_error_message());
}
