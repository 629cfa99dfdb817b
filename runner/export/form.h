/* The forms in which a program leaves: what each one is given, and their list. */
#ifndef DV_EXPORT_FORM_H
#define DV_EXPORT_FORM_H

#include "engine/base/protobuf.h"
#include "engine/program/program.h"

/* A text about the model that goes with it. */
typedef struct dv_export_note {
    const char *key;
    char *text; /* owned */
} dv_export_note;

enum { DV_EXPORT_NOTES = 8 };

/* A model as it leaves. */
typedef struct dv_exported {
    dv_program *program; /* finished */
    char *description;   /* a line */
    dv_export_note notes[DV_EXPORT_NOTES];
    size_t note_count;
} dv_exported;

typedef struct dv_export_form {
    const char *name;   /* of the format */
    const char *ending; /* of the file's name: ".onnx" */
    /* The bytes of the file. */
    dv_status (*write)(const dv_exported *exported, dv_protobuf *out);
    /* Reads them again. DV_EFORMAT: they do not hold the program. */
    dv_status (*check)(const dv_exported *exported, const dv_protobuf *bytes);
} dv_export_form;

/* Those of forms.def, ended by one without a name. */
extern const dv_export_form dv_export_forms[];

#endif
