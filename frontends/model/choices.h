/*
 * The algorithms that a device was found to be fastest with, kept from one process to the next: so
 * that a model computes the same in all of them, and is measured once. A file in the cache's folder
 * for each build of the module, device with its libraries, precision and checkpoint; it can be
 * read, and deleted at any time.
 */
#ifndef DV_MODEL_CHOICES_H
#define DV_MODEL_CHOICES_H

#include "engine/core/context.h"
#include "frontends/model/checkpoint.h"

typedef struct dv_choices {
    char path[4096];  /* of the file; "": choices are not kept */
    char about[1024]; /* its first line: what they were made for */
    char *text;       /* its other lines as they were read; NULL: there were none */
} dv_choices;

/* Takes what was kept for this checkpoint, computed in `products` (dv_products_name), into the
   context, before its plans are made. Nothing is
   kept where the backend measures nothing, the context's algorithms are fixed, or no folder is to
   be had; what cannot be read is as not there. Freed by the caller, whatever happens. */
void dv_choices_recall(dv_context *context, const char *products, const dv_checkpoint *checkpoint,
                       dv_choices *out);

/* Writes what the context has now, where that differs and the context measures. A failure is a
   warning. */
void dv_choices_keep(dv_context *context, const dv_choices *choices);
void dv_choices_free(dv_choices *choices);

/* Calls `tell` for each list that is kept for the checkpoint, whatever the device: the file and its
   text, of which the first line says what the choices were made for, and each other line is one. */
dv_status dv_choices_list(const dv_checkpoint *checkpoint,
                          void (*tell)(void *user, const char *path, const char *text), void *user);

/* What each number of a line is. */
extern const char dv_choices_columns[];

/* The choices of a context as lines, "" where it has none, owned by the caller; and the way back.
   Nothing is done where the backend measures nothing. */
dv_status dv_choices_write(dv_context *context, char **out);
dv_status dv_choices_read(dv_context *context, const char *text);

/* Gives another context on the same device the choices of `from`, so that both compute the same. */
dv_status dv_choices_share(dv_context *from, dv_context *to);

#endif
