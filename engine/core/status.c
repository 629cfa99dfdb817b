#include "engine/core/status.h"

#include <stdio.h>
#include <stdlib.h>
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

const char *dv_error_message(void)
{
    return message;
}

dv_status dv__fail(dv_status code, const char *format, ...)
{
    /* Arguments may point into the present message, so it is replaced only when the new is done. */
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(message, text, sizeof message);
    return code;
}

dv_status dv__fail_within(dv_status code, const char *format, ...)
{
    char prefix[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return dv__fail(code, "%s: %s", prefix, message);
}

_Noreturn void dv__assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "decavox: internal error: %s:%d: %s\n", file, line, condition);
    abort();
}

dv_status dv__calloc(size_t count, size_t size, void *out)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    memcpy(out, &memory, sizeof memory);
    if (memory == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu x %zu bytes", count, size);
    return DV_OK;
}

dv_status dv__strdup(const char *text, char **out)
{
    size_t size = strlen(text) + 1;
    DV_TRY(dv__calloc(size, 1, out));
    memcpy(*out, text, size);
    return DV_OK;
}
