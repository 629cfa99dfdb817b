/* Calls that must succeed before a test can begin. */
#ifndef DV_TESTS_MUST_H
#define DV_TESTS_MUST_H

#include "engine/base/status.h"

#include <stddef.h>

/* Fails the test with the error message if the status is a failure. */
void must(dv_status status);

/* Allocates zeros; the caller frees them. Fails the test without memory. */
void *allocated(size_t count, size_t size);

#endif
