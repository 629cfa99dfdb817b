/* The texts of the status codes, and the error message of each thread. */
#include "engine/base/status.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 1024 };

static _Thread_local char message[MESSAGE_SIZE];

const char *dv_status_text(dv_status status)
{
    static const char *const texts[] = {
#define X(name, text) text,
        DV_STATUS_LIST(X)
#undef X
    };
    if ((size_t)status >= sizeof texts / sizeof texts[0])
        return "unknown status";
    return texts[status];
}

const char *dv_version(void)
{
    return DV_VERSION;
}

const char *dv_error_message(void)
{
    return message;
}

dv_status dv_fail(dv_status code, const char *format, ...)
{
    /* Arguments may point into the current message, so the new one is finished first. They may have
       users' names of files. */
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dv_text_show(text, message, sizeof message);
    return code;
}

dv_status dv_fail_within(dv_status code, const char *format, ...)
{
    char prefix[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return dv_fail(code, "%s: %s", prefix, message);
}
