/* The formats of forms.def with their functions. */
#include "runner/export/onnx.h"
#include "runner/export/pt2.h"
#include "runner/export/torchscript.h"

const dv_export_form dv_export_forms[] = {
#define DV_EXPORT_FORM(name, ending) {#name, ending, dv_##name##_write, dv_##name##_check},
#include "runner/export/forms.def"
#undef DV_EXPORT_FORM
    {0},
};
