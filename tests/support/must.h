/* What a test needs to succeed before it can begin. */
#ifndef DV_TESTS_MUST_H
#define DV_TESTS_MUST_H

#include "engine/base/status.h"

#include <stddef.h>

/* Fails the test with the message of the status, where that is one. */
void must(dv_status status);

/* Zeros; the caller frees them. */
void *allocated(size_t count, size_t size);

#endif
