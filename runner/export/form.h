/* The formats of exported programs, called forms. */
#ifndef DV_EXPORT_FORM_H
#define DV_EXPORT_FORM_H

#include "engine/base/protobuf.h"
#include "engine/program/program.h"

/* A text about the model, stored in the file. */
typedef struct dv_export_note {
    const char *key;
    char *text; /* owned */
} dv_export_note;

enum { DV_EXPORT_NOTES = 8 };

/* The content of an exported file. */
typedef struct dv_exported {
    dv_program *program; /* finished */
    char *description;   /* one line */
    dv_export_note notes[DV_EXPORT_NOTES];
    size_t note_count;
} dv_exported;

typedef struct dv_export_form {
    const char *name;
    const char *ending; /* ending of file names, for example ".onnx" */
    /* Makes the bytes of the file. */
    dv_status (*write)(const dv_exported *exported, dv_protobuf *out);
    /* Reads them again. Returns DV_EFORMAT unless they hold the program. */
    dv_status (*check)(const dv_exported *exported, const dv_protobuf *bytes);
} dv_export_form;

/* The forms of forms.def. An entry without a name ends the list. */
extern const dv_export_form dv_export_forms[];

#endif
