/* Formats a message, escapes the characters that cannot be shown, and calls the callback. */
#include "engine/base/log.h"
#include "engine/base/text.h"

#include <stdio.h>

void dv_log_write(const dv_log *log, dv_log_level level, const char *format, ...)
{
    if (log == NULL || log->write == NULL)
        return;
    char text[1024], shown[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    dv_text_show(text, shown, sizeof shown); /* it may have users' names of files */
    log->write(log->user, level, shown);
}
