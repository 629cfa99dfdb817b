/*
 * Status codes and error messages: errors are values.
 *
 * A function that can fail returns dv_status. On failure it also leaves a message for people, with
 * names and numbers, in a thread-local buffer:
 *
 *     if (n <= 0)
 *         return DV_FAIL(DV_EARG, "conv2d '%s': %d filters, must be at least 1", name, n);
 *     DV_TRY(dv_graph_check(graph));          // passes a failure on
 *
 * dv_error_message() reads it. Library code never prints and never exits.
 */
#ifndef DV_BASE_STATUS_H
#define DV_BASE_STATUS_H

#include "include/decavox.h"

#include <stdarg.h>

/* Stores the message and returns `code`. */
dv_status dv_fail(dv_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the current message, such as the name of a file or a layer. Returns
   `code`. */
dv_status dv_fail_within(dv_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fails with a message. The value is `code` itself, so the compiler sees that DV_TRY returns. */
#define DV_FAIL(code, ...) (dv_fail((code), __VA_ARGS__), (dv_status)(code))

#define DV_TRY(expression)                                                                         \
    do {                                                                                           \
        dv_status dv_try_status_ = (expression);                                                   \
        if (dv_try_status_ != DV_OK)                                                               \
            return dv_try_status_;                                                                 \
    } while (0)

/* For functions that release resources on failure: sets `status`, then `goto fail`. */
#define DV_TRY_GOTO(expression)                                                                    \
    do {                                                                                           \
        status = (expression);                                                                     \
        if (status != DV_OK)                                                                       \
            goto fail;                                                                             \
    } while (0)

/* Checks for errors of the program, not of the user, in every build: prints and aborts. */
#define DV_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            dv__assert_failed(#condition, __FILE__, __LINE__);                                     \
    } while (0)

_Noreturn void dv__assert_failed(const char *condition, const char *file, int line);

/* Calls calloc, and fails with a message. *out is NULL on failure. `count` * `size` may not
   overflow; a count of 0 gives a unique pointer. Free with free(). */
dv_status dv_calloc(size_t count, size_t size, void *out /* T ** */);

/* Makes room for one more element behind `count` in an owned array, whose capacity doubles. */
dv_status dv_grow(size_t count, size_t size, size_t *capacity, void *array /* T ** */);

/* Makes room for `count` elements in an owned array. The content is lost if the array grows. */
dv_status dv_reserve(size_t count, size_t size, size_t *capacity, void *array /* T ** */);

/* Copies a string; *out is NULL on failure. */
dv_status dv_strdup(const char *text, char **out);

#endif
