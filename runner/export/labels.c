/* Writes the labels of a model in the format of sherpa-onnx. */
#include "runner/export/labels.h"
#include "engine/base/atomic_file.h"
#include "engine/base/text.h"

#include <stdlib.h>

static void write_labels(const void *user, FILE *out)
{
    const dv_model *model = user;
    fputs("index,mid,display_name\n", out);
    for (size_t i = 0; i < dv_model_label_count(model); i++)
        fprintf(out, "%zu,%zu,\"%s\"\n", i, i, dv_model_label(model, i));
}

dv_status dv_export_labels(const dv_model *model, const char *path)
{
    char *text;
    size_t size;
    DV_TRY(dv_text_of(write_labels, model, &text, &size));
    dv_status status = dv_atomic_file_store(path, text, size);
    free(text);
    return status;
}
