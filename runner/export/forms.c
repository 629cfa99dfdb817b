/* The one list of the forms in which a program leaves. */
#include "runner/export/onnx.h"

/* ONNX begins with its IR version and the name of its producer. */
#define BEGINS(text) text, sizeof(text) - 1

const dv_export_form dv_export_forms[] = {
    {"onnx", ".onnx",
     BEGINS("\x08\x08\x12\x07"
            "decavox"),
     dv_onnx_write, dv_onnx_check},
    {0},
};
