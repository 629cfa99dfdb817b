/* Keeps the messages of a context in two lists: warnings, and all others. */
#include "benchmarks/notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep(notes_list *list, const char *message)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    char *copy = strdup(message);
    if (items != NULL)
        list->items = items;
    if (items != NULL && copy != NULL)
        list->items[list->count++] = copy;
    else
        free(copy);
}

static void write_note(void *user, dv_log_level level, const char *message)
{
    notes *n = user;
    if (level == DV_LOG_WARNING)
        fprintf(stderr, "decavox_bench: warning: %s\n", message);
    keep(level == DV_LOG_WARNING ? &n->warnings : &n->details, message);
}

dv_log notes_log(notes *n)
{
    return (dv_log){.write = write_note, .user = n};
}

dv_status notes_check(const notes *n)
{
    if (n->warnings.count == 0)
        return DV_OK;
    return DV_FAIL(DV_EUNSUPPORTED, "the measurement is not the one asked for: %s",
                   n->warnings.items[0]);
}

static void free_list(notes_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

void notes_free(notes *n)
{
    free_list(&n->warnings);
    free_list(&n->details);
}
