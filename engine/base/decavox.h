/*
 * decavox: the public C API of the engine. See runner/ for a complete user of it.
 */
#ifndef DECAVOX_H
#define DECAVOX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DV_API __attribute__((visibility("default")))
#define DV_MUST_CHECK __attribute__((warn_unused_result))

/* Status codes: one list gives the enum and the names. */
#define DV_STATUS_LIST(X)                                                                          \
    X(OK, "no error")                                                                              \
    X(EARG, "invalid argument")                                                                    \
    X(ESHAPE, "shapes do not fit")                                                                 \
    X(ENOMEM, "out of memory")                                                                     \
    X(EIO, "input or output failed")                                                               \
    X(EFORMAT, "malformed data")                                                                   \
    X(ECONFIG, "invalid configuration")                                                            \
    X(EDEVICE, "device failure")                                                                   \
    X(EUNSUPPORTED, "not supported")                                                               \
    X(ENUMERIC, "not a finite number")                                                             \
    X(EINTERRUPTED, "interrupted")                                                                 \
    X(ESYSTEM, "the system failed")

typedef enum dv_status {
#define X(name, text) DV_##name,
    DV_STATUS_LIST(X)
#undef X
} dv_status;

/* The name of a status code, for example "shapes do not fit". */
DV_API const char *dv_status_text(dv_status status);

/* The message of this thread's latest failure; valid until the next one. Never NULL. One line that
   is fit for a terminal: in names, control characters and bytes that are no UTF-8 are \xNN. */
DV_API const char *dv_error_message(void);

typedef enum dv_log_level { DV_LOG_DEBUG, DV_LOG_INFO, DV_LOG_WARNING } dv_log_level;

/* Receives every message of the library; `message` is one line as above, without a newline, and
   lives for the call only. */
typedef void (*dv_log_fn)(void *user, dv_log_level level, const char *message);

#ifdef __cplusplus
}
#endif

#endif
