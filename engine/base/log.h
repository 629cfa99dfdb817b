/* The log: a callback and its user pointer, passed by value. All messages of the library go through
   it. */
#ifndef DV_BASE_LOG_H
#define DV_BASE_LOG_H

#include "engine/base/status.h"

typedef struct dv_log {
    dv_log_fn write; /* NULL drops all messages */
    void *user;
} dv_log;

void dv_log_write(const dv_log *log, dv_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
