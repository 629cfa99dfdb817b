#include "engine/core/text.h"

#include <stdlib.h>
#include <string.h>

dv_status dv__each_item(const char *list, dv_status (*item)(void *user, char *part), void *user)
{
    char *copy;
    DV_TRY(dv__strdup(list, &copy));
    dv_status status = DV_OK;
    for (char *part = copy, *next; status == DV_OK && part != NULL; part = next) {
        next = strchr(part, ',');
        if (next != NULL)
            *next++ = '\0';
        status = item(user, part);
    }
    free(copy);
    return status;
}
