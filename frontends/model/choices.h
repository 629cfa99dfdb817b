/*
 * The algorithms that were measured as fastest on a device. They are kept from one process to the
 * next, so that a model computes the same in all of them and is measured once. The cache's folder
 * has a file for each build of the module, device with its libraries, precision and checkpoint. The
 * file is text and may be deleted at any time.
 */
#ifndef DV_MODEL_CHOICES_H
#define DV_MODEL_CHOICES_H

#include "engine/core/context.h"
#include "frontends/model/checkpoint.h"

typedef struct dv_choices {
    char path[4096];  /* path of the file; "" if choices are not kept */
    char about[1024]; /* first line of the file: module, device, precision and checkpoint */
    char *text;       /* the other lines as they were read; NULL if there were none */
} dv_choices;

/* Takes the choices that were kept for this checkpoint, computed in `products` (dv_products_name),
   into the context. Call it before the context's plans are made. Choices are not kept if the
   backend measures nothing, the context's algorithms are fixed, or there is no folder. A file that
   cannot be read counts as missing. The caller frees *out in every case. */
void dv_choices_recall(dv_context *context, const char *products, const dv_checkpoint *checkpoint,
                       dv_choices *out);

/* Writes the context's choices if they have changed and the context measures. A failure is a
   warning. */
void dv_choices_keep(dv_context *context, const dv_choices *choices);
void dv_choices_free(dv_choices *choices);

/* Calls `tell` with the path and the text of each file that is kept for the checkpoint, for any
   device. The first line of the text is dv_choices.about, each other line is a choice. */
dv_status dv_choices_list(const dv_checkpoint *checkpoint,
                          void (*tell)(void *user, const char *path, const char *text), void *user);

/* The meanings of the numbers of a line. */
extern const char dv_choices_columns[];

/* Write the choices of a context as lines ("" if it has none; the caller owns *out), and read them
   back. If the backend measures nothing there are no choices. */
dv_status dv_choices_write(dv_context *context, char **out);
dv_status dv_choices_read(dv_context *context, const char *text);

/* Gives another context on the same device the choices of `from`, so that both compute the same. */
dv_status dv_choices_share(dv_context *from, dv_context *to);

#endif
