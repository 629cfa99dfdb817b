/* Host memory and assertions. They are apart from the messages, so that modules can have them. */
#include "engine/base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void dv__assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "decavox: internal error: %s:%d: %s\n", file, line, condition);
    abort();
}

dv_status dv_calloc(size_t count, size_t size, void *out)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    memcpy(out, &memory, sizeof memory);
    if (memory == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu x %zu bytes", count, size);
    return DV_OK;
}

dv_status dv_strdup(const char *text, char **out)
{
    size_t size = strlen(text) + 1;
    DV_TRY(dv_calloc(size, 1, out));
    memcpy(*out, text, size);
    return DV_OK;
}

dv_status dv_reserve(size_t count, size_t size, size_t *capacity, void *array)
{
    void *old;
    if (count <= *capacity)
        return DV_OK;
    memcpy(&old, array, sizeof old);
    free(old);
    *capacity = 0;
    DV_TRY(dv_calloc(count, size, array)); /* NULL on failure */
    *capacity = count;
    return DV_OK;
}

dv_status dv_grow(size_t count, size_t size, size_t *capacity, void *array)
{
    if (count < *capacity)
        return DV_OK;
    size_t wanted = *capacity > 0 ? *capacity * 2 : 64;
    void *old;
    memcpy(&old, array, sizeof old);
    void *larger = realloc(old, wanted * size);
    if (larger == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu x %zu bytes", wanted, size);
    memcpy(array, &larger, sizeof larger);
    *capacity = wanted;
    return DV_OK;
}
